"""Conclusions in words: the sentence about each effect, and the answer to the question of a run or a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flowerexp.analysis import words
from flowerexp.analysis.conclusions.effects import Effect, Level
from flowerexp.analysis.drawing import number
from flowerexp.analysis.estimate import Interval
from flowerexp.experiment import Experiment

CHANCE = "may be chance"
"""What is said of every difference without an interval, or with one that holds no difference."""


@dataclass(frozen=True)
class Conclusions:
    """What follows from the runs of a sweep, or from one run.

    Attributes:
        experiment: what was measured.
        effects: of all factors that are compared.
        values: by series, the experiment's value with its interval.
        doubt: why nothing can be concluded; None if something can.
        costs: by config key and level, the mean US dollars of a run; without levels of which that is unknown.
        further: sentences about anything else that was compared, such as caching.
        families: how many comparisons all intervals hold for together.
        decided: the answer in the experiment's own words, see `Extras.decision`.
    """

    experiment: Experiment
    effects: Sequence[Effect]
    values: Mapping[str, Interval]
    doubt: str | None = None
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    further: Sequence[str] = ()
    families: int = 1
    decided: Sequence[str] = ()

    @property
    def answer(self) -> str:
        """The answer to the question: what the experiment itself decided, or else one sentence about its factors."""
        if self.doubt:
            return f"No answer: {self.doubt}."
        if self.decided:
            return " ".join(self.decided)
        asked = [effect for effect in self.effects if effect.factor.asked]
        others = [effect for effect in self.effects if not effect.factor.asked and effect.outcome == "differs"]
        clauses = [*self._clauses(asked), *self.further, *self._clauses(others)]
        if not clauses:
            clauses = [
                f"{words.series(self.experiment, name)}: {value_text(value)} {self.experiment.value_unit}"
                for name, value in self.values.items()
            ]
        text = "; ".join(clauses)
        return f"{text[:1].upper()}{text[1:]}." if text else self._no_answer()

    def _no_answer(self) -> str:
        found = f"; {self.experiment.name} finds what an earlier run has written, and does not write it again"
        return f"No answer: nothing was measured{'' if self.experiment.repeatable else found}."

    def _clauses(self, effects: Sequence[Effect]) -> Iterator[str]:
        """A clause for each effect; one for all contexts in which a factor makes no difference."""
        for factor in dict.fromkeys(effect.factor for effect in effects):
            several = [effect for effect in effects if effect.factor == factor]
            for effect in several:
                if effect.outcome == "differs" and effect.widest.excludes_one:
                    yield self._choice(effect)
            alike = [effect for effect in several if effect.bound is not None and not effect.widest.excludes_one]
            if alike:
                yield self._no_difference(alike, everywhere=len(alike) == len(several))
            for effect in several:
                if effect.bound is None and not effect.widest.excludes_one:
                    yield self._unknown(effect)

    def _choice(self, effect: Effect) -> str:
        """What to choose, how much better it is, and how sure that is."""
        experiment, gain = self.experiment, shown_gain(self.experiment, effect)
        chosen = " or ".join(name_of(experiment, effect, level) for level in effect.winners)
        against = name_of(experiment, effect, effect.levels[effect.worst])
        how_much = f"{times(gain.value)} the {experiment.value_unit} of {against}{in_context(experiment, effect)}"
        return f"choose {chosen}: {how_much} {sure(gain)}{_cost(effect, self.costs.get(effect.factor.key, {}))}"

    def _no_difference(self, effects: Sequence[Effect], everywhere: bool) -> str:
        """That no difference was found, how large it is at most, and what would settle that."""
        widest = max(effects, key=lambda effect: effect.bound or 0.0)
        levels, bound, unit = listed(self.experiment, widest), widest.bound or 0.0, self.experiment.value_unit
        where = "" if everywhere else " and".join(in_context(self.experiment, effect) for effect in effects)
        if widest.outcome == "same":
            cheapest = _cheapest(widest, self.costs.get(widest.factor.key, {}))
            return (
                f"no difference found: {levels} do not differ by more than {at_most(bound)} in {unit}{where}{cheapest}"
            )
        needed = [effect.repeats for effect in effects]
        most = max((count for count in needed if count), default=0)
        more = f"; about {most} runs of each setting would settle it (`sweep.repeats={most}`)"
        text = f"no difference found between {levels} in {unit}{where}, and up to {at_most(bound)} is possible"
        return text if None in needed else f"{text}{more}"

    def _unknown(self, effect: Effect) -> str:
        best, worst = (name_of(self.experiment, effect, effect.levels[place]) for place in (0, effect.worst))
        where = in_context(self.experiment, effect)
        return f"{best} measured better than {worst}{where}, but nothing was repeated: it {CHANCE}"


def _cheapest(effect: Effect, costs: Mapping[str, float]) -> str:
    known = {level.name: costs[level.name] for level in effect.levels if level.name in costs}
    if len(known) < len(effect.levels):
        return ""
    least = min(known, key=lambda name: known[name])
    return f"; {least} costs least, ${known[least]:.4f} a run"


def _cost(effect: Effect, costs: Mapping[str, float]) -> str:
    best, worst = effect.levels[0].name, effect.levels[effect.worst].name
    return f", at ${costs[best]:.4f} a run against ${costs[worst]:.4f}" if best in costs and worst in costs else ""


def name_of(experiment: Experiment, effect: Effect, level: Level) -> str:
    """A level of an effect within a sentence: ``TFRecords``, ``shards 16``."""
    if effect.factor.key in experiment.categorical:
        return categorical(experiment, effect.factor.key, level.name)
    return f"{effect.factor.label} {level.name}"


def categorical(experiment: Experiment, name: str, value: str) -> str:
    """A value of a categorical parameter within a sentence."""
    if experiment.parameters[name].type == "bool" and value not in experiment.parameters[name].labels:
        return f"{words.parameter(experiment, name)}={value}"
    return words.value(experiment, name, value)


def listed(experiment: Experiment, effect: Effect) -> str:
    """All levels of an effect: ``shards 2, 4 and 8``."""
    if effect.factor.key in experiment.categorical:
        return _and([name_of(experiment, effect, level) for level in effect.levels])
    return f"{effect.factor.label} {_and(sorted((level.name for level in effect.levels), key=_by_number))}"


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def in_context(experiment: Experiment, effect: Effect) -> str:
    """For which series an effect holds: `` with TFRecords``; empty if for all."""
    labels = [categorical(experiment, name, value) for name, value in effect.context.items()]
    return f" with {', '.join(labels)}" if labels else ""


def at_most(share: float) -> str:
    """A bound in percent, rounded up."""
    percent = math.ceil(1000 * share) / 10
    return f"{percent:.1f}%" if percent < 1 else f"{math.ceil(percent):,}%"


def besides(experiment: Experiment, effect: Effect) -> str:
    """What else differs between the best level and the worst; empty if nothing does."""
    parameter = experiment.parameters.get(effect.factor.key)
    levels = [effect.levels[place] for place in (0, effect.worst)]
    known = [parameter.besides.get(level.name) if parameter else None for level in levels]
    if None in known or known[0] == known[1]:
        return ""
    what = " and ".join(
        f"{name_of(experiment, effect, level)} {text}" for level, text in zip(levels, known, strict=True)
    )
    return f"; {what}, which is a part of the difference"


def shown_gain(experiment: Experiment, effect: Effect) -> Interval:
    """The value of the best level over that of the worst: below 1 where a lower value is better."""
    return effect.widest if experiment.value.better == "higher" else effect.widest.inverse


def times(value: float) -> str:
    """A factor: ``3.12 ×``."""
    return f"{factor(value)} ×"


def factor(value: float) -> str:
    """A factor with as many digits as matter."""
    return f"{value:.2f}" if value < 10 else number(value)


def between(ratio: Interval) -> str:
    """A ratio's interval: ``2.80 to 3.41``; empty where there is none."""
    return "" if ratio.low is None or ratio.high is None else f"{factor(ratio.low)} to {factor(ratio.high)}"


def sure(ratio: Interval) -> str:
    """A ratio's interval in brackets, and that it may be chance if it does not exclude that."""
    ends = between(ratio)
    if not ends:
        return f"(measured once, so it {CHANCE})"
    return f"(95 % interval {ends})" if ratio.excludes_one else f"(95 % interval {ends}: it {CHANCE})"


def value_text(value: Interval) -> str:
    """A value with its interval: ``2,119 (95 % interval 2,080 to 2,150)``."""
    if value.low is None or value.high is None:
        return number(value.value)
    return f"{number(value.value)} (95 % interval {number(value.low)} to {number(value.high)})"
