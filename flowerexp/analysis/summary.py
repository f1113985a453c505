"""Summarise a run in a few numbers: rates, spread and first parts, for each series and each cell.

Every rate is a sum of counts over a sum of seconds. Only first executions are used; later ones are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from flowerexp.analysis.estimate import Interval, grouped_medians, grouped_quantiles, stratified_rate
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.instability import Instability, instability_of, widened, wider
from flowerexp.analysis.repetitions import drift, repetition_spread, spread
from flowerexp.measurements import columns_of
from flowerexp.measurements.table import Array, Measurements

BOOKKEEPING = ("repetition", "execution", "order", "attempt", "pid", "started_at", "started_ns", "ended_ns")
"""Numbers that identify a row, and are not measured."""


@dataclass(frozen=True)
class Column:
    """A numeric column that an entrypoint has measured."""

    n: int
    median: float


@dataclass(frozen=True)
class Cell:
    """One cell of the grid for one series. Rates are units per second; None where nothing was timed."""

    group: str
    at: dict[str, float | None]  # its numeric parameters
    repetitions: int  # measurements in this cell
    censored: int  # of these, how many were stopped at their time limit, and have no rate
    executions: int  # how often the cell was measured, including repeats by later actions
    count: int  # of the experiment's unit
    seconds: float
    rate: float | None  # sum of counts over sum of seconds
    steady_rate: float | None  # the same, after the first part
    median_rate: float | None  # of the measurements' own rates
    median_low: float | None  # the ends of its 95 % interval, from two repetitions on
    median_high: float | None
    min_rate: float | None
    max_rate: float | None
    first_seconds: float | None  # of the first part, median


@dataclass(frozen=True)
class Group:
    """All measurements of one series, or of an experiment that has none. Rates are units per second.

    Where measurements ran at the same time, seconds are those of all tasks added up, and a rate is that of one task.
    """

    name: str
    measurements: int
    censored: int  # of these, how many were stopped at their time limit, and have no rate
    discarded: int  # measurements that were made again, since executors were lost or tasks failed while they were made
    reused: int  # rows about data that was prepared before; they count as done, and have no time
    executions: int
    executions_per_measurement: float  # 1 with caching; one for each action without
    count: int  # of the experiment's unit
    timed_count: int  # the same, of timed measurements only
    seconds: float
    bytes: int | None
    value: float | None  # the number that the experiment is about
    low: float | None  # the ends of its 95 % interval, from how far repetitions disagree and the machine's speed varies
    high: float | None
    rate: float | None  # sum of timed counts over sum of seconds
    steady_rate: float | None  # the same, after the first part
    steady_state: bool | None  # whether repetitions keep their rate; None for fewer than 3
    median_rate: float | None  # of the measurements' own rates
    spread: float | None  # interquartile range of these rates over their median: noise and differences between cells
    repetition_spread: float | None  # the same within a cell, the median over cells: only noise
    first_seconds: float | None  # of the first part, median
    cells: tuple[Cell, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)  # see `measured_columns`


@dataclass(frozen=True)
class Summary:
    """A run's groups, sorted by name."""

    groups: tuple[Group, ...]
    experiment: Mapping[str, str]  # its name, its unit, and the name of the number that it is about

    def plain(self) -> dict[str, Any]:
        """The summary as lists, dicts, numbers and None, as JSON can hold it."""
        return asdict(self)


def summarise(measurements: Measurements) -> Summary:
    """Summarise a run, by all its rows, of all executions."""
    instability = instability_of(measurements.firsts)
    experiment = measurements.experiment
    groups = tuple(_group(name, group, instability) for name, group in measurements.by_series.items())
    declared = {"name": experiment.name, "unit": experiment.unit, "value": experiment.value_name}
    return Summary(groups, declared)


