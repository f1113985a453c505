"""How much do measurements on one host disturb each other? The same ones alone and several at a time, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp.analysis.estimate import Interval, paired_ratio
from flowerexp.analysis.pairing import apart_from
from flowerexp.measurements import PARAMETERS, Row, first_executions, number

FACTOR = "grid.concurrency"
"""The config key that says how many measurements may run on a host at once."""


@dataclass(frozen=True)
class Slowdown:
    """What company costs a reader.

    Attributes:
        reader: its name.
        at_once: how many measurements were allowed on a host.
        ratio: seconds of a measurement in company over seconds of the same one alone; above 1, company slows it.
        pairs: how many measurements were compared.
        measured: how many were made with so many allowed; the others had no company, or no partner.
        neighbours: how many others overlapped a compared one, on average.
    """

    reader: str
    at_once: int
    ratio: Interval
    pairs: int
    measured: int
    neighbours: float


def slowdowns(runs: Sequence[tuple[Mapping[str, Any], Sequence[Row]]]) -> list[Slowdown]:
    """Compare each measurement in company with the same one alone.

    Only measurements that another one really overlapped are compared, and only with ones that none did: at the end of a
    run the last ones are alone, however many are allowed. The interval is Student's of the logarithm over pairs, or,
    where runs are repeated, over the repeats' means, whichever is wider: machines drift.

    Args:
        runs: each run's config and rows.

    Returns:
        By reader and number at once; nothing where no two runs differ in `FACTOR` alone.
    """
    found: dict[tuple[str, int], list[_Part]] = {}
    for at_once, alone, together in _partners(runs):
        for reader in dict.fromkeys(str(row.get("reader")) for row in together):
            own = [row for row in together if str(row.get("reader")) == reader]
            found.setdefault((reader, at_once), []).append(_part(alone, own))
    return [
        _slowdown(reader, at_once, parts)
        for (reader, at_once), parts in sorted(found.items())
        if any(part.together for part in parts)
    ]


@dataclass(frozen=True)
class _Part:
    """One pair of runs, of one reader: seconds of the same measurements, and the neighbours of those in company."""

    together: Sequence[float]
    alone: Sequence[float]
    neighbours: Sequence[float]
    measured: int


def _partners(runs: Sequence[tuple[Mapping[str, Any], Sequence[Row]]]) -> Iterator[tuple[int, list[Row], list[Row]]]:
    """Runs in company, each with the run alone that differs in nothing else."""
    by_rest: dict[str, dict[int, list[Row]]] = {}
    for config, rows in runs:
        at_once = int(config.get("grid", {}).get("concurrency") or 1)
        by_rest.setdefault(apart_from(config, FACTOR), {})[at_once] = first_executions(rows)
    for group in by_rest.values():
        for at_once in sorted({*group} - {1}) if 1 in group else ():
            yield at_once, group[1], group[at_once]


def _part(alone: Sequence[Row], together: Sequence[Row]) -> _Part:
    single = {_which(row): seconds for row in alone if not _company(row) and (seconds := number(row, "seconds"))}
    pairs = [
        (own, single[_which(row)], others)
        for row in together
        if (others := _company(row)) and (own := number(row, "seconds")) and _which(row) in single
    ]
    both, one, near = ([pair[place] for pair in pairs] for place in range(3))
    return _Part(both, one, near, len(together))


def _which(row: Row) -> tuple[Any, ...]:
    return str(row.get("reader")), *(number(row, name) for name in (*PARAMETERS, "repetition"))


def _company(row: Row) -> float:
    return number(row, "neighbours") or 0.0


def _slowdown(reader: str, at_once: int, parts: Sequence[_Part]) -> Slowdown:
    import numpy as np

    parts = [part for part in parts if part.together]
    together, alone, neighbours = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("together", "alone", "neighbours")
    )
    ratio = paired_ratio(together, alone)
    if len(parts) > 1:
        means = np.array([paired_ratio(np.array(part.together), np.array(part.alone)).value for part in parts])
        between = paired_ratio(means, np.ones(len(means)))
        if between.low is not None and between.high is not None and (between.reach or 0) > (ratio.reach or 0):
            scale = ratio.value / between.value
            ratio = Interval(ratio.value, between.low * scale, between.high * scale)
    measured = sum(part.measured for part in parts)
    return Slowdown(reader, at_once, ratio, len(together), measured, float(neighbours.mean()))
