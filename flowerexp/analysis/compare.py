"""Is a run faster than another one? Ratios of rates with a 95 % confidence interval, a series at a time.

Runs are compared on the series and cells that both have, and every rate is a sum of counts over a sum of seconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowerexp.workload.readers import IMAGE_FILES, TFRECORDS, data_of

if TYPE_CHECKING:
    from flowerexp.analysis.interval import Basis
    from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class Measured:
    """What is known of a run that is to be compared.

    Attributes:
        name: what to call it in messages.
        config: its config.
        measurements: all of them.
        facts: what it ran on and with what data, such as ``data_fingerprint``.
        phases: seconds a phase.
        error: why it failed, or None.
    """

    name: str
    config: Mapping[str, Any]
    measurements: Measurements
    facts: Mapping[str, Any] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


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


def comparable(a: Measured, b: Measured) -> list[str]:
    """Why two runs' rates cannot be compared, a few words a reason; nothing where they can.

    Clusters, caching, partitions, readers, repetitions and the state of the page cache may differ: they are what one
    compares. Data, cells and images may not.
    """
    reasons = [f"{run.name} {problem}" for run in (a, b) if (problem := _unusable(run))]
    if reasons:
        return reasons
    if a.config["entrypoint"]["name"] != b.config["entrypoint"]["name"]:
        return [_differ("entrypoint", a.config["entrypoint"]["name"], b.config["entrypoint"]["name"])]
    readers = {str(key[0]) for key in _cells(a)} & {str(key[0]) for key in _cells(b)}
    if not readers:
        return [_differ("readers, none in common", *(", ".join(sorted({k[0] for k in _cells(x)})) for x in (a, b)))]
    reasons = [_differ(name, one, two) for name, one, two in _conditions(a, b, readers) if one != two]
    if not reasons and not _cells(a) & _cells(b):
        reasons = ["they have no cell in common"]
    return reasons


def _unusable(run: Measured) -> str | None:
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


def _conditions(a: Measured, b: Measured, readers: set[str]) -> Iterator[tuple[str, Any, Any]]:
    """What must be equal, with its value in each run."""
    read = set(map(data_of, readers))
    existing = a.config["dataset"].get("tfrecords"), b.config["dataset"].get("tfrecords")
    if read != {IMAGE_FILES}:
        yield "TFRecord files", existing[0], existing[1]
    if read == {TFRECORDS} and all(existing):
        yield "number of images", a.facts.get("prepared_images"), b.facts.get("prepared_images")
    else:
        yield "data", _data(a), _data(b)
    for key in a.measurements.experiment.numeric if a.config["entrypoint"]["name"] == "read_speed" else ():
        yield f"grid.{key}", sorted(a.config["grid"][key]), sorted(b.config["grid"][key])
    for key in ("target_size", *(("quality", "exact") if read != {IMAGE_FILES} else ())):
        yield f"preprocess.{key}", _plain(a.config["preprocess"][key]), _plain(b.config["preprocess"][key])
    yield "preprocess.orientation", *(one.config["preprocess"].get("orientation", "stored") for one in (a, b))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _data(run: Measured) -> str:
    """The data's fingerprint; where nothing was listed, what the config says about the data."""
    found = run.facts.get("data_fingerprint")
    if found:
        return str(found)
    return ", ".join(f"{key}={value}" for key, value in run.config["dataset"].items() if value is not None)


def ratios(base: Sequence[Measured], other: Sequence[Measured]) -> list[Ratio]:
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


def rates(runs: Sequence[Measured]) -> dict[str, float]:
    """Unit/s of each series over all that a side has measured."""
    from flowerexp.analysis.interval import rate_over

    groups = [_timed(run).groups for run in runs]
    names = dict.fromkeys(name for each in groups for name in each)
    return {name: rate_over([each[name] for each in groups if name in each]) for name in names}


def _timed(run: Measured) -> Measurements:
    return run.measurements.firsts.timed


def _cells(run: Measured) -> set[tuple[Any, ...]]:
    """The series and cells whose first executions were timed."""
    return {*_timed(run).cell_keys}


def _part(run: Measured, cells: set[tuple[Any, ...]]) -> Measurements:
    """What a run has measured in some cells."""
    import numpy as np

    timed = _timed(run)
    return timed.where(np.array([key in cells for key in timed.cell_keys])[timed.cells])


def _ratio(name: str, base: list[Measurements], other: list[Measurements]) -> Ratio:
    from flowerexp.analysis.interval import interval, rate_over

    ends, basis = interval(base, other)
    low, high = ends or (None, None)
    return Ratio(name, rate_over(base), rate_over(other), low, high, len(base[0].cell_keys), basis)


def wall_times(runs: Sequence[Measured]) -> dict[str, float]:
    """Seconds that a side took, averaged over its runs: in all, and for measuring; what is not known is left out."""
    found = {
        "total": [math.fsum(seconds for name, seconds in run.phases.items() if "." not in name) for run in runs],
        "measure": [run.phases.get("measure", 0.0) for run in runs],
    }
    return {name: statistics.fmean(seconds) for name, seconds in found.items() if all(seconds)}


def same_work(a: Measured, b: Measured) -> bool:
    """Have two runs counted equally many in the same series? Else their wall times cannot be compared."""
    one, two = ({name: group.counts.sum() for name, group in _timed(run).groups.items()} for run in (a, b))
    return one == two
