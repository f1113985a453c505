"""`flowerexp verify [FOLDER ...]`: are the files of the images that were prepared what was written?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from flowerexp.workload.images.verify import folders, verify


def main(arguments: Sequence[str]) -> int:
    """Verify; 1 if something is damaged."""
    parser = argparse.ArgumentParser(
        prog="flowerexp verify",
        description="Read prepared data whole, and say which of its files are damaged. Nothing is changed: the next "
        "run that reads a damaged file writes it again.",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FOLDER or KEY=VALUE",
        help="folders of prepared data; without any, all that is in storage.prepared",
    )
    words = parser.parse_args(arguments).words
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    given = [word for word in words if word not in overrides]
    roots = [word if "://" in word else str(Path(word).expanduser().absolute()) for word in given]
    if not roots:
        from flowerexp.app import composed

        roots = [composed(overrides).storage.prepared]
    found = [folder for root in roots for folder in folders(root, is_named=bool(given))]
    if not found:
        print(f"no prepared data in {', '.join(roots)}")
    all_whole = True
    for folder in found:
        is_whole, lines = verify(folder)
        print("\n".join(lines))
        all_whole = all_whole and is_whole
    return 0 if all_whole else 1
