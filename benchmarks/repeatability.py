"""Does the same sweep say the same again? `python benchmarks/repeatability.py IMAGES [OVERRIDES]`.

The notebook's sweep (`experiment=notebook`), three times, each in a home of its own: it lists, prepares and measures
everything anew, and what the sweeps share is the photographs and the operating system's page cache. Figures are those
of the sweeps' own tables; a cell's interval is the 95 % interval of its median rate, and is narrow if it is within
10 % of the median in most of the sweeps. The intervals of a cell overlap if some rate lies in all of them.

Two settings differ from the notebook's, and can be given as overrides. Its 3 repetitions leave intervals of 40 % (a
measurement of some 50 ms varies by a sixth), so there are more. And caching stays on: without it every measurement is
executed five times for the one that counts, so the same narrow intervals would take three times as long in all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
from side_by_side import wall
from targets import Target, finish

from flowerexp.analysis.report.cells import NARROW, reach
from flowerexp.app import composed

MEASURED = composed([]).entrypoint
CELL = ["run", *MEASURED.categorical, *MEASURED.numeric]
"""What makes a line of the tables."""
REPETITIONS = 24
"""Of each cell: what made most intervals narrow, though they allow for how far the machine wanders meanwhile."""
CACHED = "sweep.axes.caching=[true]"


def sweep(images: Path, repetitions: int, overrides: list[str]) -> tuple[pd.DataFrame, float]:
    """Run the sweep once in a new home; its table of cells, and its wall time in seconds."""
    with tempfile.TemporaryDirectory() as home:
        data = ["dataset=folder", f"dataset.path={images}", f"home={home}"]
        chosen = [f"measure.repetitions={repetitions}", CACHED, *overrides]
        seconds = wall([sys.executable, "-m", "flowerexp", "-m", "experiment=notebook", *data, *chosen])
        (table,) = Path(home).glob("outputs/*/*/cells.csv")
        return pd.read_csv(table), seconds


def compared(tables: list[pd.DataFrame]) -> dict[str, float]:
    """How alike the tables of the same sweep are: the figures that have bounds, as shares.

    Raises:
        SystemExit: they do not hold the same cells.
    """
    indexed = [table.set_index(CELL) for table in tables]
    if not all(table.index.sort_values().equals(indexed[0].index.sort_values()) for table in indexed):
        raise SystemExit("these are not repeats of one sweep: their cells differ")
    lows, highs, reaches = (
        pd.concat([column(table) for table in indexed], axis=1)
        for column in (lambda table: table["low"], lambda table: table["high"], lambda table: reach(table, MEASURED))
    )
    narrow = reaches.median(axis=1) <= NARROW
    overlap = lows.max(axis=1) <= highs.min(axis=1)
    verdicts = pd.concat([table.groupby("run")["verdict"].first() for table in tables])
    return {
        "narrow": float(narrow.mean()),
        "overlap": float(overlap[narrow].mean()) if narrow.any() else 0.0,
        "overlap_of_all": float(overlap.mean()),
        "suspect": float((verdicts == "suspect").mean()),
    }


def show(tables: list[pd.DataFrame]) -> None:
    """A line for each sweep."""
    print(f"{'sweep':<6} {'cells':>6} {'reach':>7} {'narrow':>7} {'runs':>5} {'suspect':>8}  images/s")
    for number, table in enumerate(tables, start=1):
        verdicts = table.groupby("run")["verdict"].first()
        whole = table.groupby("reader")[["images", "seconds"]].sum()
        rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in (whole["images"] / whole["seconds"]).items())
        share = (reach(table, MEASURED) <= NARROW).mean()
        print(
            f"{number:<6} {len(table):>6} {reach(table, MEASURED).median():>7.1%} {share:>7.0%} {len(verdicts):>5} "
            f"{(verdicts == 'suspect').sum():>8}  {rates}"
        )
    print("reach: half of an interval's width as a share of its median, that of the cell in the middle")


def main() -> None:
    """Repeat the sweep, compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="?", help="a folder of CLASS/*.jpg; more words are overrides")
    parser.add_argument("--sweeps", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each cell (default: %(default)s)")
    parser.add_argument("--finished", type=Path, nargs="+", help="compare the sweeps in these folders; run none")
    options, overrides = parser.parse_known_args()
    if not options.finished and not options.images:
        parser.error("name a folder of CLASS/*.jpg, or --finished sweeps")
    tables, seconds = [pd.read_csv(folder / "cells.csv") for folder in options.finished or ()], []
    for _ in range(0 if tables else options.sweeps):
        table, took = sweep(options.images.absolute(), options.repetitions, overrides)
        tables.append(table)
        seconds.append(took)
    show(tables)
    found = compared(tables)
    narrow = f"within {NARROW:.0%} of its median"
    targets = [
        Target(f"of the cells whose interval is {narrow}: intervals overlap", found["overlap"], 0.9, at_least=True),
        Target(f"of all cells: the interval is {narrow}", found["narrow"], 0.5, at_least=True),
        Target("of all runs: suspect", found["suspect"], 0.2),
    ]
    medians = [table.set_index(CELL)["median_images_per_second"].tolist() for table in tables]
    return finish(targets, **found, seconds=seconds, medians=medians)


if __name__ == "__main__":
    main()
