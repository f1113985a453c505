"""The findings at the top of a report: a few sentences, each with the number that it rests on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from flowerexp.analysis.caching import Caching
from flowerexp.analysis.drawing import number
from flowerexp.analysis.estimate import Interval, ratio
from flowerexp.analysis.interference import FACTOR, Slowdown
from flowerexp.analysis.report.cells import rate_of
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding
from flowerexp.analysis.report.runs import short, shown
from flowerexp.analysis.timing import TimeModel
from flowerexp.analysis.utilisation import Use

LEAST_SECONDS = 0.1
"""A shorter phase says nothing about executors: the event log counts milliseconds."""
LEAST_FACTOR = 1.2
"""A smaller difference in tasks at once is not worth a finding."""


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
    """A ratio's interval in brackets, or that nothing is repeated."""
    ends = between(ratio)
    return f"(95 % interval {ends})" if ends else "(measured once, so without an interval)"


def series_compared(material: Material) -> Iterator[Finding]:
    """How much faster one series is than each other one, over the cells that were measured."""
    timed, unit = material.fair, material.experiment.rate_unit
    rates = [(rate, str(name)) for name, rows in timed.groupby("series") if (rate := rate_of(rows, material))]
    rates.sort(key=lambda pair: -pair[0].value)
    for rate, name in rates[1:]:
        best, fastest = rates[0]
        faster = ratio(best, rate)
        text = f"{material.label(fastest)} against {material.label(name)}: {number(best.value)} and "
        text += f"{number(rate.value)} {unit} {sure(faster)}"
        yield Finding(times(faster.value), text, "good" if faster.excludes_one else "plain")
    if len(rates) == 1:
        rate, name = rates[0]
        ends = (
            ""
            if rate.low is None or rate.high is None
            else f", 95 % interval {number(rate.low)} to {number(rate.high)}"
        )
        yield Finding(f"{number(rate.value)} {unit}", f"{material.label(name)}, over all measurements{ends}")


def parameters_compared(material: Material) -> Iterator[Finding]:
    """For each factor of the sweep: its best value against its worst, in the series where they differ most."""
    timed = material.fair
    elsewhere = {"caching", FACTOR, *(f"grid.{name}" for name in material.experiment.categorical)}
    for key in material.varied:
        if key in elsewhere:
            continue
        values = {run.name: shown(run.varied.get(key)) for run in material.measured}
        changes = []
        for series, rows in timed.groupby("series"):
            groups = rows.groupby(rows["run"].map(values))
            rates = [(rate, str(value)) for value, part in groups if (rate := rate_of(part, material))]
            rates.sort(key=lambda pair: pair[0].value)
            if len(rates) > 1:
                (worst, low), (best, high) = rates[0], rates[-1]
                text = f"{material.label(str(series))} with {short(key)} {high} against {low}"
                changes.append((ratio(best, worst), text))
        if changes:
            change, text = max(changes, key=lambda pair: (pair[0].excludes_one, pair[0].value))
            doubt = "" if change.excludes_one or change.low is None else ", which may be chance"
            yield Finding(
                times(change.value), f"{text} {sure(change)}{doubt}", "good" if change.excludes_one else "plain"
            )


def caching_found(material: Material, caching: Caching | None) -> Iterator[Finding]:
    """What caching changes, in one sentence."""
    if caching is None:
        return
    unit = material.experiment.rate_unit
    off, on = ([getattr(pair, side).executions for pair in caching.pairs] for side in ("off", "on"))
    executed = f"each cell is executed {number(sum(off) / len(off))} times instead of {number(sum(on) / len(on))}"
    again = f"{executed}, and " if off != on else ""  # a measurement that is a job of the driver is executed once
    moved = [material.label(name) for name, rate in caching.rates.items() if rate.excludes_one]
    rates = f"the {unit} of {', '.join(moved)} differ" if moved else f"{unit} show no difference"
    text = f"the wall time of measuring without caching {sure(caching.seconds)}: {again}{rates}"
    yield Finding(times(caching.seconds.value), text, "good" if caching.seconds.excludes_one else "plain")


def slowdowns_found(material: Material, slowdowns: Sequence[Slowdown]) -> Iterator[Finding]:
    """How much longer the measurements of each series take when several run at once on a host."""
    for slowdown in slowdowns:
        label, ratio = material.label(slowdown.series), slowdown.ratio
        certain = ratio.excludes_one
        doubt = "" if certain or ratio.low is None else ", which may be chance"
        text = f"{label} take {times(ratio.value)} as long when {slowdown.at_once} are measured at once on a host"
        yield Finding(times(ratio.value), f"{text} {sure(ratio)}{doubt}", "warn" if certain else "plain")


def uses_found(material: Material, uses: Mapping[str, Mapping[str, Use]]) -> Iterator[Finding]:
    """The parameter that changed most how many tasks worked at once."""
    compared = [
        _compared(key, phase, [(uses[run.name][phase], shown(run.varied.get(key))) for run in runs])
        for key in material.varied
        if key != "caching"
        for phase in dict.fromkeys(phase for by_phase in uses.values() for phase in by_phase)
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
    counts = Counter(run.verdict for run in material.runs)
    failed = sum(run.state in ("failed", "lost") for run in material.runs)
    damaged = sum(run.state == "damaged" for run in material.runs)
    doubtful = counts["suspect"] + counts["invalid"]
    total = len(material.runs)
    if doubtful or failed or damaged:
        words = [f"{counts[word]} {word}" for word in ("suspect", "invalid") if counts[word]]
        words += [f"{failed} failed or lost"] if failed else []
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
    caching: Caching | None,
    models: Sequence[TimeModel],
    uses: Mapping[str, Mapping[str, Use]],
    slowdowns: Sequence[Slowdown],
    extra: Sequence[Finding],
) -> list[Finding]:
    """All findings, the most important first; `extra` are those of the experiment alone."""
    return list(
        itertools.chain(
            series_compared(material),
            parameters_compared(material),
            caching_found(material, caching),
            slowdowns_found(material, slowdowns),
            uses_found(material, uses),
            extra,
            models_found(material, models),
            verdicts_found(material),
        )
    )
