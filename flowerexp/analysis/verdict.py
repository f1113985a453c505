"""Can a run's measurements be believed? Valid, suspect or invalid, with a sentence for each reason.

Pure functions of rows; a column that rows lack is no reason for doubt.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flowerexp.measurements import PARAMETERS, Row, by_cell, first_executions, number, rate, repetition_spread

WIDE_SPREAD = 0.25
"""Above this interquartile range, as a share of the median, repetitions disagree too much to be believed."""

DRIFT = 0.10
"""Rates drift that change by more than this share over the repetitions, where chance cannot explain it."""

DRIFT_CHANCE = 0.01
"""Chance explains a drift if it would make one as large more often than this."""

OTHERS_CPU = 20.0
"""Percent of a host's CPU: if other processes used more than this during the measurements, they disturbed them.

The launcher and Spark's JVM count as well: in runs of a second they may use as much.
"""

BUSY_SHARE, BUSY_LOAD = 0.75, 2.0
"""A load average before a measurement, of each core, or where the cores are not known: above it others were at work.

Only of rows that do not say what others used: a load average lags by a minute, and holds our own earlier work.
"""

CLOCK_SECONDS = 1.0
"""A host's time of day and its steady clock may part by this much within a run; more is a clock that was set."""

OUTLIER = 3.5
"""A modified z-score above which a measurement is flagged (Iglewicz and Hoaglin 1993)."""

_NORMAL = 0.6745  # the upper quartile of the standard normal distribution: makes a median deviation a standard one
_LEAST = 0.10  # a measurement nearer than this to its cell's median is no outlier, however quiet the others are


@dataclass(frozen=True)
class Verdict:
    """Whether a run's measurements can be believed, and if not, why: a sentence a reason."""

    state: Literal["valid", "suspect", "invalid"]
    reasons: tuple[str, ...] = ()


def judge(rows: Sequence[Row]) -> Verdict:
    """Judge a run by its rows: failed measurements make it invalid, doubtful ones suspect."""
    if not rows:
        return Verdict("invalid", ("the run has no measurements",))
    first = first_executions(rows)
    wrong, doubts = (
        _failures(rows),
        [*_disagreement(first), *_warmth(first), *_company(first), *_page_cache(first), *_clock(first)],
    )
    return Verdict("invalid" if wrong else "suspect" if doubts else "valid", (*wrong, *doubts))


def _failures(rows: Sequence[Row]) -> list[str]:
    empty = [row for row in rows if row.get("images") is not None and not (number(row, "images") or 0) > 0]
    timeless = [row for row in rows if row.get("seconds") is not None and not (number(row, "seconds") or 0) > 0]
    reasons = []
    if not first_executions(rows):
        reasons.append(f"none of the {len(rows)} measurements is a first execution")
    if empty:
        reasons.append(f"{len(empty)} of {len(rows)} measurements have no images")
    if timeless:
        reasons.append(f"{len(timeless)} of {len(rows)} measurements took no time: the clock cannot be trusted")
    return reasons


def _disagreement(rows: Sequence[Row]) -> list[str]:
    """Repetitions that differ by chance, or more and more."""
    reasons = []
    wide = repetition_spread(rows) or 0.0
    if wide > WIDE_SPREAD:
        reasons.append(f"repetitions of a cell disagree: the middle half of their rates spans {wide:.0%} of the median")
    moved = drift(rows)
    if moved and moved.matters:
        slower = "slower" if moved.change < 0 else "faster"
        reasons.append(f"no steady state: the last repetition is {abs(moved.change):.0%} {slower} than the first")
    return reasons


def _warmth(rows: Sequence[Row]) -> list[str]:
    """Processes that still became faster when they had to start measuring."""
    told = [row for row in rows if isinstance(row.get("warm_up_steady"), bool)]
    cold = [row for row in told if not row["warm_up_steady"]]
    where = f"{len(cold)} of {len(told)} measurements were made by processes"
    return [f"{where} that had not stopped getting faster in warming up"] if cold else []


def _company(rows: Sequence[Row]) -> list[str]:
    """Others that used the host at the time."""
    near = [count for row in rows if (count := number(row, "neighbours") or 0) > 0]
    told = [row for row in rows if number(row, "load_before") is not None and "others_cpu_percent" not in row]
    busy = [row for row in told if _is_busy(row)]
    reasons = []
    if near:
        most = f"at most {max(near):g} each"
        reasons.append(f"{len(near)} of {len(rows)} measurements overlapped others on their host, {most}")
    if busy:
        most = f"the load average before them was up to {max(number(row, 'load_before') or 0 for row in busy):.1f}"
        reasons.append(f"others were at work on the host of {len(busy)} of {len(told)} measurements: {most}")
    others = {host: share for host, share in others_cpu(rows).items() if share > OTHERS_CPU}
    if others:
        most = f"{max(others.values()):.0f}% of the CPU of {max(others, key=lambda host: others[host])}"
        more = f", and too much on {len(others) - 1} more hosts" if len(others) > 1 else ""
        reasons.append(
            f"other processes, flowerexp's and Spark's own among them, used {most} during the measurements{more}"
        )
    return reasons


def others_cpu(rows: Iterable[Row]) -> dict[str, float]:
    """Percent of each host's CPU that other processes used during the measurements, sum over sum.

    Measurements that overlapped are left out: what others used then are our own measurements, in part.
    """
    used: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        share, seconds = number(row, "others_cpu_percent"), number(row, "seconds")
        if share is not None and seconds and not number(row, "neighbours"):
            used.setdefault(str(row.get("host")), []).append((share * seconds, seconds))
    return {host: sum(part for part, _ in all_) / sum(seconds for _, seconds in all_) for host, all_ in used.items()}


