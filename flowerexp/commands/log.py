"""`flowerexp log RUN ...`: log runs, or all runs of a sweep, to MLflow, where that failed at the time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flowerexp.errors import FlowerexpError
from flowerexp.escape import printable
from flowerexp.tracking import log_run


def main(arguments: Sequence[str]) -> int:
    """Log each run; one that fails does not stop the others."""
    from flowerexp.lookup.names import find, folder_of
    from flowerexp.lookup.place import Place, split

    parser = argparse.ArgumentParser(prog="flowerexp log", description="Log runs to MLflow.")
    help_ = "a folder or a part of its name, SWEEP/RUN, an MLflow run_id or name, or last"
    parser.add_argument("names", nargs="+", metavar="RUN_OR_SWEEP", help=help_)
    failed = 0
    names, overrides = split(parser.parse_args(arguments).names)
    place = Place(overrides)
    for name in names:
        try:
            for folder in _runs(folder_of(find(name, place), place)):
                print(f"{folder}: MLflow run {log_run(folder)}")
        except FlowerexpError as error:
            failed = 1
            print(printable(f"flowerexp: {error}"), file=sys.stderr)
    return failed


def _runs(folder: Path) -> list[Path]:
    """The folder of a run, or those of the runs of a sweep that have ended."""
    from flowerexp.journal import PLAN, RECORD

    if not (folder / PLAN).exists():
        return [folder]
    return sorted((path.parent for path in folder.glob(f"*/{RECORD}")), key=lambda run: run.stat().st_ctime)
