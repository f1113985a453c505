"""Can a run's measurements be believed? Valid, suspect or invalid, with a sentence for each reason.

Pure functions of measurements; a column that rows lack does not make a run suspect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from flowerexp.analysis.estimate import grouped_quantiles
from flowerexp.analysis.experiments import extras_of
from flowerexp.measurements.table import Array, Measurements

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

MOST_NAMED = 5
"""Cells that are named in a reason; of more, their number."""

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


def judge(measurements: Measurements) -> Verdict:
    """Judge a run: failed measurements make it invalid, doubtful ones suspect."""
    if not len(measurements):
        return Verdict("invalid", ("the run has no measurements",))
    first = measurements.firsts
    wrong = _failures(measurements)
    doubts = [*_stopped(first), *_disagreement(first), *_warmth(first), *_company(first)]
    doubts += [*extras_of(measurements.experiment).doubts(first), *_clock(first)]
    return Verdict("invalid" if wrong else "suspect" if doubts else "valid", (*wrong, *doubts))


def _failures(rows: Measurements) -> list[str]:
    unit = rows.experiment.unit
    empty = np.count_nonzero(rows.known(rows.experiment.count) & ~(rows.counts > 0))
    timeless = np.count_nonzero(rows.known("seconds") & ~(rows.seconds > 0))
    reasons = []
    if not len(rows.firsts):
        reasons.append(f"none of the {len(rows)} measurements is a first execution")
    if empty:
        reasons.append(f"{empty} of {len(rows)} measurements have no {unit}")
    if timeless:
        reasons.append(f"{timeless} of {len(rows)} measurements took no time: the clock cannot be trusted")
    return reasons


def _stopped(rows: Measurements) -> list[str]:
    """Measurements that were stopped at their time limit, and the cells that have no other.

    They make a run suspect, since the rates of their cells are those of the fastest measurements alone. Not invalid:
    that a cell takes longer than the limit is a result.
    """
    if not rows.censored.any():
        return []
    count = len(rows.cell_keys)
    stopped = np.bincount(rows.cells[rows.censored], minlength=count)
    unfinished = np.flatnonzero((stopped > 0) & (stopped == np.bincount(rows.cells, minlength=count)))
    limit = (
        f"{np.count_nonzero(rows.censored)} of {len(rows)} measurements reached measure.max_seconds and were stopped"
    )
    if not len(unfinished):
        return [f"{limit}: rates are those of the others"]
    named = [_cell(rows, rows.cell_keys[place]) for place in unfinished[:MOST_NAMED]]
    more = f" and {len(unfinished) - len(named)} more" if len(unfinished) > len(named) else ""
    return [f"{limit}; no measurement was finished of {'; '.join(named)}{more}"]


def _cell(rows: Measurements, key: tuple[Any, ...]) -> str:
    """A cell in words: its series, and its numeric parameters."""
    series, *values = key
    return " ".join([series, *(f"{name}={value}" for name, value in zip(rows.experiment.numeric, values, strict=True))])


def _disagreement(rows: Measurements) -> list[str]:
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


def _warmth(rows: Measurements) -> list[str]:
    """Processes that still became faster when they had to start measuring."""
    steady = rows.truths("warm_up_steady")
    cold, told = np.count_nonzero(steady == 0), np.count_nonzero(steady >= 0)
    where = f"{cold} of {told} measurements were made by processes"
    return [f"{where} that had not stopped getting faster in warming up"] if cold else []


def _company(rows: Measurements) -> list[str]:
    """Others that used the host at the time."""
    neighbours, load, cores = (rows.numbers(name) for name in ("neighbours", "load_before", "host_cores"))
    told = ~np.isnan(load) & ~rows.has("others_cpu_percent")
    busy = told & (load > np.where(np.nan_to_num(cores), cores * BUSY_SHARE, BUSY_LOAD))
    reasons = []
    if (neighbours > 0).any():
        most = f"at most {np.nanmax(neighbours):g} each"
        near = np.count_nonzero(neighbours > 0)
        reasons.append(f"{near} of {len(rows)} measurements overlapped others on their host, {most}")
    if busy.any():
        most = f"the load average before them was up to {load[busy].max():.1f}"
        hosts = f"the host of {np.count_nonzero(busy)} of {np.count_nonzero(told)} measurements"
        reasons.append(f"others were at work on {hosts}: {most}")
    others = {host: share for host, share in others_cpu(rows).items() if share > OTHERS_CPU}
    if others:
        most = f"{max(others.values()):.0f}% of the CPU of {max(others, key=lambda host: others[host])}"
        more = f", and too much on {len(others) - 1} more hosts" if len(others) > 1 else ""
        reasons.append(
            f"other processes, flowerexp's and Spark's own among them, used {most} during the measurements{more}"
        )
    return reasons


def others_cpu(rows: Measurements) -> dict[str, float]:
    """Percent of each host's CPU that other processes used during the measurements, sum over sum.

    Measurements that overlapped are left out: what others used then are our own measurements, in part.
    """
    share, seconds = rows.numbers("others_cpu_percent"), np.nan_to_num(rows.seconds)
    told = ~np.isnan(share) & (seconds != 0) & (np.nan_to_num(rows.numbers("neighbours")) == 0)
    hosts, names = _hosts(rows)
    used, all_ = (np.bincount(hosts[told], what[told], len(names)) for what in (share * seconds, seconds))
    return {names[host]: float(used[host] / all_[host]) for host in np.unique(hosts[told])}


def _hosts(rows: Measurements) -> tuple[Array, list[str]]:
    places, names = rows.texts("host")
    return np.where(places < 0, len(names), places), [*names, "None"]


def _clock(rows: Measurements) -> list[str]:
    """Times that were not taken, or that contradict each other."""
    told = rows.has("seconds") & ~rows.known("seconds")
    untimed = np.count_nonzero(told & (rows.truths("reused") != 1) & ~rows.censored)
    odd = np.count_nonzero((rows.first_seconds > rows.seconds) & (rows.seconds > 0))
    parted = _parted(rows)
    reasons = []
    if untimed:
        reasons.append(f"{untimed} of {len(rows)} measurements were not timed")
    if odd:
        part = rows.experiment.parts.name if rows.experiment.parts else "part"
        reasons.append(f"in {odd} of {len(rows)} measurements the first {part} took longer than all of them")
    if parted > CLOCK_SECONDS:
        reasons.append(f"a host's clock was set during the run, by {parted:,.1f} s: do not trust its times of day")
    return reasons


def _parted(rows: Measurements) -> float:
    """Seconds by which a host's time of day moved against its steady clock, the most of all hosts."""
    ahead = rows.numbers("started_at") - rows.numbers("started_ns") / 1e9
    known, (hosts, names) = ~np.isnan(ahead), _hosts(rows)
    low, high = grouped_quantiles(ahead[known], hosts[known], len(names), (0, 1))
    return float(np.nan_to_num(high - low).max())


