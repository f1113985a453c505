"""What rows say of accelerators that were fed: how busy they were, what limits them, and what follows from that.

The formulas are in docs/reading-speed.md, with MLPerf Storage's definition of accelerator utilisation beside ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from flowerexp.analysis import words
from flowerexp.analysis.estimate import Interval, stratified_rate
from flowerexp.analysis.experiments.read_speed.readers import IMAGE_FILES, data_of
from flowerexp.experiment import Experiment
from flowerexp.measurements.table import Measurements

GOAL = 0.9
"""The utilisation that MLPerf Storage asks for, of ResNet-50 and 3D U-Net."""
FULL = 0.8
"""A reader that used this share of its host's vCPUs is limited by them: the rest goes to the system and to waiting."""

ACCELERATOR, NONE = "accelerator", "none"
_BUSY, _WINDOW, _CPU = "accelerator_busy_seconds", "accelerator_window_seconds", "cpu_seconds"
COLUMNS = (_BUSY, _WINDOW, _CPU, "host_cores", "waiting_seconds_per_batch", "execution", "repetition", "censored")
"""The columns that are needed beside those that say how much was read, and in which time."""

Limit = Literal["accelerator", "reader", "open"]


@dataclass(frozen=True)
class Fed:
    """An accelerator that one reader has fed.

    Attributes:
        reader: the name of the reader's series without the accelerator.
        accelerator: its name.
        setting: what distinguishes the run from others of its sweep.
        utilisation: the share of the time that it was busy, after the first batch.
        rate: images/s that it was given, after the first batch.
        capacity: images/s that it takes if it never waits.
        waiting: seconds for each batch, on average.
        cpu: CPU seconds of the reader for an image; None where that is not known.
        cpu_share: the share of the host's vCPUs that the reader used.
        cores: the host's vCPUs.
        alone: images/s of the same reader without an accelerator; None if that was not measured.
    """

    reader: str
    accelerator: str
    setting: str
    utilisation: Interval
    rate: Interval
    capacity: float
    waiting: float
    cpu: float | None = None
    cpu_share: float | None = None
    cores: float | None = None
    alone: Interval | None = None

    @property
    def limit(self) -> Limit:
        """What keeps it from being busier: the reader if it is certainly below `GOAL`, itself if certainly not."""
        low, value, high = self.utilisation.low, self.utilisation.value, self.utilisation.high
        if (value if high is None else high) < GOAL:
            return "reader"
        return "accelerator" if (value if low is None else low) >= GOAL else "open"

    @property
    def needs_vcpus(self) -> float | None:
        """The vCPUs that keep it busy to `GOAL`: the CPU seconds of as many images as it takes in a second."""
        return None if self.cpu is None else GOAL * self.capacity * self.cpu

    @property
    def is_full(self) -> bool:
        """Did the reader use all vCPUs, so that more of them would make it faster?"""
        return self.cpu_share is not None and self.cpu_share >= FULL

    @property
    def node_feeds(self) -> float | None:
        """How many of these accelerators the reader could keep busy; None where its own rate was not reached."""
        if self.alone is not None:
            return self.alone.value / self.capacity
        return self.rate.value / self.capacity if self.limit == "reader" else None

    def epoch_dollars(self, images: float, usd_hour: float) -> tuple[float, float]:
        """What the accelerator costs in an epoch, and the part of that in which it is idle.

        Args:
            images: of an epoch.
            usd_hour: its price.
        """
        dollars = images / self.rate.value / 3600 * usd_hour
        return dollars, dollars * (1 - self.utilisation.value)


