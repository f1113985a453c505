"""Can a run's measurements be believed? Valid, suspect or invalid, with a sentence for each reason.

A column that rows lack does not make a run suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from flowerexp.analysis.estimate import grouped_quantiles
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.probe import doubt, host_speed
from flowerexp.analysis.repetitions import drift, repetition_spread
from flowerexp.measurements.table import Array, Measurements

WIDE_SPREAD = 0.25
"""Repetitions with a larger interquartile range than this share of their median disagree too much."""

OTHERS_CPU = 20.0
"""Percent of a host's CPU: other processes that used more during the measurements disturbed them.

The launcher and Spark's JVM count as well; in runs of a second they may use as much.
"""

BUSY_SHARE, BUSY_LOAD = 0.75, 2.0
"""The load average before a measurement above which others were at work: for each core, or if cores are not known.

Used only for rows that do not say what other processes used: a load average lags by a minute, and includes the run's
own earlier work.
"""

MOST_NAMED = 5
"""Cells that a reason names; further ones are counted."""

CLOCK_SECONDS = 1.0
"""A host's time of day and its steady clock may drift apart by this much in a run; if by more, the clock was set."""


@dataclass(frozen=True)
class Verdict:
    """Whether a run's measurements can be believed, and why not: a sentence for each reason."""

    state: Literal["valid", "suspect", "invalid"]
    reasons: tuple[str, ...] = ()


def judge(measurements: Measurements) -> Verdict:
    """Judge a run: failed measurements make it invalid, doubtful ones suspect."""
    if not len(measurements):
        return Verdict("invalid", ("the run has no measurements",))
    first = measurements.firsts
    failures = _failures(measurements)
    doubts = [*_lacking(first), *_stopped(first), *_disagreement(first), *_warmth(first), *_contention(first)]
    doubts += [*extras_of(measurements.experiment).doubts(first), *_clock(first)]
    return Verdict("invalid" if failures else "suspect" if doubts else "valid", (*failures, *doubts))


def _failures(rows: Measurements) -> list[str]:
    unit = rows.experiment.unit
    empty = np.count_nonzero(rows.known(rows.experiment.count) & ~(rows.counts > 0))
    timeless = np.count_nonzero(rows.known("seconds") & ~(rows.seconds > 0))
    reasons = []
    if not len(rows.firsts):
        reasons.append(f"no first executions among the {len(rows)} measurements")
    if empty:
        reasons.append(f"{empty} of {len(rows)} measurements have no {unit}")
    if timeless:
        reasons.append(f"{timeless} of {len(rows)} measurements took no time: the clock cannot be trusted")
    return reasons


def _stopped(rows: Measurements) -> list[str]:
    """Measurements that were stopped at their time limit, and the cells in which all were.

    They make a run suspect, because only the fastest measurements of their cells have rates. They do not make it
    invalid: that a cell takes longer than the limit is a result.
    """
    if not rows.censored.any():
        return []
    cells = len(rows.cell_keys)
    stopped = np.bincount(rows.cells[rows.censored], minlength=cells)
    unfinished = np.flatnonzero(stopped == np.bincount(rows.cells))
    count = np.count_nonzero(rows.censored)
    reached = f"{count} of {len(rows)} measurements reached measure.max_seconds and were stopped"
    if not len(unfinished):
        return [f"{reached}: rates are those of the others"]
    named = [_cell(rows, rows.cell_keys[place]) for place in unfinished[:MOST_NAMED]]
    more = f" and {len(unfinished) - len(named)} more" if len(unfinished) > len(named) else ""
    return [f"{reached}; no measurement finished in {'; '.join(named)}{more}"]


def _cell(rows: Measurements, key: tuple[Any, ...]) -> str:
    """A cell in words: its series, and its numeric parameters."""
    series, *values = key
    return " ".join([series, *(f"{name}={value}" for name, value in zip(rows.experiment.numeric, values, strict=True))])


def _lacking(rows: Measurements) -> list[str]:
    """Measurements of a smaller cluster than the run's config has."""
    lacking = np.nan_to_num(rows.numbers("executors_lacking"))
    if not lacking.any():
        return []
    count, most = np.count_nonzero(lacking), int(lacking.max())
    fewer = f"{most} executor{'s' if most > 1 else ''} fewer than the cluster should have"
    return [f"{count} of {len(rows)} measurements were made with {'up to ' if most > 1 else ''}{fewer}"]


