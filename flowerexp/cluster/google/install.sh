#!/bin/bash
# Runs on every node of a new cluster: installs the packages that flowerexp staged in the bucket, from there alone, since
# a cluster with internal addresses only reaches Google's storage but no package index. The node's metadata holds the
# hash of the list of packages, and the list holds theirs: nothing else is installed, whatever the bucket holds by now.
set -euo pipefail

# Spark's own settings name the Python of jobs; images 2.x have it in /opt/conda/default, later ones elsewhere.
python="$(bash -c 'source /etc/spark/conf/spark-env.sh >/dev/null 2>&1; printf %s "${PYSPARK_PYTHON:-}"')"
[[ -x "${python}" ]] || python=/opt/conda/default/bin/python
[[ -x "${python}" ]] || python="$(command -v python3)"
wheels="$(/usr/share/google/get_metadata_value attributes/flowerexp-wheels)"
sha256="$(/usr/share/google/get_metadata_value attributes/flowerexp-wheels-sha256)"
folder="$(mktemp -d)"
trap 'rm -rf "${folder}"' EXIT

for attempt in 1 2 3 4 5; do
  gcloud storage cp "${wheels}/*" "${folder}/" && break
  [[ "${attempt}" -lt 5 ]] && sleep $((attempt * 5))
done
if ! echo "${sha256}  ${folder}/requirements.txt" | sha256sum --check --status; then
  echo "ERROR: ${wheels}/requirements.txt is not what flowerexp staged"
  exit 1
fi
"${python}" -m pip install --no-index --find-links "${folder}" --require-hashes --requirement "${folder}/requirements.txt"
