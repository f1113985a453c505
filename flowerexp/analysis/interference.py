"""How much do measurements on one host disturb each other? The same ones alone and several at a time, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowerexp.analysis.estimate import Interval, paired_ratio
from flowerexp.analysis.pairing import apart_from
from flowerexp.measurements.table import Array, Measurements

if TYPE_CHECKING:
    from flowerexp.config import Config

Measured = tuple["Config", Measurements]
"""A run's config, and what it has measured."""

FACTOR = "measure.concurrency"
"""The config key that says how many measurements may run on a host at once."""


@dataclass(frozen=True)
class Slowdown:
    """What company costs a series.

    Attributes:
        series: its name.
        at_once: how many measurements were allowed on a host.
        ratio: seconds of a measurement in company over seconds of the same one alone; above 1, company slows it.
        pairs: how many measurements were compared.
        measured: how many were made with so many allowed; the others had no company, or no partner.
        neighbours: how many others overlapped a compared one, on average.
    """

    series: str
    at_once: int
    ratio: Interval
    pairs: int
    measured: int
    neighbours: float


def slowdowns(runs: Sequence[Measured]) -> list[Slowdown]:
    """Compare each measurement in company with the same one alone.

    Only measurements that another one really overlapped are compared, and only with ones that none did: at the end of a
    run the last ones are alone, however many are allowed. The interval is Student's of the logarithm over pairs, or,
    where runs are repeated, over the repeats' means, whichever is wider: machines drift.

    Args:
        runs: each run's config and measurements.

    Returns:
        By series and number at once; nothing where no two runs differ in `FACTOR` alone.
    """
    found: dict[tuple[str, int], list[_Part]] = {}
    for at_once, alone, together in _partners(runs):
        single, company = _seconds(alone), _seconds(together)
        for name in together.series_names:
            found.setdefault((name, at_once), []).append(_part(single, company[company["series"] == name]))
    return [
        _slowdown(series, at_once, parts)
        for (series, at_once), parts in sorted(found.items())
        if any(len(part.together) for part in parts)
    ]


@dataclass(frozen=True)
class _Part:
    """One pair of runs, of one series: seconds of the same measurements, and how many others overlapped each."""

    together: Array
    alone: Array
    neighbours: Array
    measured: int


def _partners(runs: Sequence[Measured]) -> Iterator[tuple[int, Measurements, Measurements]]:
    """Runs in company, each with the run alone that differs in nothing else."""
    by_rest: dict[str, dict[int, Measurements]] = {}
    for config, measurements in runs:
        by_rest.setdefault(apart_from(config, FACTOR), {})[config.measure.concurrency] = measurements.firsts.finished
    for group in by_rest.values():
        for at_once in sorted({*group} - {1}) if 1 in group else ():
            yield at_once, group[1], group[at_once]


def _seconds(measurements: Measurements) -> pd.DataFrame:
    """What tells measurements apart, their seconds, and how many others overlapped each."""
    names = (*measurements.experiment.numeric, "repetition")
    series = np.array(measurements.series_names, object)[measurements.series]
    columns = {name: measurements.numbers(name) for name in (*names, "seconds", "neighbours")}
    return pd.DataFrame({"series": series, **columns}).fillna({"neighbours": 0.0, "seconds": 0.0})


def _part(alone: pd.DataFrame, together: pd.DataFrame) -> _Part:
    which = [name for name in alone.columns if name not in ("seconds", "neighbours")]
    single = alone[(alone["neighbours"] == 0) & (alone["seconds"] != 0)].drop_duplicates(which, keep="last")
    company = together[(together["neighbours"] != 0) & (together["seconds"] != 0)]
    pairs = company.merge(single, on=which, suffixes=("", "_alone"))
    seconds, alone_seconds, others = (pairs[name].to_numpy() for name in ("seconds", "seconds_alone", "neighbours"))
    return _Part(seconds, alone_seconds, others, len(together))


def _slowdown(series: str, at_once: int, parts: Sequence[_Part]) -> Slowdown:
    parts = [part for part in parts if len(part.together)]
    together, alone, neighbours = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("together", "alone", "neighbours")
    )
    ratio = paired_ratio(together, alone)
    if len(parts) > 1:
        means = np.array([paired_ratio(part.together, part.alone).value for part in parts])
        between = paired_ratio(means, np.ones(len(means)))
        if between.low is not None and between.high is not None and (between.reach or 0) > (ratio.reach or 0):
            scale = ratio.value / between.value
            ratio = Interval(ratio.value, between.low * scale, between.high * scale)
    measured = sum(part.measured for part in parts)
    return Slowdown(series, at_once, ratio, len(together), measured, float(neighbours.mean()))