def _is_busy(row: Row) -> bool:
    load, cores = number(row, "load_before") or 0.0, number(row, "host_cores")
    return load > (cores * BUSY_SHARE if cores else BUSY_LOAD)


def _page_cache(rows: Sequence[Row]) -> list[str]:
    told = [row for row in rows if "page_cache" in row]
    unknown = [row for row in told if row["page_cache"] not in ("cold", "warm", "remote")]
    cells = by_cell(told)
    mixed = [cell for cell in cells.values() if {"cold", "warm"} <= {str(row["page_cache"]) for row in cell}]
    reasons = []
    if unknown:
        reasons.append(f"whether the page cache was warm is unknown for {len(unknown)} of {len(told)} measurements")
    if mixed:
        where = f"in {len(mixed)} of {len(cells)} cells"
        reasons.append(f"the page cache was cold in some repetitions and warm in others, {where}")
    return reasons


def _clock(rows: Sequence[Row]) -> list[str]:
    """Times that were not taken, or that contradict each other."""
    untimed = [row for row in rows if "seconds" in row and row["seconds"] is None and row.get("reused") is not True]
    odd = [row for row in rows if (number(row, "first_batch_seconds") or 0) > (number(row, "seconds") or math.inf) > 0]
    parted = _parted(rows)
    reasons = []
    if untimed:
        reasons.append(f"{len(untimed)} of {len(rows)} measurements were not timed")
    if odd:
        reasons.append(f"in {len(odd)} of {len(rows)} measurements the first batch took longer than all of them")
    if parted > CLOCK_SECONDS:
        reasons.append(f"a host's clock was set during the run, by {parted:,.1f} s: do not trust its times of day")
    return reasons


def _parted(rows: Sequence[Row]) -> float:
    """Seconds by which a host's time of day moved against its steady clock, the most of all hosts."""
    ahead: dict[str, list[float]] = {}
    for row in rows:
        day, steady = number(row, "started_at"), number(row, "started_ns")
        if day is not None and steady is not None:
            ahead.setdefault(str(row.get("host")), []).append(day - steady / 1e9)
    return max((max(values) - min(values) for values in ahead.values()), default=0.0)


@dataclass(frozen=True)
class Drift:
    """How rates moved from the first repetition to the last: a share of them, and how probable by chance."""

    change: float
    chance: float

    @property
    def matters(self) -> bool:
        """Whether it is too large to be passed over, and too improbable to be chance."""
        return abs(self.change) > DRIFT and self.chance < DRIFT_CHANCE


def drift(rows: Iterable[Row]) -> Drift | None:
    """Fit one slope to the repetitions of all cells, on the logarithm of the rates, each cell with a level of its own.

    Returns:
        The change from the first repetition to the last, and Student's two-sided probability of one as large by chance;
        None below three repetitions: two of them always lie on a line.
    """
    xs, ys, cells = _centred(row for row in rows if number(row, "repetition") is not None)
    span = max(xs, default=0.0) - min(xs, default=0.0)
    freedom = len(xs) - cells - 1
    across = math.fsum(x * x for x in xs)
    if len({round(x, 6) for x in xs}) < 3 or freedom < 1 or not across:
        return None
    from scipy.special import stdtr

    slope = math.fsum(x * y for x, y in zip(xs, ys, strict=True)) / across
    left = math.fsum((y - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    chance = 2 * float(stdtr(freedom, -abs(slope) / math.sqrt(left / freedom / across))) if left else 0.0
    return Drift(math.expm1(slope * span), chance)


def _centred(rows: Iterable[Row]) -> tuple[list[float], list[float], int]:
    """Repetitions and logarithms of rates, each less its cell's mean, and the number of cells."""
    xs: list[float] = []
    ys: list[float] = []
    cells = 0
    for cell in by_cell(rows).values():
        pairs = [(number(row, "repetition") or 0.0, math.log(value)) for row in cell if (value := rate(row))]
        if len(pairs) > 1:
            cells += 1
            middle = [statistics.fmean(column) for column in zip(*pairs, strict=True)]
            xs += [x - middle[0] for x, _ in pairs]
            ys += [y - middle[1] for _, y in pairs]
    return xs, ys, cells


def outliers(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Flag measurements far from the median of their cell; they stay in every number.

    The scale is the median deviation over all cells of the reader, since one cell has too few repetitions to tell.

    Returns:
        For each its reader, parameters and repetition, its rate and its cell's median rate, in images per second.
    """
    far: list[dict[str, Any]] = []
    readers: dict[str, list[tuple[Row, float, float]]] = {}
    for (reader, *_), cell in by_cell(first_executions(rows)).items():
        timed = [(row, value) for row in cell if (value := rate(row))]
        if len(timed) > 2:
            middle = statistics.median(value for _, value in timed)
            readers.setdefault(str(reader), []).extend((row, value, middle) for row, value in timed)
    for found in readers.values():
        scale = _scale([math.log(value / middle) for _, value, middle in found])
        for row, value, middle in found:
            away = abs(math.log(value / middle))
            if away > OUTLIER * scale and away > _LEAST:
                which = {key: row.get(key) for key in ("reader", *PARAMETERS, "repetition")}
                far.append({**which, "images_per_second": value, "cell_median": middle})
    return far


def _scale(residuals: Collection[float]) -> float:
    """A standard deviation that outliers do not widen; residuals that are 0, as each cell's middle one, say nothing."""
    away = [abs(residual) for residual in residuals if residual]
    return statistics.median(away) / _NORMAL if away else 0.0
