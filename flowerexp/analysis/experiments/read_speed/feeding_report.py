"""Say whether readers feed an accelerator: a finding for each accelerator, and a section with what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from flowerexp.analysis import words
from flowerexp.analysis.drawing import number
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.experiments.read_speed.feeding import ACCELERATOR, COLUMNS, GOAL, Fed, epochs_until_paid, fed_in
from flowerexp.analysis.experiments.read_speed.readers import data_of
from flowerexp.analysis.report.evidence import believed
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding, Section, Table
from flowerexp.analysis.report.runs import Run, short, shown
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements
from flowerexp.workload.read_speed.readers import PREPARING

PRICE = "accelerator_usd_hour"


def all_fed(material: Material, runs: Sequence[Run]) -> list[tuple[Run, list[Fed]]]:
    """By setting, one of its runs and all accelerators that were fed in it; nothing where none was fed."""
    by_setting: dict[str, list[Run]] = {}
    for run in runs:
        if run.config and any(name.startswith(f"{ACCELERATOR}/") for name in run.facts):
            varied = {key: value for key, value in run.varied.items() if key != "repeat"}
            label = " ".join(f"{short(key)}={shown(value)}" for key, value in varied.items())
            by_setting.setdefault(label, []).append(run)
    found = [
        (alike[0], fed_in([_rows(run) for run in alike], label, alike[0].facts)) for label, alike in by_setting.items()
    ]
    return [(run, fed) for run, fed in found if fed]


def _rows(run: Run) -> Measurements:
    assert run.config is not None
    experiment = run.config.entrypoint
    parts = experiment.parts
    of_parts = [parts.count, parts.first_count, parts.first_seconds] if parts else []
    columns = [*experiment.parameters, experiment.count, "seconds", *of_parts, *COLUMNS]
    return Measurements(read_parquet(run.folder / "analysis" / "measurements.parquet", columns), experiment)


def findings(material: Material) -> Iterator[Finding]:
    """For each accelerator, how busy the best reader keeps it, and what the limit is; of valid runs only."""
    every = [fed for _, of_run in all_fed(material, believed(material)) for fed in of_run]
    for name in dict.fromkeys(fed.accelerator for fed in every):
        best = max((fed for fed in every if fed.accelerator == name), key=lambda fed: fed.utilisation.value)
        yield Finding(f"{best.utilisation.value:.0%}", sentence(material, best))


def sentence(material: Material, fed: Fed) -> str:
    """How busy an accelerator was, after the figure, and why: only what follows from what was measured."""
    with_ = ", ".join(filter(None, [material.label(fed.reader), fed.setting]))
    text = f"of its time {_name(material, fed)} is busy with {with_}{_between(fed.utilisation)}: {_why(fed)}"
    return text + (f" ({material.simulated})" if material.simulated else "")


def _why(fed: Fed) -> str:
    if fed.limit == "open":
        return f"whether it reaches {GOAL:.0%} is open; more repetitions would tell (`measure.repetitions`)"
    if fed.limit == "accelerator":
        feeds = fed.node_feeds
        return "the accelerator is the limit" + (f"; one node could feed {feeds:.1f} of them" if feeds else "")
    if fed.cpu_share is None or fed.needs_vcpus is None or fed.cores is None:
        return "the reader is the limit"
    if not fed.is_full:
        return (
            f"the reader is the limit, and used {fed.cpu_share:.0%} of {fed.cores:.0f} vCPUs: it waits, so more "
            "vCPUs alone would not help"
        )
    if fed.needs_vcpus <= fed.cores:
        return (
            f"the reader is the limit, and used {fed.cpu_share:.0%} of the {fed.cores:.0f} vCPUs, nearly all it needs"
        )
    more = number(fed.needs_vcpus - fed.cores)
    return (
        f"the reader is the limit, and used {fed.cpu_share:.0%} of {fed.cores:.0f} vCPUs; {GOAL:.0%} would take "
        f"{number(fed.needs_vcpus)}, which is {more} more, if these read as well as the first ones"
    )


def _name(material: Material, fed: Fed) -> str:
    return material.experiment.parameters[ACCELERATOR].labels.get(fed.accelerator) or fed.accelerator


def _between(interval: Interval, share: bool = True) -> str:
    if interval.low is None or interval.high is None:
        return ""
    ends = [f"{end:.0%}" if share else number(end) for end in (interval.low, interval.high)]
    return f" ({' to '.join(ends)})"


def section(material: Material) -> Section:
    """How busy accelerators were with each reader, and what follows."""
    section = Section("feeding", "Does it feed the accelerator?")
    every = all_fed(material, material.measured)
    if not every:
        return section
    section.text.append(
        "An accelerator is busy while it computes a step, and idle while it waits for a batch. It is simulated: a step "
        "is a pause as long as MLPerf Storage's configurations say, in proportion to the images of a batch, or as long "
        "as the settings say. What came before the first batch does not count."
    )
    section.text += [f"Here {material.simulated}."] if material.simulated else []
    prices = {run.config.entrypoint.settings.get(PRICE) for run, _ in every if run.config} - {None}
    if not prices:
        section.text.append(
            f"What an epoch costs is left out: no price of an accelerator is set (`entrypoint.settings.{PRICE}`)."
        )
    head = ["setting", words.parameter(material.experiment, "reader"), "accelerator", "busy", "95 % interval"]
    head += ["waiting, ms a batch", "images/s fed", "images/s alone", "µs of CPU an image", "vCPUs for 90 %"]
    head += ["accelerators a node feeds", "epochs until preparing pays off"]
    head += ["dollars an epoch", "idle dollars an epoch"] if prices else []
    lines = [_line(material, run, fed, of_run, bool(prices)) for run, of_run in every for fed in of_run]
    section.tables.append(Table(head, lines, frozenset(range(3, len(head)))))
    return section


def _line(material: Material, run: Run, fed: Fed, of_run: Sequence[Fed], priced: bool) -> list[str]:
    images = run.facts.get("images") or run.facts.get("prepared_images")
    line = [fed.setting, material.label(fed.reader), _name(material, fed), f"{fed.utilisation.value:.0%}"]
    line += [_between(fed.utilisation).strip(" ()"), number(fed.waiting * 1000), number(fed.rate.value)]
    line += [_shown(fed.alone and fed.alone.value), _shown(fed.cpu and fed.cpu * 1e6), _shown(fed.needs_vcpus)]
    line += [_shown(fed.node_feeds), _paid(material, fed, of_run, images)]
    if priced:
        price = run.config.entrypoint.settings.get(PRICE) if run.config else None
        dollars = fed.epoch_dollars(images, price) if images and price else None
        line += [f"{each:.4g}" for each in dollars] if dollars else ["", ""]
    return line


def _paid(material: Material, fed: Fed, of_run: Sequence[Fed], images: float | None) -> str:
    name = f"{PREPARING}/{data_of(fed.reader)}"
    known = [run.facts[name] for run in material.measured if name in run.facts]
    epochs = epochs_until_paid(fed, of_run, images, fmean(known)) if images and known else None
    return f"{epochs:,}" if epochs is not None else ""


def _shown(value: Any) -> str:
    return number(value) if value else ""