def epochs_until_paid(fed: Fed, others: Sequence[Fed], images: float, preparing: float) -> int | None:
    """After how many epochs preparing has paid for itself: its seconds over those that an epoch takes less.

    Args:
        fed: by a reader of prepared data.
        others: all that were fed in the same run.
        images: of an epoch.
        preparing: the seconds that preparing takes.

    Returns:
        None if it was not fed certainly faster than by the fastest reader of photographs, or there is none.
    """
    rivals = [other for other in others if other.accelerator == fed.accelerator and _data(other.reader) == IMAGE_FILES]
    if _data(fed.reader) == IMAGE_FILES or not rivals:
        return None
    best = max(rivals, key=lambda other: other.rate.value)
    if None in (fed.rate.low, best.rate.high) or (fed.rate.low or 0.0) <= (best.rate.high or math.inf):
        return None
    return math.ceil(preparing / (images / best.rate.value - images / fed.rate.value))


def _data(series: str) -> str:
    return data_of(series.partition(" ")[0])


def fed_in(rows: Sequence[Measurements], setting: str, facts: Mapping[str, Any]) -> list[Fed]:
    """All accelerators that were fed in runs of one setting.

    Args:
        rows: of each run.
        setting: what distinguishes these runs from others of their sweep.
        facts: of one of them, which say how fast accelerators are.
    """
    by_series: dict[str, list[Measurements]] = {}
    for table in rows:
        for name, part in table.firsts.finished.by_series.items():
            by_series.setdefault(name, []).append(part)
    alone = {name: _pooled(parts, "steady") for name, parts in by_series.items()}
    return [
        replace(fed, setting=setting, alone=alone.get(fed.reader))
        for name, parts in by_series.items()
        for fed in _fed(name, parts, facts)
    ]


def _fed(series: str, parts: Sequence[Measurements], facts: Mapping[str, Any]) -> Iterator[Fed]:
    accelerator = words.values(parts[0].experiment, series).get(ACCELERATOR, NONE)
    capacity = facts.get(f"accelerator/{accelerator}_images_s")
    parts = [part.where(part.numbers(_WINDOW) > 0) for part in parts]
    utilisation, rate = _pooled(parts, "busy"), _pooled(parts, "fed")
    if accelerator == NONE or not capacity or utilisation is None or rate is None:
        return
    sums = {name: sum(np.nansum(part.numbers(name)) for part in parts) for name in (_CPU, "waiting_seconds_per_batch")}
    images, seconds = (
        sum(float(each.sum()) for each in both) for both in zip(*(part.later for part in parts), strict=True)
    )
    count = sum(map(len, parts))
    cores = max((np.nanmax(part.numbers("host_cores")) for part in parts if part.known("host_cores").any()), default=0)
    cpu = sums[_CPU] / images if sums[_CPU] else None
    yield Fed(
        reader=_without_accelerator(parts[0].experiment, series, accelerator),
        accelerator=accelerator,
        setting="",
        utilisation=_at_most_one(utilisation),
        rate=rate,
        capacity=float(capacity),
        waiting=float(sums["waiting_seconds_per_batch"] / count),
        cpu=cpu,
        cpu_share=sums[_CPU] / seconds / cores if cpu and cores else None,
        cores=float(cores) or None,
    )


def _without_accelerator(experiment: Experiment, series: str, accelerator: str) -> str:
    part = f"{ACCELERATOR}={accelerator}" if experiment.parameters[ACCELERATOR].is_named else accelerator
    return " ".join(word for word in series.split(" ") if word != part) or series


def _pooled(parts: Sequence[Measurements], what: Literal["busy", "fed", "steady"]) -> Interval | None:
    """A ratio over the rows of several runs, sum over sum; its interval is by repetitions of cells in any run."""
    above, below, cells = [], [], []
    for part in parts:
        later, seconds = part.later
        over, under = (later, seconds) if what == "steady" else (later, part.numbers(_WINDOW))
        over = part.numbers(_BUSY) if what == "busy" else over
        known = (over > 0) & (under > 0)
        above.append(over[known])
        below.append(under[known])
        cells.append(part.cells[known])
    over, under = np.concatenate(above), np.concatenate(below)
    return stratified_rate(over, under, np.concatenate(cells)) if len(over) else None


def _at_most_one(share: Interval) -> Interval:
    return replace(share, value=min(1.0, share.value), high=None if share.high is None else min(1.0, share.high))
