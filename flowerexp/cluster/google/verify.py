"""What a job in the cloud begins with: run its script only if that and its bundle are what was submitted.

Both come from a bucket, and their hashes from the job itself. This file is shipped alone, without flowerexp.
`verify.py SHA256 NAME.zip SHA256 SCRIPT.py ARGUMENTS`: both files are where Spark puts what --py-files names.
"""

import sys

_places = sys.path
# Modules of the standard library alone: one of the same name may lie in what is not verified yet.
sys.path = [place for place in _places if place.startswith((sys.base_prefix, sys.base_exec_prefix))]
import hashlib  # noqa: E402
import runpy  # noqa: E402
from pathlib import Path  # noqa: E402


def find(name: str, sha256: str) -> str:
    """The path of a file that Spark fetched, if it is what was submitted; else the job ends here."""
    named = [Path(place) if Path(place).name == name else Path(place) / name for place in _places]
    found = [path for path in named if path.is_file()]
    if not found:
        sys.exit(f"flowerexp: error: {name} was not brought to this machine")
    for path in found:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            sys.exit(f"flowerexp: error: {name} in the bucket is not what was submitted")
    return str(found[0])


if __name__ == "__main__":
    bundle_hash, bundle, script_hash, script, *arguments = sys.argv[1:]
    find(bundle, bundle_hash)
    path = find(script, script_hash)
    sys.path = _places
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")
