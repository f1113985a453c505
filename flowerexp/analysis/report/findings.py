"""The findings at the top of a report: a few sentences, each with the number that it rests on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from flowerexp.analysis import words
from flowerexp.analysis.caching import Caching
from flowerexp.analysis.conclusions.sentences import (
    Conclusions,
    at_most,
    besides,
    in_context,
    listed,
    name_of,
    shown_gain,
    sure,
    times,
)
from flowerexp.analysis.drawing import number
from flowerexp.analysis.interference import FACTOR, Slowdown
from flowerexp.analysis.report.derive import Derived
from flowerexp.analysis.report.evidence import believed
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding, Tone
from flowerexp.analysis.report.runs import short, shown
from flowerexp.analysis.timing import TimeModel
from flowerexp.analysis.utilisation import OTHER, Use

LEAST_SECONDS = 0.1
"""A shorter phase says nothing about executors: the event log counts milliseconds."""
LEAST_FACTOR = 1.2
"""A smaller difference in tasks at once is not worth a finding."""
NOT_BELIEVED = "; no run is valid, so nothing follows from it"


def effects_found(found: Conclusions) -> Iterator[Finding]:
    """The best level of each factor against the worst, a finding for each effect; grey if no run is valid."""
    experiment = found.experiment
    for effect in found.effects:
        where, gain = in_context(experiment, effect), shown_gain(experiment, effect)
        best, worst = effect.levels[0], effect.levels[effect.worst]
        if effect.outcome == "same" and effect.bound is not None:
            text = f"is the most by which {listed(experiment, effect)} differ in {experiment.value_unit}{where}"
            yield Finding(at_most(effect.bound), f"{text} (95 %)", "plain")
            continue
        names = [name_of(experiment, effect, level) for level in (best, worst)]
        values = f"{number(best.value)} and {number(worst.value)} {experiment.value_unit}"
        text = f"{names[0]} against {names[1]}{where}: {values} {sure(gain)}{besides(experiment, effect)}"
        tone: Tone = "good" if gain.excludes_one and not found.doubt else "plain"
        yield Finding(times(gain.value), f"{text}{NOT_BELIEVED if found.doubt else ''}", tone)
    if not found.effects and len(found.values) == 1:
        ((name, value),) = found.values.items()
        ends = (
            ""
            if value.low is None or value.high is None
            else f", 95 % interval {number(value.low)} to {number(value.high)}"
        )
        text = f"{words.inside(words.series(experiment, name))}, over all measurements{ends}"
        yield Finding(f"{number(value.value)} {experiment.value_unit}", f"{text}{NOT_BELIEVED if found.doubt else ''}")


def caching_found(material: Material, caching: Caching | None) -> Iterator[Finding]:
    """What caching changes, in one sentence."""
    if caching is None:
        return
    unit = material.experiment.value_unit
    off, on = ([getattr(pair, side).executions for pair in caching.pairs] for side in ("off", "on"))
    executed = f"each cell is executed {number(sum(off) / len(off))} times instead of {number(sum(on) / len(on))}"
    # That is how the experiment is made; a measurement that is a job of the driver is executed once in any case.
    again = f"by design {executed}, and " if off != on else ""
    moved = [material.label(name) for name, value in caching.values.items() if value.excludes_one]
    values = f"the {unit} of {', '.join(moved)} differ" if moved else f"{unit} show no difference"
    text = f"the wall time of measuring without caching {sure(caching.seconds)}: {again}{values}"
    if not is_believed(material, caching):
        yield Finding(
            times(caching.seconds.value), f"{text}; no pair of valid runs shows it, so nothing follows from it"
        )
        return
    yield Finding(times(caching.seconds.value), text, "good" if caching.seconds.excludes_one else "plain")


def is_believed(material: Material, caching: Caching) -> bool:
    """Whether all runs of the pairs are valid."""
    valid = {run.name for run in believed(material)}
    return all(side.run in valid for pair in caching.pairs for side in (pair.on, pair.off))


def caching_answer(material: Material, caching: Caching | None) -> list[str]:
    """What caching changes, as a part of the answer; nothing if no pair of valid runs shows it."""
    if caching is None or not is_believed(material, caching):
        return []
    return [f"measuring takes {times(caching.seconds.value)} as long without caching {sure(caching.seconds)}"]


def slowdowns_answer(material: Material, slowdowns: Sequence[Slowdown]) -> list[str]:
    """What measuring several at once costs, as parts of the answer."""
    return [
        f"{material.label(slowdown.series)} take {times(slowdown.ratio.value)} as long when {slowdown.at_once} are "
        f"measured at once {sure(slowdown.ratio)}"
        for slowdown in slowdowns
    ]


def slowdowns_found(material: Material, slowdowns: Sequence[Slowdown]) -> Iterator[Finding]:
    """How much longer the measurements of each series take when several run at once on a host."""
    for slowdown in slowdowns:
        label, ratio = material.label(slowdown.series), slowdown.ratio
        text = f"{label} take {times(ratio.value)} as long when {slowdown.at_once} are measured at once on a host"
        yield Finding(times(ratio.value), f"{text} {sure(ratio)}", "warn" if ratio.excludes_one else "plain")


def uses_found(material: Material, uses: Mapping[str, Mapping[str, Use]]) -> Iterator[Finding]:
    """The parameter that changed most how many tasks worked at once."""
    compared = [
        _compared(key, phase, [(uses[run.name][phase], shown(run.varied.get(key))) for run in runs])
        for key in material.varied
        if key not in ("caching", FACTOR)
        for phase in dict.fromkeys(phase for by_phase in uses.values() for phase in by_phase)
        if phase != OTHER  # what is left of a run's jobs, which no key is about
        # Runs that found their data prepared have fewer phases: those with work to compare are compared.
        if (runs := [run for run in material.measured if _worked(uses, run.name, phase)])
    ]
    most, finding = max(compared, key=lambda pair: pair[0], default=(0.0, None))
    if finding and most > LEAST_FACTOR:
        yield finding


def _worked(uses: Mapping[str, Mapping[str, Use]], run: str, phase: str) -> bool:
    return phase in uses.get(run, {}) and uses[run][phase].seconds >= LEAST_SECONDS


def _compared(key: str, phase: str, known: Sequence[tuple[Use, str]]) -> tuple[float, Finding]:
    """The factor by which the tasks at once differ between values of a parameter, in one phase."""
    (least, few), (most, many) = (choose(known, key=lambda pair: pair[0].parallel) for choose in (min, max))
    times_more = most.parallel / least.parallel if few != many else 0.0
    text = (
        f"the tasks at once in phase {phase} with {short(key)} {many} against {few}: {number(most.parallel)} and "
        f"{number(least.parallel)}, on {most.working} and {least.working} of {most.executors} executors; "
        f"{most.busy:.0%} and {least.busy:.0%} of the cores were at work"
    )
    return times_more, Finding(times(times_more), text)


def models_found(material: Material, models: Sequence[TimeModel]) -> Iterator[Finding]:
    """The fixed cost of a measurement, in milliseconds and in units that could be counted in that time."""
    known = []
    for model in models:
        fixed, each = model.terms["fixed"], model.terms["per_unit"]
        if fixed.low is not None and fixed.low > 0 and each.low is not None and each.low > 0:
            known.append((1000 * fixed.value, material.label(model.series), number(fixed.value / each.value, 2)))
    if known:
        unit = material.experiment.unit
        costs = "; ".join(f"{name}: as long as {many} {unit} take" for _, name, many in known)
        figure = " and ".join(f"{milliseconds:,.0f} ms" for milliseconds, _, _ in known)
        if len(known) > 2:
            figure = f"{min(known)[0]:,.0f} to {max(known)[0]:,.0f} ms"
        yield Finding(figure, f"fixed cost of a measurement ({costs}): short measurements are slow")


def verdicts_found(material: Material) -> Iterator[Finding]:
    """How many runs can be believed."""
    if changed := material.other_data:
        yield Finding("other data", changed, "warn")
    counts = Counter(run.verdict for run in material.runs if run.state not in ("failed", "lost"))
    unstarted = sum(run.state == "not started" for run in material.runs)
    failed = sum(run.state in ("failed", "lost") for run in material.runs)
    damaged = sum(run.state == "damaged" for run in material.runs)
    doubtful = counts["suspect"] + counts["invalid"]
    total = len(material.runs)
    if doubtful or failed or damaged or unstarted:
        words = [f"{counts[word]} {word}" for word in ("suspect", "invalid") if counts[word]]
        words += [f"{failed} failed or lost"] if failed else []
        words += [f"{unstarted} not started"] if unstarted else []
        words += [f"{damaged} with damaged files"] if damaged else []
        yield Finding(
            f"{counts['valid']} of {total}", f"runs are valid; {', '.join(words)}: the reasons are below", "warn"
        )
    elif counts["valid"] == total:
        yield Finding(
            "valid" if total == 1 else f"all {total}",
            "is the run's verdict" if total == 1 else "runs are valid",
            "good",
        )


def findings(
    material: Material,
    found: Conclusions,
    runs: Derived,
    models: Sequence[TimeModel],
    extra: Sequence[Finding],
) -> list[Finding]:
    """All findings, the most important first; `extra` are those of the experiment alone."""
    return list(
        itertools.chain(
            effects_found(found),
            caching_found(material, runs.caching),
            slowdowns_found(material, runs.slowdowns),
            uses_found(material, runs.uses),
            extra,
            models_found(material, models),
            verdicts_found(material),
        )
    )
