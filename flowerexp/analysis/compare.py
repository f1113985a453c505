"""Is a run faster than another one? Ratios of images/s with a 95 % confidence interval, a reader at a time.

Runs are compared on the readers and cells that both have, and every rate is a sum of images over a sum of seconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flowerexp.analysis.interval import Basis, Cells, interval
from flowerexp.measurements import PARAMETERS, Row, by_cell, first_executions, number, rate, total_rate
from flowerexp.workload.readers import IMAGE_FILES, TFRECORDS, data_of


@dataclass(frozen=True)
class Measured:
    """What is known of a run that is to be compared.

    Attributes:
        name: what to call it in messages.
        config: its config.
        rows: all its rows.
        facts: what it ran on and with what data, such as ``data_fingerprint``.
        phases: seconds a phase.
        error: why it failed, or None.
    """

    name: str
    config: Mapping[str, Any]
    rows: Sequence[Row]
    facts: Mapping[str, Any] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Ratio:
    """How one reader did: images/s of both sides, and their ratio with its interval; None where it is not known."""

    reader: str
    base: float  # images/s
    other: float  # images/s
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
    if not reasons and not _cells(a).keys() & _cells(b).keys():
        reasons = ["they have no cell in common"]
    return reasons


def _unusable(run: Measured) -> str | None:
    if run.error:
        return f"failed: {run.error}"
    if not run.rows:
        return "has no measurements"
    return None if _cells(run) else "has no measured images/s"


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
    for key in PARAMETERS if a.config["entrypoint"]["name"] == "read_speed" else ():
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
    """Compare two sides, a reader at a time.

    Args:
        base: the run to compare with, or several that repeat it.
        other: the run that is compared, or several that repeat it.

    Returns:
        A ratio for each reader that all runs have, sorted by reader.
    """
    left, right = [_cells(run) for run in base], [_cells(run) for run in other]
    common = set.intersection(*(set(cells) for cells in (*left, *right)))
    return [
        _ratio(reader, *([_of_reader(cells, common, reader) for cells in side] for side in (left, right)))
        for reader in sorted({key[0] for key in common})
    ]


def rates(runs: Sequence[Measured]) -> dict[str, float]:
    """Images/s of each reader over all that a side has measured."""
    rows: dict[str, list[Row]] = {}
    for run in runs:
        for key, cell in _cells(run).items():
            rows.setdefault(str(key[0]), []).extend(cell)
    return {reader: total_rate(each) or 0.0 for reader, each in rows.items()}


def _cells(run: Measured) -> Cells:
    """The timed first executions, by reader and cell; rows that name no reader go by the entrypoint's name."""
    name = run.config["entrypoint"]["name"]
    timed = [row for row in first_executions(run.rows) if rate(row)]
    return {(name if key[0] == "None" else key[0], *key[1:]): rows for key, rows in by_cell(timed).items()}


def _of_reader(cells: Cells, common: set[tuple[Any, ...]], reader: str) -> Cells:
    keys = sorted((key for key in common if key[0] == reader), key=repr)  # a parameter may be None
    return {key: cells[key] for key in keys}


def _ratio(reader: str, base: list[Cells], other: list[Cells]) -> Ratio:
    one, two = (
        total_rate(row for run in side for rows in run.values() for row in rows) or 0.0 for side in (base, other)
    )
    ends, basis = interval(base, other)
    low, high = ends or (None, None)
    return Ratio(reader, one, two, low, high, len(base[0]), basis)


def wall_times(runs: Sequence[Measured]) -> dict[str, float]:
    """Seconds that a side took, averaged over its runs: in all, and for measuring; what is not known is left out."""
    found = {
        "total": [math.fsum(seconds for name, seconds in run.phases.items() if "." not in name) for run in runs],
        "measure": [run.phases.get("measure", 0.0) for run in runs],
    }
    return {name: statistics.fmean(seconds) for name, seconds in found.items() if all(seconds)}


def same_work(a: Measured, b: Measured) -> bool:
    """Have two runs read equally many images with the same readers? Else their wall times cannot be compared."""
    one, two = ({key[0]: 0.0 for key in _cells(run)} for run in (a, b))
    for run, images in ((a, one), (b, two)):
        for key, rows in _cells(run).items():
            images[key[0]] += math.fsum(number(row, "images") or 0 for row in rows)
    return one == two
