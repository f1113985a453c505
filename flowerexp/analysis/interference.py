"""How much do measurements on one host slow each other down? Pairs of the same measurement, alone and overlapped."""

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

MeasuredRun = tuple["Config", Measurements]
"""A run's config and its measurements."""

FACTOR = "measure.concurrency"
"""The config key that says how many measurements may run on a host at once."""


@dataclass(frozen=True)
class Slowdown:
    """What contention costs a series.

    Attributes:
        series: its name.
        at_once: how many measurements were allowed on a host.
        ratio: seconds of a measurement that others overlapped over seconds of the same one alone; above 1, contention
            slows it.
        pairs: how many measurements were compared.
        measured: how many measurements the runs with that many allowed have; those that are not compared were not
            overlapped, or have no partner that was alone.
        neighbours: how many others overlapped a compared one, on average.
    """

    series: str
    at_once: int
    ratio: Interval
    pairs: int
    measured: int
    neighbours: float


def slowdowns(runs: Sequence[MeasuredRun], families: int = 1) -> list[Slowdown]:
    """Compare each measurement under contention with the same one alone.

    Only measurements that another one really overlapped are compared, and only with ones that none did: at the end of a
    run the last ones are alone, however many are allowed. The interval is Student's of the logarithm over pairs, or,
    where runs are repeated, over the repeats' means, whichever is wider: machines drift.

    Args:
        runs: each run's config and measurements.
        families: how many intervals hold together with 95 %.

    Returns:
        By series and number at once; nothing where no two runs differ in `FACTOR` alone.
    """
    pairs_of_runs: dict[tuple[str, int], list[_Pairs]] = {}
    for at_once, alone, contended in _partners(runs):
        alone_seconds, contended_seconds = _seconds(alone), _seconds(contended)
        for series in contended.series_names:
            of_series = contended_seconds[contended_seconds["series"] == series]
            pairs_of_runs.setdefault((series, at_once), []).append(_pairs(alone_seconds, of_series))
    return [
        _slowdown(series, at_once, pairs, families)
        for (series, at_once), pairs in sorted(pairs_of_runs.items())
        if any(len(each.contended) for each in pairs)
    ]


@dataclass(frozen=True)
class _Pairs:
    """The measurements of a series that two runs share: their seconds in each, and how many others overlapped each."""

    contended: Array
    alone: Array
    neighbours: Array
    measured: int


def _partners(runs: Sequence[MeasuredRun]) -> Iterator[tuple[int, Measurements, Measurements]]:
    """Each run that allows several measurements at once, with the run that allows one and differs in nothing else."""
    by_rest: dict[str, dict[int, Measurements]] = {}
    for config, measurements in runs:
        by_rest.setdefault(apart_from(config, FACTOR), {})[config.measure.concurrency] = measurements.firsts.finished
    for by_concurrency in by_rest.values():
        for at_once in sorted({*by_concurrency} - {1}) if 1 in by_concurrency else ():
            yield at_once, by_concurrency[1], by_concurrency[at_once]


def _seconds(measurements: Measurements) -> pd.DataFrame:
    """What identifies each measurement, its seconds, and how many others overlapped it."""
    names = (*measurements.experiment.numeric, "repetition")
    series = np.array(measurements.series_names, object)[measurements.series]
    columns = {name: measurements.numbers(name) for name in (*names, "seconds", "neighbours")}
    return pd.DataFrame({"series": series, **columns}).fillna({"neighbours": 0.0, "seconds": 0.0})


def _pairs(alone: pd.DataFrame, contended: pd.DataFrame) -> _Pairs:
    identity = [name for name in alone.columns if name not in ("seconds", "neighbours")]
    alone = alone[(alone["neighbours"] == 0) & (alone["seconds"] != 0)].drop_duplicates(identity, keep="last")
    overlapped = contended[(contended["neighbours"] != 0) & (contended["seconds"] != 0)]
    pairs = overlapped.merge(alone, on=identity, suffixes=("", "_alone"))
    seconds, alone_seconds, others = (pairs[name].to_numpy() for name in ("seconds", "seconds_alone", "neighbours"))
    return _Pairs(seconds, alone_seconds, others, len(contended))


def _slowdown(series: str, at_once: int, pairs_of_runs: Sequence[_Pairs], families: int) -> Slowdown:
    compared = [pairs for pairs in pairs_of_runs if len(pairs.contended)]
    contended, alone, neighbours = (
        np.concatenate([getattr(pairs, name) for pairs in compared]) for name in ("contended", "alone", "neighbours")
    )
    ratio = paired_ratio(contended, alone, families)
    if len(compared) > 1:
        means = np.array([paired_ratio(pairs.contended, pairs.alone).value for pairs in compared])
        between = paired_ratio(means, np.ones(len(means)), families)
        if between.low is not None and between.high is not None and (between.reach or 0) > (ratio.reach or 0):
            scale = ratio.value / between.value
            ratio = Interval(ratio.value, between.low * scale, between.high * scale)
    measured = sum(pairs.measured for pairs in compared)
    return Slowdown(series, at_once, ratio, len(contended), measured, float(neighbours.mean()))
