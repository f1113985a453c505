"""Is a run faster than another one? Ratios of what an experiment is about, with an interval, a series at a time.

Runs are compared on the series and cells that both have.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from flowerexp.analysis import words
from flowerexp.analysis.charged import Seconds, seconds_of
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.analysis.experiments import extras_of

if TYPE_CHECKING:
    from flowerexp.analysis.conclusions.contrasts import Estimate
    from flowerexp.analysis.estimate import Interval
    from flowerexp.experiment import Experiment
    from flowerexp.measurements.table import Measurements

RATES = ("rate", "steady_rate", "seconds")
"""The values of which a better one is called faster."""


Verdict = Literal["faster", "slower", "better", "worse", "equal", "inconclusive", "suspect"]


def verdict_of(gain: Interval, experiment: Experiment, margin: float) -> Verdict:
    """What an interval of how many times as good something is says of it.

    Equal means that the difference is smaller than the margin, by two one-sided tests at 2.5 % each: the interval lies
    within it (Schuirmann 1987).

    Args:
        gain: the interval; above 1 is better.
        experiment: what was measured.
        margin: the share by which values may differ without a difference that matters.
    """
    if not gain.low or not gain.high:
        return "inconclusive"
    if not gain.excludes_one:
        return "equal" if max(gain.high, 1 / gain.low) <= 1 + margin else "inconclusive"
    is_better = gain.low > 1
    if experiment.value.name in RATES:
        return "faster" if is_better else "slower"
    return "better" if is_better else "worse"


@dataclass(frozen=True)
class Ratio:
    """The values of a series on both sides, and how they compare.

    Attributes:
        series: its name.
        experiment: what was measured.
        base: the experiment's value on the base's side.
        other: that on the other side.
        cells: how many cells both have.
        estimate: of the logarithm of other over base; None if that is unknown.
        families: how many comparisons the interval holds for together.
        margin: the share by which values may differ without a difference that matters.
        doubt: why the ratio cannot be believed; None if it can.
    """

    series: str
    experiment: Experiment
    base: float
    other: float
    cells: int
    estimate: Estimate | None
    families: int
    margin: float
    doubt: str | None = None

    @property
    def interval(self) -> Interval:
        """The ratio of other over base, with its 95 % interval."""
        if self.estimate is None:
            from flowerexp.analysis.estimate import Interval

            return Interval(self.other / self.base)
        return self.estimate.ratio(families=self.families)

    @property
    def gain(self) -> Interval:
        """How many times as good the other side is as the base, whichever direction is better."""
        return self.interval if self.experiment.value.better == "higher" else self.interval.inverse

    @property
    def verdict(self) -> Verdict:
        """The conclusion, which is wrong in at most 5 % of comparisons; see `verdict_of`."""
        return "suspect" if self.doubt else verdict_of(self.gain, self.experiment, self.margin)

    @property
    def repeats(self) -> int | None:
        """How many runs a side would settle what is inconclusive; None for very many, or if that is unknown."""
        from flowerexp.analysis.conclusions.contrasts import repeats_needed

        return repeats_needed(self.estimate, self.margin, families=self.families) if self.estimate else None


def comparable(a: ComparedRun, b: ComparedRun) -> list[str]:
    """The reasons why the rates of two runs cannot be compared, in a few words each; none if they can.

    Clusters, caching, the values of categorical parameters and the way of measuring may differ: they are what is
    compared. The experiment with its settings, the data and the values of numeric parameters may not, unless it is what
    the sweep of both varies.
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
    return None if _cells(run) else f"has no measured {run.measurements.experiment.value_unit}"


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
    if a.sweep and a.sweep == b.sweep:
        return
    of_a, of_b = _fixed(a), _fixed(b)
    for key in dict.fromkeys([*of_a, *of_b]):
        if key not in free:
            yield key, of_a.get(key), of_b.get(key)


def _fixed(run: ComparedRun) -> dict[str, Any]:
    """The values of a config that must be equal, by key: numeric parameters, settings, and how data is prepared."""
    config, experiment = run.config, run.config.entrypoint
    values: dict[str, Any] = {"entrypoint.unit": experiment.unit}
    # What an earlier version did not know yet equals its default.
    numeric = [name for name in config.experiment.numeric if name in config.grid]
    values |= {f"grid.{name}": sorted(config.grid[name]) for name in numeric}
    defaults = {key: limits.default for key, limits in experiment.limits.items() if limits.default is not None}
    chosen = {key: value for key, value in experiment.settings.items() if key not in defaults or value != defaults[key]}
    values |= {f"entrypoint.settings.{key}": value for key, value in chosen.items()}
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