def repetition_spread(rows: Measurements) -> float | None:
    """How far repetitions of the same cell disagree: the median over cells of the `spread` of their rates."""
    timed = rows.timed
    timed = timed.where(timed.known("repetition"))
    if not len(timed):
        return None
    spreads = spread(timed.rates, timed.cells, len(timed.cell_keys))
    return float(np.nanmedian(spreads)) if not np.isnan(spreads).all() else None


def spread(values: Array, groups: Array, count: int) -> Array:
    """Interquartile range as a share of the median, of each group; NaN below two values.

    Args:
        values: of shape (n,).
        groups: the group of each, from 0.
        count: how many groups there are.
    """
    low, middle, high = grouped_quantiles(values, groups, count, (0.25, 0.5, 0.75))
    enough = (np.bincount(groups, minlength=count) > 1) & (middle > 0)
    shares = np.full(count, np.nan)
    np.divide(high - low, middle, out=shares, where=enough)
    return shares


@dataclass(frozen=True)
class Drift:
    """How rates moved from the first repetition to the last: a share of them, and how probable by chance."""

    change: float
    chance: float

    @property
    def matters(self) -> bool:
        """Whether it is too large to be passed over, and too improbable to be chance."""
        return abs(self.change) > DRIFT and self.chance < DRIFT_CHANCE


def drift(measurements: Measurements) -> Drift | None:
    """Fit one slope to the repetitions of all cells, on the logarithm of the rates, each cell with a level of its own.

    Returns:
        The change from the first repetition to the last, and Student's two-sided probability of one as large by chance;
        None below three repetitions: two of them always lie on a line.
    """
    timed = measurements.timed
    timed = timed.where(~np.isnan(timed.numbers("repetition")))
    sizes = np.bincount(timed.cells)
    repeated = sizes[timed.cells] > 1
    if not repeated.any():
        return None
    x, y = (
        (values - (np.bincount(timed.cells, values) / sizes)[timed.cells])[repeated]
        for values in (timed.numbers("repetition"), np.log(timed.rates))
    )
    freedom = len(x) - np.count_nonzero(sizes > 1) - 1
    across = float((x * x).sum())
    if len(np.unique(x.round(6))) < 3 or freedom < 1 or not across:
        return None
    from scipy.special import stdtr  # scipy.stats takes a second to import

    slope = float((x * y).sum()) / across
    left = float(((y - slope * x) ** 2).sum())
    chance = 2 * float(stdtr(freedom, -abs(slope) / math.sqrt(left / freedom / across))) if left else 0.0
    return Drift(math.expm1(slope * float(np.ptp(x))), chance)


def outliers(measurements: Measurements) -> list[dict[str, Any]]:
    """Flag measurements far from the median of their cell; they stay in every number.

    The scale is the median deviation over all cells of the series, since one cell has too few repetitions to tell.

    Returns:
        For each its parameters and repetition, its rate and its cell's median rate, in unit/s.
    """
    timed, which = measurements.firsts.timed, measurements.experiment
    timed = timed.where(np.bincount(timed.cells)[timed.cells] > 2) if len(timed) else timed
    (middles,) = grouped_quantiles(timed.rates, timed.cells, len(timed.cell_keys), (0.5,))
    away = np.abs(np.log(timed.rates / middles[timed.cells]))
    counted = away > 0  # a residual of 0, as that of each cell's middle one, says nothing
    (scales,) = grouped_quantiles(away[counted], timed.series[counted], len(timed.series_names), (0.5,))
    far = (away > OUTLIER * np.nan_to_num(scales)[timed.series] / _NORMAL) & (away > _LEAST)
    names = (*which.categorical, *which.numeric, "repetition")
    return [
        {**{name: row.get(name) for name in names}, which.rate: float(rate), "cell_median": float(middle)}
        for row, rate, middle in zip(timed.where(far).rows(), timed.rates[far], middles[timed.cells][far], strict=True)
    ]
