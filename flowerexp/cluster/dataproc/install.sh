#!/bin/bash
# Runs on every node of a new cluster: installs the packages that flowerexp staged in the bucket, from there alone, since
# a cluster with internal addresses only reaches Google's storage but no package index.
set -euo pipefail

python=/opt/conda/default/bin/python
wheels="$(/usr/share/google/get_metadata_value attributes/flowerexp-wheels)"
folder="$(mktemp -d)"
trap 'rm -rf "${folder}"' EXIT

for attempt in 1 2 3 4 5; do
  gcloud storage cp "${wheels}/*" "${folder}/" && break
  [[ "${attempt}" -lt 5 ]] && sleep $((attempt * 5))
done
"${python}" -m pip install --no-index --find-links "${folder}" --requirement "${folder}/requirements.txt"
