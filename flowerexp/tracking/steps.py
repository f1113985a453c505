"""Metrics with a step for each moment, which MLflow draws as lines: repetitions, parts, what the hosts did meanwhile.

MLflow's pages for comparing runs plot the last step of a metric, so a run's results are metrics of their own, and these
have names under which nobody looks for a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowerexp.analysis.experiments import extras_of
from flowerexp.tracking.names import name_of

if TYPE_CHECKING:
    from flowerexp.measurements.table import Array, Measurements

BY_REPETITION = "by repetition/"
CURVES = "curves/"
OF_HOSTS = "system/"
"""MLflow shows these on a run's page of system metrics."""

_MOST = 200  # MLflow's charts show no more than a few hundred points of a line
_MOST_OF_A_HOST = 24  # a host has several lines, and each point takes time to log
_LEAST = 2

_HOST_COLUMNS = {
    "cpu_percent": ("cpu_utilization_percentage", 1.0),
    "others_cpu_percent": ("cpu_utilization_by_others_percentage", 1.0),
    "memory_available_bytes": ("memory_available_megabytes", 1e-6),
    "net_bytes_s": ("network_megabytes_per_second", 1e-6),
    "disk_bytes_s": ("disk_megabytes_per_second", 1e-6),
}
"""The columns of the host look, MLflow's names or names like them, and what a value is multiplied with."""

Step = tuple[str, float, int, int]
"""A metric's name, its value, its time in epoch milliseconds, and its step."""


def steps(measured: Measurements, ended: float) -> list[Step]:
    """All lines of a run; none from what was measured once.

    Args:
        measured: all measurements.
        ended: when the run ended, in epoch seconds, for measurements that do not say when they were made.
    """
    return [*_by_repetition(measured, ended), *_curves(measured, ended), *_of_hosts(measured)]


def is_line(name: str) -> bool:
    """Whether a metric is a line, whose last value says nothing of a run as a whole."""
    return name.startswith((BY_REPETITION, CURVES, OF_HOSTS))


def _curves(measured: Measurements, ended: float) -> Iterator[Step]:
    """The columns that an experiment calls curves, over the parts of the first repetition of each cell."""
    import numpy as np

    experiment = measured.experiment
    columns, parts = extras_of(experiment).curves, experiment.parts
    if not (columns and parts and parts.column):
        return
    rows = measured.firsts.finished
    rows = rows.where(rows.numbers("repetition") == 1)
    cells = rows.cell_keys if len(rows) else []
    varied = [len({key[place] for key in cells}) > 1 for place in range(1 + len(experiment.numeric))]
    for place, key in enumerate(cells):
        own = rows.where(rows.cells == place)
        named = [key[0], *(f"{name} {value}" for name, value in zip(experiment.numeric, key[1:], strict=True))]
        shown = [name for name, varies in zip(named, varied, strict=True) if varies]
        prefix = f"{CURVES}{' '.join(shown)} " if shown else CURVES
        numbers, moments = own.numbers(parts.column), own.numbers("started_at") + np.nan_to_num(own.seconds)
        for column in columns:
            for value, step, at in zip(own.numbers(column), numbers, moments, strict=True):
                if not np.isnan(value):
                    when = ended if np.isnan(at) else at
                    yield name_of(f"{prefix}{column}"), float(value), int(1000 * when), int(step)


def _by_repetition(measured: Measurements, ended: float) -> Iterator[Step]:
    """The experiment's value in each repetition, over all cells of a series.

    A repetition that lacks cells is left out, as those of `measure.until` that measure only some again: the value would
    be that of another mixture. Of more than `_MOST` repetitions, neighbours share a point.
    """
    import numpy as np

    first = measured.firsts.valued
    first = first.where(~np.isnan(first.numbers("repetition")))
    for series, rows in first.by_series.items() if len(first) else ():
        repetitions, place, sizes = np.unique(rows.numbers("repetition"), return_inverse=True, return_counts=True)
        whole = np.flatnonzero(sizes == sizes.max())
        if len(whole) < _LEAST:
            continue
        point = np.full(len(repetitions), -1)
        point[whole] = _shared(len(whole), _MOST)
        kept = point[place] >= 0
        number, count = point[place][kept], int(point.max()) + 1
        over, under = (np.bincount(number, part[kept], count) for part in rows.value)
        when = _latest(number, rows.numbers("started_at")[kept], count, ended)
        last = _latest(number, rows.numbers("repetition")[kept], count, 0)
        name = name_of(f"{BY_REPETITION}{series} {measured.experiment.value_name}")
        for value, at, step in zip(over / under, when, last, strict=True):
            yield name, float(value), int(1000 * at), int(step)


def _of_hosts(measured: Measurements) -> Iterator[Step]:
    """What each host did while it measured, weighted by how long each measurement took."""
    import numpy as np

    rows = measured.where(~np.isnan(measured.numbers("started_at")) & (measured.seconds > 0))
    hosts, names = rows.texts("host")
    for host, name in enumerate(names):
        own = rows.where(hosts == host)
        order = np.argsort(own.numbers("started_at"), kind="stable")
        number = _shared(len(order), _MOST_OF_A_HOST)
        when = _latest(number, own.numbers("started_at")[order], int(number.max()) + 1, 0)
        prefix = OF_HOSTS if len(names) == 1 else f"{OF_HOSTS}{name}/"
        for column, (metric, scale) in _HOST_COLUMNS.items():
            means = _means(number, own.numbers(column)[order], own.seconds[order])
            for step, (value, at) in enumerate(zip(means, when, strict=True)):
                if not np.isnan(value):
                    yield name_of(f"{prefix}{metric}"), float(scale * value), int(1000 * at), step


def _shared(count: int, most: int) -> Array:
    """The point of each of `count` things in a row, of at most `most` points; of shape (count,)."""
    import numpy as np

    place: Array = np.arange(count) * min(count, most) // max(count, 1)
    return place


def _latest(number: Array, values: Array, count: int, otherwise: float) -> Array:
    """The largest of the values of each number below `count`."""
    import numpy as np

    found = np.full(count, -np.inf)
    np.maximum.at(found, number, np.nan_to_num(values, nan=-np.inf))
    return np.where(np.isinf(found), otherwise, found)


def _means(number: Array, values: Array, weights: Array) -> Array:
    """The weighted mean of the values of each number; NaN where none is known."""
    import numpy as np

    known, count = ~np.isnan(values), int(number.max()) + 1
    over = np.bincount(number[known], (values * weights)[known], count)
    under = np.bincount(number[known], weights[known], count)
    means = np.full(count, np.nan)
    np.divide(over, under, out=means, where=under > 0)
    return means