def _disagreement(rows: Measurements) -> list[str]:
    """Repetitions that differ too much, by chance or because rates drift."""
    reasons = []
    spread = repetition_spread(rows) or 0.0
    if spread > WIDE_SPREAD:
        reasons.append(
            f"repetitions of a cell disagree: the middle half of their rates spans {spread:.0%} of the median"
        )
    moved = drift(rows)
    if moved and moved.matters:
        slower = "slower" if moved.change < 0 else "faster"
        cause = doubt(host_speed(rows))  # was it the machine?
        drifted = f"no steady state: the last repetition is {abs(moved.change):.0%} {slower} than the first"
        reasons.append(f"{drifted}; {cause}" if cause else drifted)
    return reasons


def _warmth(rows: Measurements) -> list[str]:
    """Processes that were still getting faster when they had to start measuring."""
    steady = rows.truths("warm_up_steady")
    cold, known = np.count_nonzero(steady == 0), np.count_nonzero(steady >= 0)
    by = f"{cold} of {known} measurements were made by processes"
    return [f"{by} that were still getting faster when their warm-up ended"] if cold else []


def _contention(rows: Measurements) -> list[str]:
    """Other measurements and other processes that used the host at the same time."""
    neighbours, load, cores = (rows.numbers(name) for name in ("neighbours", "load_before", "host_cores"))
    judged = ~np.isnan(load) & ~rows.has("others_cpu_percent")
    busy = judged & (load > np.where(np.nan_to_num(cores), cores * BUSY_SHARE, BUSY_LOAD))
    reasons = []
    if (neighbours > 0).any():
        most = f"at most {np.nanmax(neighbours):g} each"
        overlapped = np.count_nonzero(neighbours > 0)
        reasons.append(f"{overlapped} of {len(rows)} measurements overlapped others on their host, {most}")
    if busy.any():
        most = f"the load average before them was up to {load[busy].max():.1f}"
        hosts = f"the host of {np.count_nonzero(busy)} of {np.count_nonzero(judged)} measurements"
        reasons.append(f"other processes were at work on {hosts}: {most}")
    others = {host: share for host, share in others_cpu(rows).items() if share > OTHERS_CPU}
    if others:
        most = f"{max(others.values()):.0f}% of the CPU of {max(others, key=lambda host: others[host])}"
        again = len(others) - 1
        more = f", and over {OTHERS_CPU:.0f}% on {again} other host{'s' if again > 1 else ''}" if again else ""
        reasons.append(f"other processes, including flowerexp and Spark, used {most} during the measurements{more}")
    return reasons


def others_cpu(rows: Measurements) -> dict[str, float]:
    """Percent of each host's CPU that other processes used during the measurements, sum over sum.

    Measurements that overlapped are left out: part of what others used then is the other measurements.
    """
    share, seconds = rows.numbers("others_cpu_percent"), np.nan_to_num(rows.seconds)
    alone = ~np.isnan(share) & (seconds != 0) & (np.nan_to_num(rows.numbers("neighbours")) == 0)
    hosts, names = _hosts(rows)
    used, total = (np.bincount(hosts[alone], values[alone]) for values in (share * seconds, seconds))
    return {names[host]: float(used[host] / total[host]) for host in np.unique(hosts[alone])}


def _hosts(rows: Measurements) -> tuple[Array, list[str]]:
    places, names = rows.texts("host")
    return np.where(places < 0, len(names), places), [*names, "an unknown host"]


def _clock(rows: Measurements) -> list[str]:
    """Times that were not taken, or that contradict each other."""
    empty = rows.has("seconds") & ~rows.known("seconds")
    untimed = np.count_nonzero(empty & (rows.truths("reused") != 1) & ~rows.censored)
    odd = np.count_nonzero((rows.first_seconds > rows.seconds) & (rows.seconds > 0))
    moved = _clock_moved(rows)
    reasons = []
    if untimed:
        reasons.append(f"{untimed} of {len(rows)} measurements were not timed")
    if odd and (parts := rows.experiment.parts):
        reasons.append(f"in {odd} of {len(rows)} measurements the first {parts.name} took longer than all of them")
    if moved > CLOCK_SECONDS:
        reasons.append(f"a host's clock was set during the run, by {moved:,.1f} s: do not trust its times of day")
    return reasons


def _clock_moved(rows: Measurements) -> float:
    """Seconds by which a host's time of day moved against its steady clock; the largest of all hosts."""
    ahead = rows.numbers("started_at") - rows.numbers("started_ns") / 1e9
    known, (hosts, names) = ~np.isnan(ahead), _hosts(rows)
    low, high = grouped_quantiles(ahead[known], hosts[known], len(names), (0, 1))
    return float(np.nan_to_num(high - low).max())
