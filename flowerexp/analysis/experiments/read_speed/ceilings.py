"""Compare rates with the ceilings of the hosts that they were measured on: a finding and a section of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from flowerexp.analysis.drawing import number
from flowerexp.analysis.experiments.read_speed import roofline
from flowerexp.analysis.experiments.read_speed.limits import (
    CORES,
    DECODE,
    DISK,
    NETWORK,
    Ceiling,
    Ceilings,
    Reading,
    against_limits,
)
from flowerexp.analysis.experiments.read_speed.readers import IMAGE_FILES, TFRECORDS, data_of, keeps_decoded
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding, Section, Table
from flowerexp.analysis.report.rows import of_runs
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.timing import time_models
from flowerexp.measurements.table import Measurements

_WHAT: dict[Ceiling, str] = {
    "cpu": "what the host's vCPUs can decode",
    "network": "the host's network",
    "disk": "the host's disk",
}


def limits_of(material: Material, some: Measurements) -> dict[tuple[str, str], Ceilings]:
    """Rates against the ceilings of their hosts, by reader and cluster; the fastest run of each.

    Args:
        material: the material.
        some: timed measurements, from which each cluster's decoding rate is taken where it was not measured on its own.
    """
    limits: dict[tuple[str, str], Ceilings] = {}
    for cluster in dict.fromkeys(run.cluster for run in material.measured):
        runs = {run.name: run for run in material.measured if run.cluster == cluster}
        places, names = some.texts("run")
        models = time_models(some.where(np.array([name in runs for name in names], bool)[places]))
        decode = {model.series: 1 / term.value for model in models if (term := model.terms["per_unit"]).value > 0}
        for reader in dict.fromkeys(reader for run in runs.values() for reader in run.rates):
            fastest = max(
                (run for run in runs.values() if reader in run.rates), key=lambda run: _of_a_host(run, reader)
            )
            ceilings = _against(material, fastest, reader, decode.get(reader))
            if ceilings:
                limits[reader, cluster] = ceilings
    return limits


def _of_a_host(run: Run, reader: str) -> float:
    return float(run.rates[reader]["rate"]) * run.at_once


def _against(material: Material, run: Run, reader: str, decode: float | None) -> Ceilings | None:
    size = _bytes_per_image(run, reader)
    if size is None:
        return None
    facts = {name: value for name, value in run.facts.items() if isinstance(value, int | float)}
    limits = {**({DECODE: decode} if decode else {}), CORES: facts.get("cores", 0), **facts}
    bucket = run.config.storage.simulated if run.config else None
    if bucket and bucket.bandwidth_mb_s:
        limits[NETWORK] = bucket.bandwidth_mb_s
    rows = of_runs(material.timed[["run", "series", "host", "page_cache"]], [run])
    rows = rows[rows["series"] == reader]
    # Hosts that happened to measure nothing are counted by the ceilings of all hosts, where these are known.
    known = next((facts[f"{name}/cluster"] / facts[name] for name in (NETWORK, DISK) if f"{name}/cluster" in facts), 0)
    hosts = max(round(known), rows["host"].nunique(), 1)
    warm = bool((rows["page_cache"] == "warm").all())
    rate = run.rates[reader]["rate"]
    return against_limits(Reading(rate, size, _is_remote(run, reader), warm, run.at_once, hosts), limits)


def _is_remote(run: Run, reader: str) -> bool:
    config = run.config
    if config is None or config.dataset is None:
        return False
    if config.storage.simulated:
        return True
    place = getattr(config.dataset, "path", None)
    if data_of(reader) != IMAGE_FILES:
        existing = config.dataset.tfrecords if data_of(reader) == TFRECORDS else None
        place = existing or config.storage.prepared
    return "://" in str(place or "").removeprefix("file://")


def _bytes_per_image(run: Run, reader: str) -> float | None:
    if keeps_decoded(reader):  # nothing was read, so that no disk or network limits it
        return None
    data = data_of(reader)
    names = ("bytes", "images") if data == IMAGE_FILES else ("prepared_bytes", "prepared_images")
    size, count = (run.facts.get(name) for name in names)
    size = run.facts.get(f"prepared_bytes/{data}", size)  # of a run that has read several formats
    return size / count if size and count else None


def findings(material: Material, limits: Mapping[tuple[str, str], Ceilings]) -> Iterator[Finding]:
    """How near the fastest came to what its host allows."""
    if limits:
        (reader, cluster), nearest = max(limits.items(), key=lambda item: item[1].fraction)
        reached = f"{number(nearest.achieved)} of {number(nearest.ceilings[nearest.limit])} images/s"
        text = f"of {_WHAT[nearest.limit]}, reached by {material.label(reader)} on {cluster}: {reached}"
        yield Finding(f"{nearest.fraction:.0%}", text)


def section(material: Material, limits: Mapping[tuple[str, str], Ceilings]) -> Section:
    """Achieved rates under the ceilings of a host."""
    section = Section("limits", "What limits it")
    if not limits:
        return section
    section.text.append(
        "No rate can exceed the lowest ceiling of its host. A rate near that ceiling is limited by it; a rate far "
        "below is limited by something else, such as the latency of files, or a task that uses one of several vCPUs."
    )
    section.draw(
        roofline.roofline(material, limits),
        "Dots are achieved rates; lines are what the host allows. The ceiling of decoding is the measured rate of one "
        "vCPU times the number of vCPUs.",
    )
    lines = [
        [
            material.label(reader),
            cluster,
            number(ceilings.bytes_per_image / 1000),
            number(ceilings.achieved),
            roofline.CEILINGS[ceilings.limit],
            number(ceilings.ceilings[ceilings.limit]),
            f"{ceilings.fraction:.0%}",
        ]
        for (reader, cluster), ceilings in limits.items()
    ]
    head = ["reader", "cluster", "kB an image", "images/s", "lowest ceiling", "its images/s", "achieved"]
    section.tables.append(Table(head, lines, frozenset({2, 3, 5, 6})))
    return section
