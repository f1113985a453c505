"""The sections that explain the results: how busy executors were, and where the seconds of a measurement go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from flowerexp.analysis import words
from flowerexp.analysis.drawing import number
from flowerexp.analysis.lines import MOST_DOTS, SPANS
from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report import diagrams
from flowerexp.analysis.report import fits as pictures
from flowerexp.analysis.report.findings import LEAST_SECONDS
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.timing import TERMS, Misfit, TimeModel
from flowerexp.analysis.utilisation import Use
from flowerexp.experiment import Experiment
from flowerexp.measurements.table import Measurements

HOSTS = {
    "cpu_percent": "CPU, %",
    "others_cpu_percent": "of other processes, %",
    "net_bytes_s": "network, MB/s",
    "disk_bytes_s": "disk, MB/s",
    "load_before": "load average before",
}
"""The columns that say how busy a host was during a measurement, with their heads."""
MOST_JOBS = 4
"""The most Spark applications that have a picture."""


def whereabouts(material: Material, uses: Mapping[str, Mapping[str, Use]]) -> Section:
    """Executors over time, and what tasks did, from Spark's event log."""
    section = Section("executors", "Where the time went")
    for log in material.logs[:MOST_JOBS]:
        section.draw(
            diagrams.busy_executors(log, material.runs_of(log)),
            "Executor cores with a task, over time. Dark: working. Pale: waiting for their turn to measure, because "
            "measurements on one host slow each other down. Numbers above are runs.",
        )
    lines = []
    for run in material.measured:
        for phase, use in uses.get(run.name, {}).items():
            if use.seconds < LEAST_SECONDS:
                continue
            shuffled = use.shuffle_read + use.shuffle_written
            lines.append(
                [
                    run.name,
                    phase,
                    str(use.tasks),
                    number(use.seconds),
                    number(use.parallel),
                    f"{use.busy:.0%}",
                    f"{use.waiting:.0%}",
                    f"{use.working} of {use.executors}",
                    f"{use.largest:.0%}",
                    number(use.run),
                    number(use.gc),
                    number(use.scheduling),
                    f"{shuffled / 1e6:,.1f}",
                ]
            )
    head = [
        "run",
        "phase",
        "tasks",
        "seconds",
        "at once",
        "cores at work",
        "waiting for their turn",
        "executors with work",
        "share of the busiest",
        "run time, s",
        "GC, s",
        "scheduling, s",
        "shuffle, MB",
    ]
    if lines:
        section.tables.append(Table(head, lines[:MOST_ROWS], frozenset(range(2, len(head)))))
    section.tables += _hosts(material)
    return section


def _hosts(material: Material) -> Iterator[Table]:
    """How busy the hosts were during measurements, where that was recorded: medians by series and host."""
    known = {name: head for name, head in HOSTS.items() if material.timed[name].notna().any()}
    if known:
        here = {run.name for run in material.measured if run.is_here}
        timed = material.timed[["run", "series", "host", *known]]
        timed = timed.assign(host=timed["host"].astype(object).mask(timed["run"].isin(here), diagrams.HERE))
        groups = timed.groupby(["series", "host"], observed=True)[[*known]].median().reset_index().to_dict("records")
        lines = [
            [material.label(str(group["series"])), str(group["host"]), *(_rate(name, group[name]) for name in known)]
            for group in groups[:MOST_ROWS]
        ]
        yield Table(
            [words.head(material.experiment), "host", *known.values()], lines, frozenset(range(2, 2 + len(known)))
        )


def _rate(name: str, value: float) -> str:
    return "" if math.isnan(value) else number(value / 1e6 if name.endswith("bytes_s") else value)