def _group(name: str, rows: Measurements, instability: Instability) -> Group:
    first = rows.firsts
    rated = first.rated
    same_group = np.zeros(len(rated), int)
    interval, moved = wider(value_interval(first), instability), drift(rated)
    return Group(
        name=name,
        measurements=len(first),
        censored=int(np.count_nonzero(first.censored)),
        discarded=int(np.nansum(first.numbers("discarded"))),
        reused=int(np.count_nonzero(first.truths("reused") == 1)),
        executions=len(rows),
        executions_per_measurement=len(rows) / len(first) if len(first) else 0.0,
        count=_count(first.counts),
        timed_count=_count(rated.counts),
        seconds=float(rated.seconds.sum()),
        bytes=_count(first.numbers("bytes")) if not np.isnan(first.numbers("bytes")).all() else None,
        value=first.total_value,
        low=interval.low,
        high=interval.high,
        rate=rated.total_rate,
        steady_rate=steady_rate(rated),
        steady_state=None if moved is None else not moved.matters,
        median_rate=_median(rated.rates),
        spread=_number(spread(rated.rates, same_group, 1)[0]),
        repetition_spread=repetition_spread(rated),
        first_seconds=_median(first.first_seconds),
        cells=_cells(name, rows.gridded, instability),
        columns={
            name: Column(len(values), float(np.median(values))) for name, values in measured_columns(first).items()
        },
    )


def _cells(name: str, rows: Measurements, instability: Instability) -> tuple[Cell, ...]:
    """Each cell of a series; `rows` are those that have parameters, of all executions."""
    count, cells = len(rows.cell_keys), rows.cells
    first = ~rows.known("execution") | (rows.numbers("execution") == 1)
    rated = first & ~np.isnan(rows.rates)
    counted, seconds, later_counted, later_seconds = (
        np.bincount(cells[rated], values[rated], count) for values in (rows.counts, rows.seconds, *rows.later)
    )
    middle, low, high = grouped_medians(rows.rates[rated], cells[rated], count)
    low, high = _wider(middle, low, high, instability)
    least, most = grouped_quantiles(rows.rates[rated], cells[rated], count, (0, 1))
    heads = rows.first_seconds
    known = first & ~np.isnan(heads)
    (head,) = grouped_quantiles(heads[known], cells[known], count, (0.5,))
    parameters = [dict(zip(rows.experiment.numeric, key[1:], strict=True)) for key in rows.cell_keys]
    sizes = [np.bincount(which, minlength=count) for which in (cells[first], cells[first & rows.censored], cells)]
    rates = [_ratio(counted, seconds), _ratio(later_counted, later_seconds), middle, low, high, least, most, head]
    return tuple(
        Cell(name, at, int(again), int(stopped), int(all_), int(units), float(took), *map(_number, numbers))
        for at, (again, stopped, all_), units, took, numbers in zip(
            parameters, np.column_stack(sizes), counted, seconds, np.column_stack(rates), strict=True
        )
    )


def _ratio(over: Array, under: Array) -> Array:
    ratios = np.full(len(over), np.nan)
    np.divide(over, under, out=ratios, where=under > 0)
    return ratios


def _wider(middle: Array, low: Array, high: Array, instability: Instability) -> tuple[Array, Array]:
    """The ends of intervals that include the machine's instability, if there is one."""
    return widened(middle, low, high, instability.reach) if instability.deviation else (low, high)


def steady_rate(rows: Measurements) -> float | None:
    """Unit/s after the first part, sum over sum, of measurements with more than one part."""
    more, longer = (values.sum() for values in rows.later)
    return float(more / longer) if longer else None


def measured_columns(rows: Measurements) -> dict[str, Array]:
    """The numbers that an entrypoint has measured beside its rate, by column.

    These are the columns that flowerexp does not know; without a rate (counts and seconds), also those that it knows.
    """
    experiment, rows = rows.experiment, rows.finished
    known = {*experiment.numeric, *BOOKKEEPING, *extras_of(experiment).columns}
    known |= {*columns_of(experiment)} if len(rows.rated) else set()
    columns = {name: rows.numbers(name) for name in sorted({*rows.names} - known)}
    return {name: values[~np.isnan(values)] for name, values in columns.items() if not np.isnan(values).all()}


def value_interval(rows: Measurements) -> Interval:
    """The value of a run's first executions in one series, with its 95 % interval if it is above 0."""
    valued = rows.valued
    value = valued.total_value or 0.0
    return stratified_rate(*valued.value, valued.cells) if value > 0 else Interval(value)


def _median(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _count(values: Array) -> int:
    return int(np.nansum(values))
