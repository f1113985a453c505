"""`flowerexp report SWEEP`: make the report of a sweep, or of a run, again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flowerexp.config import recorded
from flowerexp.errors import ConfigError


def main(arguments: Sequence[str]) -> int:
    """Make each report, and print where it is; 1 if files were damaged, without whose runs it was made."""
    parser = argparse.ArgumentParser(
        prog="flowerexp report",
        description="Make the report of a sweep or a run: one HTML page, Markdown, and tables.",
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="SWEEP_OR_RUN",
        help="a folder or a part of its name, SWEEP/RUN, an MLflow run_id or name, last",
    )
    parser.add_argument(
        "--log", action="store_true", help="also log a sweep's report to MLflow, in place of an earlier one"
    )
    options = parser.parse_args(arguments)

    from flowerexp.analysis.report import make_report
    from flowerexp.lookup.names import find, folder_of
    from flowerexp.lookup.place import Place, split

    found: list[str] = []
    names, overrides = split(options.names)
    place = Place(overrides)
    for name in names:
        folder = folder_of(find(name, place), place)
        report = make_report(folder, found.append)
        print(f"{report.paths[0]}\n{report.answer}")
        if options.log:
            print(f"MLflow run {_log(folder)}")
    for line in found:
        print(f"flowerexp: {line}", file=sys.stderr)
    return 1 if found else 0


def _log(folder: Path) -> str:
    from flowerexp import tracking
    from flowerexp.journal import PLAN
    from flowerexp.journal.journal import Journal
    from flowerexp.sweep.tables import RUNS

    if not (folder / PLAN).exists() or not (folder / RUNS).exists():
        hint = "leave --log out; a run's report is the file that was printed"
        raise ConfigError(f"{folder} is not a sweep that has ended", where="--log", hint=hint)
    config = recorded(Journal(folder).read_plan()["runs"][0]["config"])
    return tracking.log_sweep(folder, tracking.Store.of(config.tracking))
