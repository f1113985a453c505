"""What a run's measurements say, in a few numbers: rates, spread and first batches, for each reader and each cell.

Every rate is a sum of images over a sum of seconds. Only first executions are used; the later ones are counted.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from flowerexp.analysis.estimate import Interval, median_intervals, stratified_rate
from flowerexp.analysis.instability import Instability, instability_of, wider
from flowerexp.analysis.verdict import drift
from flowerexp.measurements import (
    COLUMNS,
    PARAMETERS,
    Row,
    by_cell,
    first_executions,
    number,
    rate,
    repetition_spread,
    spread,
    total_rate,
)

BOOKKEEPING = ("repetition", "execution", "order", "partition", "pid", "started_at", "started_ns", "ended_ns")
"""Numbers that say which row this is, and measure nothing."""


@dataclass(frozen=True)
class Column:
    """A numeric column as some entrypoint has yielded it."""

    n: int
    median: float


@dataclass(frozen=True)
class Cell:
    """One cell of the grid for one reader. Rates are images per second; None where nothing was timed."""

    group: str
    batch_size: float | None
    batch_number: float | None
    repetitions: int  # measurements in this cell
    executions: int  # how often the cell was really measured, the repeats by later actions included
    images: int
    seconds: float
    images_per_second: float | None  # sum of images over sum of seconds
    steady_images_per_second: float | None  # the same, after the first batch
    median_images_per_second: float | None  # of the measurements' own rates
    median_low: float | None  # the ends of its 95 % interval, from two repetitions on
    median_high: float | None
    min_images_per_second: float | None
    max_images_per_second: float | None
    first_batch_seconds: float | None  # median


@dataclass(frozen=True)
class Group:
    """All measurements of one reader, or of an entrypoint whose rows name no reader. Rates are images per second.

    Where measurements ran at the same time, seconds are those of all tasks added up, and a rate is that of one task.
    """

    name: str
    measurements: int
    reused: int  # rows that stand for prepared data; they count as images and bytes, never as time
    executions: int
    executions_per_measurement: float  # 1 with caching; one for each action without
    images: int
    timed_images: int  # the images of the rates: those whose reading was timed
    seconds: float
    bytes: int | None
    images_per_second: float | None  # sum of timed images over sum of seconds
    low: float | None  # the ends of its 95 % interval, from how far repetitions disagree and the machine wanders
    high: float | None
    steady_images_per_second: float | None  # the same, after the first batch
    steady_state: bool | None  # do repetitions keep their rate, or still become faster or slower? None for fewer than 3
    median_images_per_second: float | None  # of the measurements' own rates
    spread: float | None  # interquartile range of these rates over their median: noise, and what the cells differ by
    repetition_spread: float | None  # the same within a cell, the median over cells: noise alone
    first_batch_seconds: float | None  # median
    cells: tuple[Cell, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)  # see `measured_columns`


@dataclass(frozen=True)
class Summary:
    """A run's groups, sorted by name."""

    groups: tuple[Group, ...]

    def plain(self) -> dict[str, Any]:
        """The summary as lists, dicts, numbers and None, as JSON can hold it."""
        return asdict(self)


def summarise(rows: Sequence[Row], name: str = "all") -> Summary:
    """Summarise a run.

    Args:
        rows: all rows, of all executions.
        name: what to call the rows that name no reader, such as the entrypoint.
    """
    wandered = instability_of(first_executions(rows))
    return Summary(tuple(_group(key, group, wandered) for key, group in sorted(by_reader(rows, name).items())))


