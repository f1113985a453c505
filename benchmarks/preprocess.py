"""Photographs to TFRecord files, beside the notebook's own program: `python benchmarks/preprocess.py IMAGES`.

Both write into an empty folder each time; the MLflow store exists already, as it does from the second run on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from side_by_side import Cost, compare, measure

BASELINE = Path(__file__).parents[2] / "shared" / "baselines" / "notebook_preprocess.py"


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="the program to compare with")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    images = str(options.images.absolute())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ours = [sys.executable, "-m", "flowerexp", "dataset=folder", f"dataset.path={images}", f"home={home}"]
        ours.append("entrypoint=write_tfrecords")
        theirs = [sys.executable, str(options.baseline), images, str(home / "notebook")]

        def run(command: list[str]) -> Cost:
            shutil.rmtree(home / "data", ignore_errors=True)
            shutil.rmtree(home / "notebook", ignore_errors=True)
            return measure(command)

        run(ours)  # makes the store, warms the page cache
        compare(lambda: run(ours), lambda: run(theirs), options.pairs)


if __name__ == "__main__":
    main()
