"""What to store and how to read it, as one paragraph: the best way, the next best, what it costs, why not the others.

A way is a reader with everything that a sweep varies beside it, such as the number of shards. Ways are compared by the
same statistics as everything else (`flowerexp.analysis.conclusions`), all pairs of them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from flowerexp.analysis import words
from flowerexp.analysis.conclusions.effects import Effect, effects_of
from flowerexp.analysis.conclusions.evidence import Evidence, Factor
from flowerexp.analysis.conclusions.sentences import between, factor, sure, times
from flowerexp.analysis.drawing import number
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.experiments.read_speed.readers import IMAGE_FILES, data_of, keeps_decoded
from flowerexp.measurements.coded import Array, Coded, firsts, joined
from flowerexp.workload.read_speed.readers import PREPARING

READER = "reader"
FEWEST = 3
"""With fewer ways, the sentence about readers says everything already."""
_MOST_TIMES = 50
"""What would take more than this many times the measurements is not advised."""
_WAY = "way"


@dataclass(frozen=True)
class Way:
    """A way to store and to read images.

    Attributes:
        label: what to call it.
        preparing: how long it takes to prepare the data, in seconds of the whole cluster; 0 for photographs as they
            are, None where that is not known.
    """

    label: str
    preparing: float | None


def decided(
    evidence: Evidence, varied: Mapping[str, str], facts: Sequence[Mapping[str, Any]], margin: float
) -> list[str]:
    """See `Extras.decision`."""
    preparing = {}
    for reader in evidence.columns[READER].present.values:
        data = data_of(str(reader))
        known = (
            [0.0] if data == IMAGE_FILES else [each[name] for each in facts if (name := f"{PREPARING}/{data}") in each]
        )
        if known:
            preparing[str(reader)] = fmean(known)
    images = {each["images"] for each in facts if each.get("images")}
    return paragraphs(evidence, varied, preparing, images.pop() if len(images) == 1 else None, margin)


def paragraphs(
    evidence: Evidence, keys: Mapping[str, str], preparing: Mapping[str, float], images: int | None, margin: float
) -> list[str]:
    """The decision, one paragraph for each combination of what is no choice but given, such as how reading is shuffled.

    Args:
        evidence: of valid runs.
        keys: the config keys that a sweep varies, with their labels.
        preparing: by reader, the seconds that preparing its data takes, see `Way`; 0 for photographs as they are.
        images: how many images an epoch has; None where that is not known.
        margin: the share by which ways may differ without a difference that matters.

    Returns:
        Nothing where fewer than `FEWEST` ways were compared. Images that were decoded before are no way to store them.
    """
    readers = evidence.columns[READER]
    kept = np.array([not keeps_decoded(str(reader)) for reader in readers.values], bool)
    evidence = evidence.where(kept[readers.places])
    chosen = {key: _where_it_matters(evidence, key) for key in keys}
    readers = evidence.columns[READER]
    places = joined([column.places for column in (readers, *chosen.values())], len(evidence))
    first = firsts(places)
    if len(first) < FEWEST:
        return []
    labels = [keys[key] for key in chosen]
    values = [column.at(first).tolist() for column in chosen.values()]
    ways = [
        _way(evidence, reader, dict(zip(labels, varied, strict=True)), preparing)
        for reader, *varied in zip(readers.at(first).tolist(), *values, strict=True)
    ]
    effects = effects_of(_by_way(evidence, keys, places), margin)
    unit = evidence.experiment.value_unit
    return [_paragraph(effect, [ways[int(level.name)] for level in effect.levels], images, unit) for effect in effects]


def _where_it_matters(evidence: Evidence, key: str) -> Coded:
    """A key's value in each row as text; empty where the reader's results do not depend on it."""
    readers, independent = evidence.columns[READER], evidence.experiment.parameters[READER].independent
    without = [reader for reader, keys in independent.items() if key in keys]
    column = evidence.columns[key]
    texts = [*(_shown(value) for value in column.values.tolist()), ""]
    depends = ~np.isin(readers.values, without)[readers.places]
    return Coded.chosen(np.array(texts), np.where(depends, column.places, len(column.values)))


def _way(evidence: Evidence, reader: str, varied: Mapping[str, str], preparing: Mapping[str, float]) -> Way:
    others = [f"{label} {value}" for label, value in varied.items() if value]
    label = ", ".join([words.inside(words.value(evidence.experiment, READER, reader)), *others])
    return Way(label, preparing.get(reader))


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by_way(evidence: Evidence, keys: Mapping[str, str], places: Array) -> Evidence:
    """The evidence with one factor, the way; where runs differ in their ways, each way of a run counts as a run."""
    kept = {name: one for name, one in evidence.experiment.parameters.items() if name != READER}
    names = np.array([str(place) for place in range(int(places.max(initial=-1)) + 1)])
    found = replace(
        evidence,
        experiment=replace(evidence.experiment, parameters=kept, products=()),
        columns={**evidence.columns, _WAY: Coded.chosen(names, places)},
        factors=[Factor(_WAY, _WAY)],
    )
    if not any(evidence.columns[key].varies for key in keys):
        return found
    pairs = joined([evidence.runs, places], len(evidence))
    run_of = evidence.runs[firsts(pairs)]
    blocks = None if evidence.blocks is None else evidence.blocks[run_of]
    return replace(found, runs=pairs, blocks=blocks, order=evidence.order[run_of])


def _paragraph(effect: Effect, ranked: Sequence[Way], images: int | None, unit: str) -> str:
    """The decision in one context.

    Args:
        effect: the ways from the best to the worst.
        ranked: the same ways.
        images: how many images an epoch has.
        unit: of the value.
    """
    given = ", ".join(f"{name} {value}" for name, value in effect.context.items())
    value = f"{number(effect.levels[0].value)} {unit}"
    sentences = [_choice(effect, ranked, value), _earned(effect, ranked, images), _others(effect, ranked)]
    return " ".join([*([f"With {given}:"] if given else []), *map(_capital, filter(None, sentences))])


def _choice(effect: Effect, ranked: Sequence[Way], value: str) -> str:
    """The best way against the next best; both, with what would tell, where they cannot be told apart."""
    best, second, gain = ranked[0].label, ranked[1].label, effect.gain(0, 1)
    if gain.excludes_one:
        return f"Choose {best}: {value}, {times(gain.value)} the next best, {second} {sure(gain)}."
    measured = f"the first measured {value}, {times(gain.value)} the second {_range(gain)}"
    return f"{best} and {second} cannot be told apart: {measured}; {_would_tell(effect)}."


def _range(gain: Interval) -> str:
    return f"(95 % interval {between(gain)})" if between(gain) else "(measured once)"


def _would_tell(effect: Effect) -> str:
    """Which measurement would tell the best from the second, or that none is worth it."""
    gain, kind = effect.gain(0, 1), "runs" if effect.basis == "runs" else "repetitions"
    key = "sweep.repeats" if effect.basis == "runs" else "measure.repetitions"
    if not gain.low or not gain.high:
        return f"more {kind} would tell (`{key}`)"
    if max(gain.high, 1 / gain.low) - 1 <= effect.margin:
        return f"they differ by less than {effect.margin:.0%}, so take the simpler one"
    size, reach = abs(math.log(gain.value)), math.log(gain.high / gain.low) / 2
    more = (reach / size) ** 2 if size else math.inf
    if more > _MOST_TIMES:
        return "they are so close that very many measurements would be needed to tell, so take the simpler one"
    return f"about {math.ceil(more)} times as many {kind} would tell (`{key}`)"


def _earned(effect: Effect, ranked: Sequence[Way], images: int | None) -> str:
    """What preparing costs, and after how many epochs that is earned back against the best way that needs none."""
    best = ranked[0]
    if best.preparing == 0:
        return "Nothing has to be prepared."
    place = next((place for place, way in enumerate(ranked) if way.preparing == 0), None)
    if best.preparing is None or place is None or not images:
        return ""
    saved = images / effect.levels[place].value - images / effect.levels[0].value
    text = f"Preparing {images:,} images takes {number(best.preparing)} s once"
    if not effect.gain(0, place).excludes_one:
        return f"{text}; it is not shown that this ever pays off against {ranked[place].label}."
    epochs = math.ceil(best.preparing / saved)
    each = f"An epoch then takes {number(saved)} s less than with {ranked[place].label}"
    return f"{text}. {each}, so preparing pays off after {epochs:,} epoch{'' if epochs == 1 else 's'}."


def _others(effect: Effect, ranked: Sequence[Way]) -> str:
    """Why not each of the others: how many times as fast the best is, or that the two cannot be told apart."""
    told, alike = [], []
    for place in range(2, len(ranked)):
        gain, label = effect.gain(0, place), ranked[place].label
        if gain.excludes_one:
            told.append(f"{times(gain.value)} {label} ({between(gain)})")
        else:
            alike.append(f"{label} ({factor(gain.value)})")
    sentences = [f"{ranked[0].label} against the others: {'; '.join(told)}."] if told else []
    if alike:
        sentences.append(f"No difference is shown from these, with the measured ratio: {'; '.join(alike)}.")
    return " ".join(_capital(sentence) for sentence in sentences)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