def ratios(
    base: Sequence[ComparedRun], other: Sequence[ComparedRun], comparisons: int = 1, paired: bool = False
) -> list[Ratio]:
    """Compare two sides, a series at a time.

    Each run counts once: repetitions within a run say little about how far runs differ. Suspect runs are left out if
    their side has valid ones; else the ratio is one that cannot be believed.

    Args:
        base: the run to compare with, or several that repeat it.
        other: the run that is compared, or several that repeat it.
        comparisons: how many sides are compared with the base: intervals hold for all of them together.
        paired: whether the n-th run of each side ran next to the other one, so that both had the same machine.

    Returns:
        A ratio for each series that all runs have, sorted by name.
    """
    sides, doubts = zip(*(_believed(side) for side in (base, other)), strict=True)
    whole = paired and [len(side) for side in sides] == [len(base), len(other)] and len(base) == len(other)
    runs = [run for side in sides for run in side]
    common = set.intersection(*map(_cells, runs))
    series = sorted({key[0] for key in common})
    compared = []
    for name in series:
        cells = {key for key in common if key[0] == name}
        parts = [[_part(run, cells) for run in side] for side in sides]
        estimate = _estimate(parts, whole)
        of_base, of_other = (value_over(of_side) for of_side in parts)
        experiment, margin = runs[0].config.entrypoint, runs[0].config.margin
        doubt = next(filter(None, doubts), None)
        families = comparisons * len(series)
        compared.append(Ratio(name, experiment, of_base, of_other, len(cells), estimate, families, margin, doubt))
    return compared


def _believed(side: Sequence[ComparedRun]) -> tuple[Sequence[ComparedRun], str | None]:
    """The valid runs of a side; if it has none, all of them, and the doubt."""
    valid = [run for run in side if run.verdict == "valid"]
    return (valid, None) if valid else (side, f"{side[0].name} is {side[0].verdict}")


def _estimate(parts: Sequence[Sequence[Measurements]], paired: bool) -> Estimate | None:
    """How far the other side differs from the base, on the logarithm; None if a value is not above 0."""
    import numpy as np

    from flowerexp.analysis.conclusions.contrasts import between_runs

    values = [value_over([part]) for side in parts for part in side]
    if min(values) <= 0:
        return None
    levels = np.repeat([0, 1], [len(side) for side in parts])
    blocks = np.concatenate([np.arange(len(side)) for side in parts]) if paired and len(parts[0]) > 1 else None
    within = statistics.fmean(_variance_of(part) for side in parts for part in side)
    found = between_runs(-np.log(values), levels, blocks=blocks, within=within)
    return found.get((0, 1))


def _variance_of(part: Measurements) -> float:
    """The variance of the logarithm of a run's value by its repetitions; 0 if it has none."""
    from flowerexp.analysis.estimate import stratified_error
    from flowerexp.analysis.instability import instability_of

    found = stratified_error(*part.value, part.cells)
    return (found[0] if found else 0.0) ** 2 + instability_of(part).deviation ** 2


def value_over(runs: Sequence[Measurements]) -> float:
    """The experiment's value over several runs: a sum over a sum."""
    top, bottom = (sum(float(run.value[place].sum()) for run in runs) for place in (0, 1))
    return top / bottom


def values(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """The experiment's value in each series over all measurements of a side."""
    groups = [_valued(run).by_series for run in runs]
    names = dict.fromkeys(name for each in groups for name in each)
    return {name: value_over([each[name] for each in groups if name in each]) for name in names}


def _valued(run: ComparedRun) -> Measurements:
    return run.measurements.firsts.valued


def _cells(run: ComparedRun) -> set[tuple[Any, ...]]:
    """The series and cells whose first executions have the experiment's value.

    Without cells in which some were stopped: only the fast measurements of such a cell are left.
    """
    first = run.measurements.firsts
    return {*_valued(run).cell_keys} - {*first.where(first.censored).cell_keys}


def _part(run: ComparedRun, cells: set[tuple[Any, ...]]) -> Measurements:
    """A run's measurements in some cells."""
    import numpy as np

    timed = _valued(run)
    return timed.where(np.array([key in cells for key in timed.cell_keys])[timed.cells])


def wall_times(runs: Sequence[ComparedRun]) -> Seconds:
    """The seconds that a side took, averaged over its runs; see `charged`."""
    each = [seconds_of(run.phases, run.config.entrypoint) for run in runs]
    return Seconds(*(statistics.fmean(times) for times in zip(*map(astuple, each), strict=True)))


def same_work(a: ComparedRun, b: ComparedRun) -> bool:
    """Whether two runs counted the same number in the same series; otherwise wall times cannot be compared."""
    of_a, of_b = ({name: group.counts.sum() for name, group in _valued(run).by_series.items()} for run in (a, b))
    return of_a == of_b
