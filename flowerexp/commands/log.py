"""`flowerexp log FOLDER ...`: log runs' folders to MLflow, where that failed at the time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flowerexp.errors import FlowerexpError
from flowerexp.escape import printable
from flowerexp.tracking import log_run


def main(arguments: Sequence[str]) -> int:
    """Log each folder; one that fails does not stop the others."""
    parser = argparse.ArgumentParser(prog="flowerexp log", description="Log runs' folders to MLflow.")
    parser.add_argument("folder", nargs="+", type=Path, help="a run's folder, such as outputs/DATE/TIME-ID")
    failed = 0
    for folder in parser.parse_args(arguments).folder:
        try:
            print(f"{folder}: MLflow run {log_run(folder)}")
        except FlowerexpError as error:
            failed = 1
            print(printable(f"flowerexp: {error}"), file=sys.stderr)
    return failed
