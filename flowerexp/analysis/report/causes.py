"""The sections that say why: busy executors, ceilings, and what a batch and an image cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from flowerexp.analysis.limits import Limits
from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report import diagrams
from flowerexp.analysis.report import fits as pictures
from flowerexp.analysis.report.findings import LEAST_SECONDS
from flowerexp.analysis.report.gather import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.svg import name_of, number
from flowerexp.analysis.timing import Misfit, TimeModel
from flowerexp.analysis.utilisation import Use
from flowerexp.measurements.table import Measurements

HOSTS = {
    "cpu_percent": "CPU, %",
    "others_cpu_percent": "of other processes, %",
    "net_bytes_s": "network, MB/s",
    "disk_bytes_s": "disk, MB/s",
    "load_before": "load average before",
}
"""The columns that say what a host did during a measurement."""
MOST_JOBS = 4
"""Spark applications with a picture."""


def whereabouts(material: Material, uses: Mapping[str, Mapping[str, Use]]) -> Section:
    """Executors over time, and what tasks did, from Spark's event log."""
    section = Section("executors", "Where the time went")
    for log in material.logs[:MOST_JOBS]:
        section.draw(
            diagrams.busy_executors(log, material.runs_of(log)),
            "How many of an executor's cores had a task, over time; numbers above are "
            "runs. A task that waits for its turn to measure counts as busy.",
        )
    lines = []
    for run in material.measured:
        for phase, one in uses.get(run.name, {}).items():
            if one.seconds < LEAST_SECONDS:
                continue
            shuffled = one.shuffle_read + one.shuffle_written
            lines.append(
                [
                    run.name,
                    phase,
                    str(one.tasks),
                    number(one.seconds),
                    number(one.parallel),
                    f"{one.busy:.0%}",
                    f"{one.working} of {one.executors}",
                    f"{one.largest:.0%}",
                    number(one.run),
                    number(one.gc),
                    number(one.scheduling),
                    f"{shuffled / 1e6:,.1f}",
                ]
            )
    head = [
        "run",
        "phase",
        "tasks",
        "seconds",
        "at once",
        "cores busy",
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
    """What the hosts did during measurements, where that was recorded: medians by reader and host."""
    known = {name: head for name, head in HOSTS.items() if material.timed[name].notna().any()}
    if known:
        here = {run.name for run in material.measured if run.is_here}
        timed = material.timed.assign(host=material.timed["host"].mask(material.timed["run"].isin(here), diagrams.HERE))
        groups = timed.groupby(["series", "host"])[[*known]].median().reset_index().to_dict("records")
        lines = [
            [name_of(str(one["series"])), str(one["host"]), *(_rate(name, one[name]) for name in known)]
            for one in groups[:MOST_ROWS]
        ]
        yield Table(["reader", "host", *known.values()], lines, frozenset(range(2, 2 + len(known))))


def _rate(name: str, value: float) -> str:
    return "" if math.isnan(value) else number(value / 1e6 if name.endswith("bytes_s") else value)


def ceilings(limits: Mapping[tuple[str, str], Limits]) -> Section:
    """Achieved rates under the ceilings of a host."""
    section = Section("limits", "What limits it")
    if not limits:
        return section
    section.text.append(
        "The lowest ceiling of a host is what could limit reading at best. A rate near it is limited by it; one far "
        "below is limited by something else: the latency of files, or one task that uses one of several vCPUs."
    )
    section.draw(
        diagrams.roofline(limits),
        "Dots are achieved rates; lines are what the host allows. Decoding is what one vCPU was measured "
        "to need for an image, on all vCPUs.",
    )
    lines = [
        [
            name_of(reader),
            cluster,
            number(one.bytes_per_image / 1000),
            number(one.achieved),
            diagrams.CEILINGS[one.limit],
            number(one.ceilings[one.limit]),
            f"{one.fraction:.0%}",
        ]
        for (reader, cluster), one in limits.items()
    ]
    section.tables.append(
        Table(
            ["reader", "cluster", "kB an image", "images/s", "lowest ceiling", "its images/s", "achieved"],
            lines,
            frozenset({2, 3, 5, 6}),
        )
    )
    return section


def models_of(some: Measurements, fits: Sequence[Fit], models: Sequence[TimeModel]) -> Section:
    """The model of time beside the notebook's straight lines, and which of them fits."""
    section = Section("models", "What a batch and an image cost")
    for model in models:
        section.text += _judged(model)
    inflation = max((model.product_inflation or 0.0 for model in models), default=0.0)
    if inflation > 4:  # as if three in four measurements had not been made
        section.text.append(
            f"Batch size × batches is collinear with its factors (variance inflation {number(inflation)}): read the "
            "straight lines one by one, not as parts of one model."
        )
    section.draw(
        pictures.time_model(some, models),
        "Dots are cells; lines are the model seconds = fixed + per batch × batches + per image × images.",
    )
    if models:
        lines = []
        for model in models:
            terms = [model.terms.get(name) for name in ("fixed", "per_batch", "per_image")]
            cells = [
                f"{number(1000 * term.value)} ({_ends(term.low, term.high)})" if term else "with the image"
                for term in terms
            ]
            lines.append([name_of(model.series), *cells, str(model.n)])
        section.tables.append(
            Table(["reader", "fixed, ms", "per batch, ms", "per image, ms", "n"], lines, frozenset({1, 2, 3, 4}))
        )
    straight = [fit for fit in fits if fit.value == some.experiment.rate]
    section.draw(
        pictures.straight_lines(some, straight),
        "Straight lines as in the notebook: diamonds are averages (sum over sum), the band is "
        "the line's 95 % interval.",
    )
    lines = [
        [
            name_of(fit.series),
            fit.parameter.replace("_", " "),
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
        section.tables.append(
            Table(
                ["reader", "images/s against", "intercept", "slope", "95 % interval", "p", "R²", "n"],
                lines,
                frozenset(range(2, 8)),
            )
        )
    return section


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(1000 * low)} to {number(1000 * high)}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _judged(model: TimeModel) -> Iterator[str]:
    """What the tests say about a reader's models."""
    if model.straight and model.misfit:
        name = name_of(model.series)
        wrong = "cannot be refused" if model.straight.fits else "is the wrong model"
        right = "fits" if model.misfit.fits else "does not fit perfectly either"
        yield (
            f"{name[0].upper()}{name[1:]}: a straight line of images/s against images {wrong}: "
            f"{_misfit(model.straight)}. The model of seconds {right}: {_misfit(model.misfit)}."
        )


def _misfit(found: Misfit) -> str:
    return (
        f"it explains {found.r2:.0%} of the variance of the rates (lack of fit: F = {number(found.f)}, "
        f"{probability(found.p)})"
    )


def probability(p: float) -> str:
    """A probability as people write it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