def by_reader(rows: Iterable[Row], name: str = "all") -> dict[str, list[Row]]:
    """Rows by reader; those that name none are called `name`."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        reader = row.get("reader")
        groups.setdefault(name if reader is None else str(reader), []).append(row)
    return groups


def _group(name: str, rows: list[Row], wandered: Instability) -> Group:
    first = first_executions(rows)
    timed = [row for row in first if rate(row) is not None]
    rates = _numbers(rate(row) for row in timed)
    interval, moved = wider(rate_interval(timed), wandered), drift(timed)
    return Group(
        name=name,
        measurements=len(first),
        reused=sum(row.get("reused") is True for row in first),
        executions=len(rows),
        executions_per_measurement=len(rows) / len(first) if first else 0.0,
        images=_count(first, "images"),
        timed_images=_count(timed, "images"),
        seconds=_sum(timed, "seconds"),
        bytes=_count(first, "bytes") if any(number(row, "bytes") is not None for row in first) else None,
        images_per_second=total_rate(timed),
        low=interval.low,
        high=interval.high,
        steady_images_per_second=steady_rate(timed),
        steady_state=None if moved is None else not moved.matters,
        median_images_per_second=_median(rates),
        spread=spread(rates),
        repetition_spread=repetition_spread(timed),
        first_batch_seconds=_median(_numbers(number(row, "first_batch_seconds") for row in first)),
        cells=_cells(name, rows, wandered),
        columns={key: Column(len(found), statistics.median(found)) for key, found in measured_columns(first).items()},
    )


def _cells(name: str, rows: list[Row], wandered: Instability) -> tuple[Cell, ...]:
    cells = by_cell(row for row in rows if any(number(row, parameter) is not None for parameter in PARAMETERS))
    keys = sorted(cells, key=lambda key: [-math.inf if value is None else value for value in key[1:]])
    return tuple(_cell(name, key[1], key[2], cells[key], wandered) for key in keys)


def _cell(
    name: str, batch_size: float | None, batch_number: float | None, rows: list[Row], wandered: Instability
) -> Cell:
    first = first_executions(rows)
    timed = [row for row in first if rate(row) is not None]
    rates = _numbers(rate(row) for row in timed)
    median = wider(_median_interval(rates), wandered)
    return Cell(
        group=name,
        batch_size=batch_size,
        batch_number=batch_number,
        repetitions=len(first),
        executions=len(rows),
        images=_count(timed, "images"),
        seconds=_sum(timed, "seconds"),
        images_per_second=total_rate(timed),
        steady_images_per_second=steady_rate(timed),
        median_images_per_second=_median(rates),
        median_low=median.low,
        median_high=median.high,
        min_images_per_second=min(rates, default=None),
        max_images_per_second=max(rates, default=None),
        first_batch_seconds=_median(_numbers(number(row, "first_batch_seconds") for row in first)),
    )


def steady_rate(rows: Iterable[Row]) -> float | None:
    """Images per second after the first batch: sum over sum, of the measurements that have more than one batch."""
    images, seconds = 0.0, 0.0
    for row in rows:
        whole = number(row, "images"), number(row, "seconds")
        head = number(row, "first_batch_images"), number(row, "first_batch_seconds")
        if None in whole or None in head:
            continue
        more, longer = ((end or 0) - (start or 0) for end, start in zip(whole, head, strict=True))
        if more > 0 and longer > 0:
            images, seconds = images + more, seconds + longer
    return images / seconds if seconds else None


def measured_columns(rows: Sequence[Row]) -> dict[str, list[float]]:
    """The numbers that an entrypoint has measured and that no rate stands for, by column.

    These are the columns that we do not know; without a rate (images and seconds), also those that we know.
    """
    known = {*COLUMNS} if total_rate(rows) is not None else {*PARAMETERS, *BOOKKEEPING}
    names = sorted({column for row in rows for column in row} - known)
    values = {name: _numbers(number(row, name) for row in rows) for name in names}
    return {name: found for name, found in values.items() if found}


def rate_interval(timed: Sequence[Row]) -> Interval:
    """The 95 % interval of a run's rate; `timed` are rows that have one."""
    import numpy as np

    if not timed:
        return Interval(0.0)
    places = {id(row): place for place, cell in enumerate(by_cell(timed).values()) for row in cell}
    cells = np.array([places[id(row)] for row in timed])
    images, seconds = (np.array([number(row, name) for row in timed], float) for name in ("images", "seconds"))
    return stratified_rate(images, seconds, cells)


def _median_interval(rates: Sequence[float]) -> Interval:
    if len(rates) < 2 or min(rates) <= 0:
        return Interval(_median(rates) or 0.0)
    import numpy as np

    return Interval(*map(float, median_intervals(np.array(rates))[:3]))


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _sum(rows: Iterable[Row], column: str) -> float:
    return math.fsum(_numbers(number(row, column) for row in rows))


def _count(rows: Iterable[Row], column: str) -> int:
    return int(_sum(rows, column))
