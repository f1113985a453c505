"""Is a run faster than another one? Ratios of rates with a 95 % confidence interval, a series at a time.

Runs are compared on the series and cells that both have, and every rate is a sum of counts over a sum of seconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flowerexp.analysis import words
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.analysis.experiments import extras_of

if TYPE_CHECKING:
    from flowerexp.analysis.interval import Basis
    from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class Ratio:
    """The rates of a series on both sides, and their ratio with its interval; None if that is unknown."""

    series: str
    base: float  # unit/s
    other: float  # unit/s
    low: float | None
    high: float | None
    cells: int  # that both sides have
    basis: Basis | None  # the disagreement that the interval comes from

    @property
    def ratio(self) -> float:
        """Above 1, the other side is faster than the base."""
        return self.other / self.base

    @property
    def verdict(self) -> Literal["faster", "slower", "inconclusive"]:
        """The conclusion with 95 % confidence."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return "inconclusive"
        return "faster" if self.low > 1 else "slower"


def comparable(a: ComparedRun, b: ComparedRun) -> list[str]:
    """The reasons why the rates of two runs cannot be compared, in a few words each; none if they can.

    Clusters, caching, the values of categorical parameters and the way of measuring may differ: they are what is
    compared. The experiment with its settings, the data and the values of numeric parameters may not.
    """
    reasons = [f"{run.name} {problem}" for run in (a, b) if (problem := _unusable(run))]
    if reasons:
        return reasons
    if a.config.entrypoint.name != b.config.entrypoint.name:
        return [_differ("entrypoint", a.config.entrypoint.name, b.config.entrypoint.name)]
    of_each = [{str(key[0]) for key in _cells(run)} for run in (a, b)]
    series = set.intersection(*of_each)
    if not series:
        in_a, in_b = (", ".join(sorted(names)) for names in of_each)
        return [f"no {words.head(a.config.entrypoint)} in common ({_shown(in_a)} and {_shown(in_b)})"]
    reasons = [_differ(name, of_a, of_b) for name, of_a, of_b in _conditions(a, b, series) if of_a != of_b]
    if not reasons and not _cells(a) & _cells(b):
        reasons = ["they have no cell in common"]
    return reasons


def _unusable(run: ComparedRun) -> str | None:
    if run.error:
        return f"failed: {run.error}"
    if not len(run.measurements):
        return "has no measurements"
    return None if _cells(run) else f"has no measured {run.measurements.experiment.unit}/s"


def _differ(what: str, of_a: object, of_b: object) -> str:
    return f"different {what} ({_shown(of_a)} and {_shown(of_b)})"


def _shown(value: object) -> str:
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _conditions(a: ComparedRun, b: ComparedRun, series: set[str]) -> Iterator[tuple[str, Any, Any]]:
    """What must be equal, with its value in each run."""
    experiment = a.config.entrypoint
    extras = extras_of(experiment)
    yield from extras.conditions(a, b, series)
    free = extras.may_differ(a, b, series)
    if "dataset" in experiment.uses and "data" not in free:
        yield "data", _data(a), _data(b)
    of_a, of_b = _fixed(a), _fixed(b)
    for key in dict.fromkeys([*of_a, *of_b]):
        if key not in free:
            yield key, of_a.get(key), of_b.get(key)


def _fixed(run: ComparedRun) -> dict[str, Any]:
    """The values of a config that must be equal, by key: numeric parameters, settings, and how data is prepared."""
    config, experiment = run.config, run.config.entrypoint
    values: dict[str, Any] = {"entrypoint.unit": experiment.unit}
    values |= {f"grid.{name}": sorted(config.grid[name]) for name in experiment.numeric if name in config.grid}
    values |= {f"entrypoint.settings.{key}": value for key, value in experiment.settings.items()}
    prepared = vars(config.preprocess) if config.preprocess else {}
    return values | {f"preprocess.{key}": value for key, value in prepared.items()}


def _data(run: ComparedRun) -> str:
    """The data's fingerprint; if the data was not listed, its config."""
    fingerprint = run.facts.get("data_fingerprint")
    if fingerprint:
        return str(fingerprint)
    dataset = vars(run.config.dataset) if run.config.dataset else {}
    plain = {key: value for key, value in dataset.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{key}={value}" for key, value in plain.items())


def ratios(base: Sequence[ComparedRun], other: Sequence[ComparedRun]) -> list[Ratio]:
    """Compare two sides, a series at a time.

    Args:
        base: the run to compare with, or several that repeat it.
        other: the run that is compared, or several that repeat it.

    Returns:
        A ratio for each series that all runs have, sorted by name.
    """
    common = set.intersection(*(_cells(run) for run in (*base, *other)))
    compared = []
    for name in sorted({key[0] for key in common}):
        cells = {key for key in common if key[0] == name}
        compared.append(_ratio(name, *([_part(run, cells) for run in side] for side in (base, other))))
    return compared


def rates(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """Unit/s of each series over all measurements of a side."""
    from flowerexp.analysis.interval import rate_over

    groups = [_timed(run).by_series for run in runs]
    names = dict.fromkeys(name for each in groups for name in each)
    return {name: rate_over([each[name] for each in groups if name in each]) for name in names}


def _timed(run: ComparedRun) -> Measurements:
    return run.measurements.firsts.timed


def _cells(run: ComparedRun) -> set[tuple[Any, ...]]:
    """The series and cells whose first executions were timed.

    Without cells in which some were stopped: only the fast measurements of such a cell are left.
    """
    first = run.measurements.firsts
    return {*_timed(run).cell_keys} - {*first.where(first.censored).cell_keys}


def _part(run: ComparedRun, cells: set[tuple[Any, ...]]) -> Measurements:
    """A run's measurements in some cells."""
    import numpy as np

    timed = _timed(run)
    return timed.where(np.array([key in cells for key in timed.cell_keys])[timed.cells])


def _ratio(name: str, base: list[Measurements], other: list[Measurements]) -> Ratio:
    from flowerexp.analysis.interval import interval, rate_over

    ends, basis = interval(base, other)
    low, high = ends or (None, None)
    return Ratio(name, rate_over(base), rate_over(other), low, high, len(base[0].cell_keys), basis)


def wall_times(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """Seconds that a side took, averaged over its runs: in total, and for measuring; unknown ones are left out."""
    times = {
        "total": [math.fsum(seconds for name, seconds in run.phases.items() if "." not in name) for run in runs],
        "measure": [run.phases.get("measure", 0.0) for run in runs],
    }
    return {name: statistics.fmean(seconds) for name, seconds in times.items() if all(seconds)}


def same_work(a: ComparedRun, b: ComparedRun) -> bool:
    """Whether two runs counted the same number in the same series; otherwise wall times cannot be compared."""
    of_a, of_b = ({name: group.counts.sum() for name, group in _timed(run).by_series.items()} for run in (a, b))
    return of_a == of_b
