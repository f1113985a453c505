"""Runs become lines: one for each machine, experiment, metric and configuration, of a point for each code and day."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from flowerexp.analysis.estimate import Interval, student
from flowerexp.analysis.history.changes import LEAST_SIDE, Levels, Step, levels

USABLE = ("valid", "")
"""The verdicts of runs that changes are looked for in; one that an earlier version logged may have none."""
_COMMIT = 8  # characters


@dataclass(frozen=True)
class Metric:
    """What a line shows.

    Attributes:
        name: as MLflow has it, such as `tfrecords/steady_images_per_second`.
        unit: of its values; empty where it is not known.
        better: `higher` or `lower`; None where nobody declared it.
    """

    name: str
    unit: str = ""
    better: str | None = None

    @property
    def series(self) -> str:
        """What was measured: the part of the name before the last slash."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Observed:
    """One metric of one run.

    Attributes:
        run_id: MLflow's.
        started_at: epoch seconds.
        sitting_at: when its sweep began, in epoch seconds; `started_at` of a run of its own.
        value: the metric's.
        verdict: of the run; empty if it has none.
        commit: of git; empty where it was not recorded.
        dirty: whether there were changes beyond the commit.
        code: the hash of the code that was shipped.
        made_with: what it was made with beside code and machine, such as the version of Spark.
    """

    run_id: str
    started_at: float
    sitting_at: float
    value: float
    verdict: str
    commit: str
    dirty: bool
    code: str
    made_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """What decides which line a run belongs to.

    Attributes:
        experiment: the experiment's name.
        machine: what the run ran on, in words.
        choices: all values of its config that results depend on, by dotted key, and the fingerprint of its data.
    """

    experiment: str
    machine: str
    choices: Mapping[str, str]

    @property
    def key(self) -> str:
        """The same for places that are equal."""
        return json.dumps([self.experiment, self.machine, sorted(self.choices.items())])


@dataclass(frozen=True)
class Point:
    """The runs of one code on one day with one verdict: they share that day's machine, and count once."""

    runs: tuple[Observed, ...]

    @property
    def first(self) -> Observed:
        """The earliest of them."""
        return self.runs[0]

    @property
    def is_used(self) -> bool:
        """Whether changes are looked for in it."""
        return self.first.verdict in USABLE

    @cached_property
    def value(self) -> float:
        """The geometric mean of the runs; the mean where one is not positive."""
        values = [run.value for run in self.runs]
        if len(values) == 1:
            return values[0]  # as it was logged, to the last digit
        return math.exp(float(np.mean(np.log(values)))) if min(values) > 0 else float(np.mean(values))

    @property
    def date(self) -> str:
        """The day on which it began, in local time."""
        return datetime.fromtimestamp(self.first.started_at).strftime("%Y-%m-%d")

    @property
    def commit(self) -> str:
        """The beginning of the commit, with a star if there were changes beyond it; without git, that of the code."""
        first = self.first
        return f"{first.commit[:_COMMIT]}{'*' if first.dirty else ''}" if first.commit else f"code {first.code[:6]}"


@dataclass(frozen=True)
class Change:
    """A step of a line, between two points that follow one another.

    Attributes:
        step: the levels, and their ratio.
        before: the last point before it.
        after: the first point after it.
        differs: what else they were made with where that differs, by name: the values before and after.
    """

    step: Step
    before: Point
    after: Point
    differs: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Line:
    """One metric in one place over time; its points are sorted by their beginning."""

    place: Place
    metric: Metric
    points: tuple[Point, ...]

    @cached_property
    def used(self) -> list[Point]:
        """The points that changes are looked for in."""
        return [point for point in self.points if point.is_used]

    @cached_property
    def levels(self) -> Levels | None:
        """Its levels; None where there are too few points, or values are not positive."""
        return levels([point.value for point in self.used])

    @cached_property
    def changes(self) -> list[Change]:
        """Its changes, in the order of time."""
        found = []
        for step in self.levels.steps if self.levels else ():
            before, after = self.used[step.at - 1], self.used[step.at]
            found.append(Change(step, before, after, _differing(before.first.made_with, after.first.made_with)))
        return found

    def interval(self, point: Point) -> Interval:
        """A point's value with its 95 % interval: the level that it may belong to.

        It comes from how far points disagree around the levels of the line; of a line that is too short for levels,
        from how far the point's own runs disagree. A point that is left out belongs to no level.
        """
        if not point.is_used:
            return Interval(point.value)
        if self.levels:
            reach = student(self.levels.freedom) * self.levels.deviation
            return Interval(point.value, point.value * math.exp(-reach), point.value * math.exp(reach))
        values = [run.value for run in point.runs]
        if len(values) < 2 or min(values) <= 0:
            return Interval(point.value)
        reach = student(len(values) - 1) * float(np.std(np.log(values), ddof=1)) / math.sqrt(len(values))
        return Interval(point.value, point.value * math.exp(-reach), point.value * math.exp(reach))

    @property
    def conclusion(self) -> str:
        """In a few words, whether there are changes, or why there is no telling."""
        if self.changes:
            return f"{len(self.changes)} change{'s' if len(self.changes) > 1 else ''} in {len(self.used)} points"
        if self.levels:
            return f"no change found in {len(self.used)} points"
        if len(self.used) < 2 * LEAST_SIDE:
            least = f"{2 * LEAST_SIDE} that are not suspect are needed, {LEAST_SIDE} on each side"
            return f"too few points to look for changes: {least}"
        return "changes were not looked for: a value is not positive, so there are no ratios"


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    pairs = {name: (before.get(name, "-"), after.get(name, "-")) for name in dict.fromkeys([*before, *after])}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def lines(observations: Iterable[tuple[Place, Metric, Observed]]) -> list[Line]:
    """Sort observations into lines; lines of one experiment and machine stand together."""
    gathered: dict[tuple[str, str], tuple[Place, Metric, list[Observed]]] = {}
    for place, metric, observed in observations:
        gathered.setdefault((place.key, metric.name), (place, metric, []))[2].append(observed)
    found = [Line(place, metric, _points(observed)) for place, metric, observed in gathered.values()]
    return sorted(found, key=lambda line: (line.place.experiment, line.place.machine, line.metric.name, line.place.key))


def _points(observed: Sequence[Observed]) -> tuple[Point, ...]:
    by_day: dict[tuple[str, ...], list[Observed]] = {}
    for run in sorted(observed, key=lambda run: run.started_at):
        day = datetime.fromtimestamp(run.sitting_at).strftime("%Y-%m-%d")
        by_day.setdefault((day, run.commit, str(run.dirty), run.code, run.verdict), []).append(run)
    points = [Point(tuple(runs)) for runs in by_day.values()]
    return tuple(sorted(points, key=lambda point: point.first.started_at))


def varied(some: Sequence[Line]) -> list[str]:
    """The keys of the config in which lines differ that are of one experiment."""
    keys: dict[str, None] = {}
    for experiment in dict.fromkeys(line.place.experiment for line in some):
        choices = [line.place.choices for line in some if line.place.experiment == experiment]
        every = dict.fromkeys(key for each in choices for key in each)
        keys |= {key: None for key in every if len({each.get(key) for each in choices}) > 1}
    return [*keys]
