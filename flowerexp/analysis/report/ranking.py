"""The settings of a sweep from the best to the worst, by what its experiment is about, with intervals."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flowerexp.analysis import words
from flowerexp.analysis.compare import verdict_of
from flowerexp.analysis.conclusions.effects import Effect, effects_of
from flowerexp.analysis.conclusions.evidence import Factor
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.report.cells import OF_VALUE, value_of
from flowerexp.analysis.report.evidence import believed, evidence
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.rows import of_runs
from flowerexp.analysis.report.runs import Run
from flowerexp.experiment import Experiment
from flowerexp.measurements.coded import Coded

_SETTING = "setting"


@dataclass(frozen=True)
class Ranked:
    """A setting of a sweep, in one context.

    Attributes:
        values: what the sweep varies, by config key, without the repeat.
        context: the values of the categorical parameters that its runs have measured side by side, by parameter.
        runs: those that repeat it, the believed ones if there are any.
        value: what the experiment is about, over all of its runs, with its own 95 % interval; None if it has none.
        ratio: its value over that of the best setting of the context; the intervals of all settings and contexts hold
            together with 95 %. None where nothing can be said.
        verdict: what that says: `best`, or how it compares with the best one; of a setting without a valid run, the
            state or the verdict of its runs.
    """

    values: Mapping[str, Any]
    context: Mapping[str, str]
    runs: Sequence[Run]
    value: Interval | None
    ratio: Interval | None
    verdict: str

    @property
    def seconds(self) -> float | None:
        """What its runs were charged for on average, in seconds of wall time; None if nothing was measured."""
        known = [run.seconds.own for run in self.runs if run.seconds.own]
        return statistics.fmean(known) if known else None

    @property
    def dollars(self) -> float | None:
        """What that cost on average; None where it is not known."""
        known = [run.dollars for run in self.runs if run.dollars is not None]
        return statistics.fmean(known) if known else None


def rank(material: Material) -> list[Ranked]:
    """Rank the settings of a sweep: context by context, the best first, and at the end those without a valid run.

    Args:
        material: the sweep's.
    """
    good = believed(material)
    by_setting = _by_setting(material, material.runs)
    valid = _by_setting(material, good)
    found = [*_compared(material, good, valid)] if valid else []
    rest = [runs for setting, runs in by_setting.items() if setting not in valid]
    others = [ranked for runs in rest for ranked in _not_compared(material, runs)]
    return found + sorted(others, key=lambda line: (str(line.context), _badness(line, material.experiment)))


def _by_setting(material: Material, runs: Sequence[Run]) -> dict[tuple[Any, ...], list[Run]]:
    found: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(material.setting(run), []).append(run)
    return found


def _compared(
    material: Material, good: Sequence[Run], valid: Mapping[tuple[Any, ...], Sequence[Run]]
) -> Iterator[Ranked]:
    """The settings with valid runs."""
    effects = _effects(material, good, list(valid))
    contexts = [effect.context for effect in effects] or _contexts(material, good)
    for place, context in enumerate(contexts):
        effect = effects[place] if effects else None
        settings = list(valid.values())
        if effect:
            order = [int(level.name) for level in effect.levels]
            lines = [_line(material, settings[number], context, effect, rank) for rank, number in enumerate(order)]
        else:
            order, lines = [], []
        others = [_line(material, runs, context) for number, runs in enumerate(settings) if number not in order]
        yield from lines
        yield from sorted(others, key=lambda line: _badness(line, material.experiment))


def _effects(material: Material, good: Sequence[Run], settings: Sequence[tuple[Any, ...]]) -> list[Effect]:
    """What the setting changes as one factor, an effect for each context."""
    if len(settings) < 2:
        return []
    known = evidence(material, good)
    swept = {key.removeprefix("grid.") for key in material.varied if key.startswith("grid.")}
    kept = {name: one for name, one in known.experiment.parameters.items() if name not in swept}
    numbers = np.array([str(settings.index(material.setting(run))) for run in good])
    found = replace(
        known,
        experiment=replace(known.experiment, parameters=kept, products=()),
        columns={**known.columns, _SETTING: Coded.chosen(numbers, known.runs)},
        factors=[Factor(_SETTING, _SETTING)],
    )
    return effects_of(found, material.margin)


def _contexts(material: Material, good: Sequence[Run]) -> list[Mapping[str, str]]:
    """The series of the runs, where settings are not compared."""
    names = words.ordered(material.experiment, of_runs(material.valued, good)["series"].unique())
    return [words.values(material.experiment, name) for name in names] if len(names) > 1 else [{}]


def _line(
    material: Material, runs: Sequence[Run], context: Mapping[str, str], effect: Effect | None = None, rank: int = 0
) -> Ranked:
    gain = effect.gain(0, rank) if effect and rank else None
    higher = material.experiment.value.better == "higher"
    ratio = None if effect is None else Interval(1.0) if gain is None else gain.inverse if higher else gain
    verdict = "best" if effect and not rank else "inconclusive"
    if gain:
        verdict = verdict_of(gain.inverse, material.experiment, material.margin)
    return Ranked(_values(material, runs), context, runs, _value(material, runs, context), ratio, verdict)


def _not_compared(material: Material, runs: Sequence[Run]) -> Iterator[Ranked]:
    """A setting without a valid run, as it is: what it measured, and what is wrong with it."""
    state = runs[0].verdict if runs[0].verdict not in ("-", "valid") else runs[0].state
    contexts = _contexts(material, runs) if any(run in material.measured for run in runs) else [{}]
    for context in contexts:
        yield Ranked(_values(material, runs), context, runs, _value(material, runs, context), None, state)


def _values(material: Material, runs: Sequence[Run]) -> dict[str, Any]:
    return {key: runs[0].varied.get(key) for key in material.varied}


def _value(material: Material, runs: Sequence[Run], context: Mapping[str, str]) -> Interval | None:
    rows = of_runs(material.fair[[*OF_VALUE]], runs)
    fitting = [name for name in rows["series"].unique() if _is_in(material.experiment, name, context)]
    return value_of(rows[rows["series"].isin(fitting)], material)


def _is_in(experiment: Experiment, series: str, context: Mapping[str, str]) -> bool:
    values = words.values(experiment, series)
    return all(values.get(name, "-") == value for name, value in context.items())


def _badness(line: Ranked, experiment: Experiment) -> float:
    value = line.value.value if line.value else -np.inf if experiment.value.better == "higher" else np.inf
    return -value if experiment.value.better == "higher" else value
