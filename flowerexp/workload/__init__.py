"""The code that runs on the cluster, and `main`, with which an experiment's script starts it.

Each experiment has a folder here; `engine` measures for all of them, and `images` is what the experiments on images
share. Nothing here imports the code of the launching machine, except `flowerexp.storage` and `flowerexp.errors`.

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
from typing import Any, TypedDict, Unpack


class Hooks(TypedDict, total=False):
    """Further functions of an experiment's script; all are optional.

    Attributes:
        ready: `ready(prepared, cell)`, called directly before each measurement and on the same machine, not timed. Its
            result is passed to `measure` instead of `prepared`.
        possible: `possible(prepared, cell)` returns why a cell cannot be measured, so that it is left out; None if it
            can be measured.
        warm: `warm(prepared, cell)`, a small piece of work that is not measured, repeated until it gets no faster; by
            default `measure` on the first cell of a series. If it is given and measurements run on executors, it is
            also called once in all Python workers at the same time, to import what they need.
        warmth: `warmth(prepared, cell)` returns something hashable: a process that is warm for one cell is warm for all
            cells for which it is the same. By default, it is the categorical parameters and the run.
        recover: `recover(spark, config, prepared, error)`, called once if a measurement failed and the machine is not
            to blame. It returns what to measure the rest with, or None if it cannot help.
    """

    ready: Callable[[Any, Any], Any] | None
    possible: Callable[[Any, Any], str | None] | None
    warm: Callable[[Any, Any], object] | None
    warmth: Callable[[Any, Any], Any] | None
    recover: Callable[[Any, dict[str, Any], Any, Exception], Any] | None


def main(
    measure: Callable[..., Any],
    prepare: Callable[[Any, dict[str, Any]], Any] | None = None,
    **hooks: Unpack[Hooks],
) -> None:
    """Run an experiment as the job file on the command line says.

    Without `prepare`, the only argument is `run(spark, config)`, which does everything by itself and yields rows.

    A `cell` is a mapping of the parameters to their values. It also has the attributes `repetition`, counted from 1,
    and `seed`, a number that is the same in all series and differs between repetitions.

    Where the parts of a measurement are rows of their own (`parts.column` in the declaration, with `where: driver`),
    `measure` is a generator that yields the result of each part. A `yield` without a result stops the clock until the
    next part, for what is to be done between parts and is not to be timed.

    The functions that run on executors (with `where: executor` in the declaration, all but `prepare`, `possible` and
    `recover`) are pickled, and so is the result of `prepare`.

    Args:
        measure: `measure(prepared, cell)`, called once for each cell and repetition; nothing else is timed. It returns
            the number of counted units, or a dict with that number under the unit's name, and further numbers, texts
            or booleans, which become columns.
        prepare: `prepare(spark, config)`, called once per run, as a separate phase. RDDs and DataFrames in its result
            are cached if the config says so (`where: driver`).
        hooks: see `Hooks`.

    Raises:
        TypeError: hooks are given without `prepare`, or a hook is not in `Hooks`.
    """
    from flowerexp.workload.engine import runner  # the launching machine imports parts of this package without PySpark

    runner.main(measure, prepare, **hooks)
