"""What a report derives from all runs of a sweep: caching pairs, rates against ceilings, and busy executors."""

from __future__ import annotations

import math

import numpy as np

from flowerexp.analysis.caching import Caching, Side, compare_caching
from flowerexp.analysis.interference import Slowdown, slowdowns
from flowerexp.analysis.limits import CORES, DECODE, DISK, NETWORK, Limits, against_limits
from flowerexp.analysis.report.gather import Material
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.timing import time_models
from flowerexp.analysis.utilisation import Use, by_phase
from flowerexp.measurements.table import Measurements
from flowerexp.workload.readers import IMAGE_FILES, TFRECORDS, data_of, keeps_decoded


def caching_of(material: Material) -> Caching | None:
    """The pairs of a sweep that varies caching."""
    runs = []
    for run in sorted(material.measured, key=lambda run: run.record.get("started_at", 0)):
        groups = list(run.rates.values())
        measured = sum(group["measurements"] for group in groups)
        if run.record.get("state") == "finished" and measured and "caching" in run.config:
            executions = sum(group["executions"] for group in groups) / measured
            rates = {group["name"]: group["rate"] for group in groups}
            seconds = float(run.record.get("phases", {}).get("measure", 0.0))
            runs.append((run.config, Side(run.name, seconds, executions, rates)))
    return compare_caching(runs)


def slowdowns_of(material: Material) -> list[Slowdown]:
    """What measuring several at a time costs, of a sweep that varies that."""
    if len({_tasks(run) for run in material.measured}) < 2:
        return []
    rows = {str(name): own for name, own in material.timed.groupby("run")}
    none = material.timed.iloc[:0]
    return slowdowns([(run.config, material.table_of(rows.get(run.name, none))) for run in material.measured])


def limits_of(material: Material, some: Measurements) -> dict[tuple[str, str], Limits]:
    """Rates against the ceilings of their hosts, by reader and cluster; the fastest run of each.

    Args:
        material: the material.
        some: timed measurements, from which each cluster's decoding rate is taken where it was not measured on its own.
    """
    found: dict[tuple[str, str], Limits] = {}
    for cluster in dict.fromkeys(run.cluster for run in material.measured):
        runs = {run.name: run for run in material.measured if run.cluster == cluster}
        places, names = some.texts("run")
        models = time_models(some.where(np.array([name in runs for name in names], bool)[places]))
        decode = {model.series: 1 / term.value for model in models if (term := model.terms["per_image"]).value > 0}
        for reader in dict.fromkeys(reader for run in runs.values() for reader in run.rates):
            fastest = max(
                (run for run in runs.values() if reader in run.rates), key=lambda run: _of_a_host(run, reader)
            )
            own = _against(material, fastest, reader, decode.get(reader))
            if own:
                found[reader, cluster] = own
    return found


def _tasks(run: Run) -> int:
    return int(run.config.get("grid", {}).get("concurrency") or 1)


def _of_a_host(run: Run, reader: str) -> float:
    return float(run.rates[reader]["rate"]) * _tasks(run)


def _against(material: Material, run: Run, reader: str, decode: float | None) -> Limits | None:
    size = _bytes_per_image(run, reader)
    if size is None:
        return None
    facts = {name: value for name, value in run.facts.items() if isinstance(value, int | float)}
    limits = {**({DECODE: decode} if decode else {}), CORES: facts.get("cores", 0), **facts}
    rows = material.timed[(material.timed["run"] == run.name) & (material.timed["series"] == reader)]
    # A host that happened to measure nothing is told by the ceilings of all hosts, where these are known.
    told = next((facts[f"{name}/cluster"] / facts[name] for name in (NETWORK, DISK) if f"{name}/cluster" in facts), 0)
    hosts = max(round(told), rows["host"].nunique(), 1)
    warm = bool((rows["page_cache"] == "warm").all())
    rate = run.rates[reader]["rate"]
    return against_limits(rate, limits, size, _is_remote(run, reader), warm, _tasks(run), hosts)


def _is_remote(run: Run, reader: str) -> bool:
    dataset, storage = run.config.get("dataset", {}), run.config.get("storage", {})
    place = dataset.get("path")
    if data_of(reader) == TFRECORDS:
        place = dataset.get("tfrecords") or storage.get("prepared")
    return "://" in str(place or "").removeprefix("file://")


def _bytes_per_image(run: Run, reader: str) -> float | None:
    if keeps_decoded(reader):  # nothing was read, so that no disk or network limits it
        return None
    names = {TFRECORDS: ("prepared_bytes", "prepared_images"), IMAGE_FILES: ("bytes", "images")}
    size, count = (run.facts.get(name) for name in names.get(data_of(reader), ("", "")))
    return size / count if size and count else None


def uses_of(material: Material) -> dict[str, dict[str, Use]]:
    """How each run used its executors, by the run's name and by phase."""
    found: dict[str, dict[str, Use]] = {}
    for log in material.logs:
        for run in material.runs_of(log):
            own = by_phase(log, run.record.get("started_at") or 0.0, run.record.get("ended_at") or math.inf)
            if own:
                found[run.name] = own
    return found