def models_of(
    material: Material, some: Measurements, fits: Sequence[Fit], swept: Sequence[Fit], models: Sequence[TimeModel]
) -> Section:
    """The model of seconds beside straight lines, and which of them fits.

    Args:
        material: the material.
        some: timed measurements.
        fits: straight lines through them.
        swept: straight lines through whole runs, against what the sweep varies.
        models: models of seconds.
    """
    section, which = Section("models", "Where the seconds of a measurement go"), material.experiment
    for model in models:
        section.text += _judged(material, model)
    if len(some) < len(material.timed):
        sampled = f"{len(some):,} of {len(material.timed):,}"
        section.text.append(f"Models, and lines through measurements, are fitted to a sample of these: {sampled}.")
    inflation = max((model.product_inflation or 0.0 for model in models), default=0.0)
    if inflation > 4:  # intervals are as wide as with a quarter of the measurements
        product = words.parameter(which, words.product(which.products[0]))
        section.text.append(
            f"{product[:1].upper()}{product[1:]} is collinear with its factors (variance inflation "
            f"{number(inflation)}): read each straight line by itself, not as part of one model."
        )
    terms = [term for term in TERMS if any(term in model.terms for model in models)]
    called = _called(which)
    sizes = {
        "per_part": f" × {which.parts.count.replace('_', ' ')}" if which.parts else "",
        "per_unit": f" × {which.unit}",
    }
    formula = " + ".join(f"{called[term]}{sizes.get(term, '')}" for term in terms)
    section.draw(
        pictures.time_model(material, some, models), f"Dots are cells; lines are the model seconds = {formula}."
    )
    if models:
        lines = [
            [material.label(model.series), *(_term(model, term, which) for term in terms), str(model.n)]
            for model in models
        ]
        head = [words.head(which), *(f"{called[term]}, ms" for term in terms), "n"]
        section.tables.append(Table(head, lines, frozenset(range(1, len(head)))))
    straight = [fit for fit in fits if fit.value == which.rate]
    shown = f", pale lines are the {SPANS} of the measurements" if any(fit.n > MOST_DOTS for fit in straight) else ""
    section.draw(
        pictures.straight_lines(material, some, straight),
        f"Straight lines: diamonds are averages (sum over sum), the band is the line's 95 % interval{shown}.",
    )
    section.tables += _lines(material, [*fits, *swept])
    return section


def _called(experiment: Experiment) -> dict[str, str]:
    """What the terms of the model of seconds are called."""
    part = experiment.parts.name if experiment.parts else "part"
    return dict(zip(TERMS, ("fixed", f"per {part}", f"per {experiment.one}"), strict=True))


def _term(model: TimeModel, name: str, experiment: Experiment) -> str:
    term = model.terms.get(name)
    return f"{number(1000 * term.value)} ({_ends(term.low, term.high)})" if term else f"within per {experiment.one}"


def _lines(material: Material, fits: Sequence[Fit]) -> Iterator[Table]:
    """The straight lines, a row each."""
    which = material.experiment
    lines = [
        [
            material.label(fit.series),
            fit.value.replace("_per_second", "/s").replace("_", " "),
            words.parameter(which, fit.parameter),
            number(fit.intercept),
            number(fit.slope),
            _span(fit.low, fit.high),
            "" if fit.p is None else probability(fit.p).removeprefix("p ").removeprefix("= "),
            f"{fit.r2:.2f}",
            str(fit.n),
        ]
        for fit in fits
    ]
    if lines:
        head = [words.head(which), "value", "against", "intercept", "slope", "95 % interval", "p", "R²", "n"]
        yield Table(head, lines, frozenset(range(3, 9)))


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(1000 * low)} to {number(1000 * high)}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _judged(material: Material, model: TimeModel) -> Iterator[str]:
    """Which models of a series the tests for lack of fit reject."""
    if model.straight and model.misfit:
        which, name = material.experiment, material.label(model.series)
        straight = "is not rejected" if model.straight.fits else "is rejected"
        seconds = "is not rejected" if model.misfit.fits else "is rejected"
        yield (
            f"{name[:1].upper()}{name[1:]}: a straight line of {which.rate_unit} against {which.unit} {straight}: "
            f"{_misfit(model.straight)}. The model of seconds {seconds}: {_misfit(model.misfit)}."
        )


def _misfit(misfit: Misfit) -> str:
    return (
        f"it explains {misfit.r2:.0%} of the variance of the rates (lack of fit: F = {number(misfit.f)}, "
        f"{probability(misfit.p)})"
    )


def probability(p: float) -> str:
    """A probability as people write it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
