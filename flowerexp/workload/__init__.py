"""The code that runs on the cluster. It imports nothing of the launching machine's part.

An experiment's script is two functions and one call::

    from flowerexp.workload import main

    def prepare(spark, config):
        return spark.range(1_000_000)

    def measure(prepared, cell):
        return prepared.repartition(cell["partitions"]).count()

    main(measure, prepare)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def main(
    measure: Callable[..., Any],
    prepare: Callable[[Any, dict[str, Any]], Any] | None = None,
    *,
    ready: Callable[[Any, Any], Any] | None = None,
    possible: Callable[[Any, Any], str | None] | None = None,
    warm: Callable[[Any, Any], object] | None = None,
    warmth: Callable[[Any, Any], Any] | None = None,
    recover: Callable[[Any, dict[str, Any], Any, Exception], Any] | None = None,
) -> None:
    """Run an experiment as the job file on the command line says.

    Without `prepare`, the only argument is `run(spark, config)`, which does everything by itself and yields rows.

    A `cell` is a mapping of the parameters to their values. It also has the attributes `repetition`, counted from 1,
    and `seed`, a number that is the same in all series, and another one for each repetition.

    What runs on executors (`where: executor` in the declaration: all but `prepare`, `possible` and `recover`) is
    pickled, and so is what `prepare` returned.

    Args:
        measure: `measure(prepared, cell)`, once for each cell and repetition, and the only thing that is timed. It
            returns how many units it counted: a number, or a dict with that number under the unit's name and further
            numbers, texts or booleans, which become columns.
        prepare: `prepare(spark, config)`, once a run, as a phase of its own. Of what it returns, RDDs and DataFrames
            are cached if the config says so (`where: driver`).
        ready: `ready(prepared, cell)`, directly before each measurement and on the same machine, not timed. What it
            returns is given to `measure` in the place of `prepared`.
        possible: `possible(prepared, cell)` says why a cell cannot be measured: such cells are left out. None if it
            can be.
        warm: `warm(prepared, cell)`, a small piece of work that is not measured, repeated until it gets no faster;
            by default `measure` on the first cell of a series. If it is given, and measurements run on executors, it
            is also called once in all Python workers side by side, to load what they need.
        warmth: `warmth(prepared, cell)`, something hashable: a process that is warm for one cell is warm for all for
            which it is the same. By default the categorical parameters, and the run.
        recover: `recover(spark, config, prepared, error)`, called once if a measurement failed, and the machine is not
            to blame. It returns what to measure the rest with, or None if it cannot help.

    Raises:
        TypeError: hooks are given without `prepare`.
    """
    from flowerexp.workload.engine import runner  # the launching machine imports parts of this package, but not this

    hooks = {"ready": ready, "possible": possible, "warm": warm, "warmth": warmth, "recover": recover}
    runner.main(measure, prepare, **hooks)
