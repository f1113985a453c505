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
    """How one series did: unit/s of both sides, and their ratio with its interval; None where it is not known."""

    series: str
    base: float  # unit/s
    other: float  # unit/s
    low: float | None
    high: float | None
    cells: int  # that both sides have
    basis: Basis | None  # whose disagreement the interval comes from

    @property
    def ratio(self) -> float:
        """Above 1, the other side is faster than the base."""
        return self.other / self.base

    @property
    def verdict(self) -> Literal["faster", "slower", "inconclusive"]:
        """What can be said with 95 % confidence."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return "inconclusive"
        return "faster" if self.low > 1 else "slower"


def comparable(a: ComparedRun, b: ComparedRun) -> list[str]:
    """Why two runs' rates cannot be compared, a few words a reason; nothing where they can.

    Clusters, caching, the values of categorical parameters and how things are measured may differ: they are what one
    compares. The experiment with its settings, the data and the values of numeric parameters may not.
    """
    reasons = [f"{run.name} {problem}" for run in (a, b) if (problem := _unusable(run))]
    if reasons:
        return reasons
    if a.config.entrypoint.name != b.config.entrypoint.name:
        return [_differ("entrypoint", a.config.entrypoint.name, b.config.entrypoint.name)]
    of_each = [{str(key[0]) for key in _cells(run)} for run in (a, b)]
    series = set.intersection(*of_each)
    if not series:
        one, other = (", ".join(sorted(names)) for names in of_each)
        return [f"no {words.head(a.config.entrypoint)} in common ({_shown(one)} and {_shown(other)})"]
    reasons = [_differ(name, one, two) for name, one, two in _conditions(a, b, series) if one != two]
    if not reasons and not _cells(a) & _cells(b):
        reasons = ["they have no cell in common"]
    return reasons


def _unusable(run: ComparedRun) -> str | None:
    if run.error:
        return f"failed: {run.error}"
    if not len(run.measurements):
        return "has no measurements"
    return None if _cells(run) else f"has no measured {run.measurements.experiment.unit}/s"


def _differ(what: str, one: object, two: object) -> str:
    return f"different {what} ({_shown(one)} and {_shown(two)})"


def _shown(value: object) -> str:
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _conditions(a: ComparedRun, b: ComparedRun, series: set[str]) -> Iterator[tuple[str, Any, Any]]:
    """What must be equal, with its value in each run."""
    which = a.config.entrypoint
    extras = extras_of(which)
    yield from extras.conditions(a, b, series)
    free = extras.may_differ(a, b, series)
    if "dataset" in which.uses and "data" not in free:
        yield "data", _data(a), _data(b)
    one, other = _fixed(a), _fixed(b)
    for key in dict.fromkeys([*one, *other]):
        if key not in free:
            yield key, one.get(key), other.get(key)


def _fixed(run: ComparedRun) -> dict[str, Any]:
    """What a config says about what is measured, by its key: numeric parameters, settings, and what is made of data."""
    config, which = run.config, run.config.entrypoint
    found: dict[str, Any] = {"entrypoint.unit": which.unit}
    found |= {f"grid.{name}": sorted(config.grid[name]) for name in which.numeric if name in config.grid}
    found |= {f"entrypoint.settings.{key}": value for key, value in which.settings.items()}
    prepared = vars(config.preprocess) if config.preprocess else {}
    return found | {f"preprocess.{key}": value for key, value in prepared.items()}


def _data(run: ComparedRun) -> str:
    """The data's fingerprint; where nothing was listed, what the config says about the data."""
    found = run.facts.get("data_fingerprint")
    if found:
        return str(found)
    said = vars(run.config.dataset) if run.config.dataset else {}
    plain = {key: value for key, value in said.items() if isinstance(value, str | int | float)}
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
    found = []
    for name in sorted({key[0] for key in common}):
        cells = {key for key in common if key[0] == name}
        found.append(_ratio(name, *([_part(run, cells) for run in side] for side in (base, other))))
    return found


def rates(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """Unit/s of each series over all that a side has measured."""
    from flowerexp.analysis.interval import rate_over

    groups = [_timed(run).by_series for run in runs]
    names = dict.fromkeys(name for each in groups for name in each)
    return {name: rate_over([each[name] for each in groups if name in each]) for name in names}


def _timed(run: ComparedRun) -> Measurements:
    return run.measurements.firsts.timed


def _cells(run: ComparedRun) -> set[tuple[Any, ...]]:
    """The series and cells whose first executions were timed.

    Not those of which some were stopped: what is left of such a cell is what was fast of it.
    """
    first = run.measurements.firsts
    return {*_timed(run).cell_keys} - {*first.where(first.censored).cell_keys}


def _part(run: ComparedRun, cells: set[tuple[Any, ...]]) -> Measurements:
    """What a run has measured in some cells."""
    import numpy as np

    timed = _timed(run)
    return timed.where(np.array([key in cells for key in timed.cell_keys])[timed.cells])


def _ratio(name: str, base: list[Measurements], other: list[Measurements]) -> Ratio:
    from flowerexp.analysis.interval import interval, rate_over

    ends, basis = interval(base, other)
    low, high = ends or (None, None)
    return Ratio(name, rate_over(base), rate_over(other), low, high, len(base[0].cell_keys), basis)


def wall_times(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """Seconds that a side took, averaged over its runs: in all, and for measuring; what is not known is left out."""
    found = {
        "total": [math.fsum(seconds for name, seconds in run.phases.items() if "." not in name) for run in runs],
        "measure": [run.phases.get("measure", 0.0) for run in runs],
    }
    return {name: statistics.fmean(seconds) for name, seconds in found.items() if all(seconds)}


def same_work(a: ComparedRun, b: ComparedRun) -> bool:
    """Have two runs counted equally many in the same series? Else their wall times cannot be compared."""
    one, two = ({name: group.counts.sum() for name, group in _timed(run).by_series.items()} for run in (a, b))
    return one == two
