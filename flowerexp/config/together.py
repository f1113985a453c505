"""What only together is wrong in a config whose values are right one by one; nothing is built to find it out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from flowerexp.config.kinds import CLUSTERS
from flowerexp.config.origin import Origin
from flowerexp.errors import ConfigError
from flowerexp.workload import formats

MOST_MEASUREMENTS = 1_000_000
"""Of one run: cells x repetitions."""
_MOST_LABELS = 30  # of 32, two are ours
_OURS = "flowerexp-"


def check_together(config: Mapping[str, Any], origin: Origin) -> None:
    """Refuse what fits no run.

    Args:
        config: with each value checked by itself.
        origin: how it was composed, for messages.

    Raises:
        ConfigError: the grid has too many cells, a zone lies in another region, labels would be left out, or the
            experiment refuses values that are combined, it is not said in one way how many shards there are, the format
            of these does not know their compression, or rounds of what it measures once; or a bucket cannot be
            simulated.
    """
    _check_grid(config, origin)
    _check_until(config, origin)
    _check_concurrency(config, origin)
    _check_zones(config["cluster"], origin)
    _check_labels(config["cluster"].get("labels") or {}, origin)
    _check_refusals(config, origin)
    _check_shards(config.get("preprocess"), origin)
    _check_bucket(config, origin)


def _check_grid(config: Mapping[str, Any], origin: Origin) -> None:
    grid, repetitions = config["grid"], config["measure"]["repetitions"]
    count = math.prod(map(len, grid.values())) * repetitions
    if count > MOST_MEASUREMENTS:
        sizes = " x ".join(f"{len(values):,} of {name}" for name, values in grid.items() if len(values) > 1)
        problem = f"{sizes} x {repetitions:,} repetitions are {count:,} measurements"
        hint = f"a run may have {MOST_MEASUREMENTS:,}: take fewer values, or several runs"
        longest = max(grid, key=lambda name: len(grid[name]), default="")
        raise ConfigError(problem, where=f"{origin.of(f'grid.{longest}')} (grid)", hint=hint)


def _check_until(config: Mapping[str, Any], origin: Origin) -> None:
    experiment = config["entrypoint"]
    if config["measure"]["until"] and not experiment["repeatable"]:
        key = "measure.until"
        problem = f"{key} is not for {experiment['name']}: a repetition would find its results and measure nothing"
        raise ConfigError(problem, where=origin.of(key), hint="set it to null")


def _check_concurrency(config: Mapping[str, Any], origin: Origin) -> None:
    if config["entrypoint"]["where"] == "driver" and config["measure"]["concurrency"] > 1:
        key = "measure.concurrency"
        problem = f"{key}={config['measure']['concurrency']} is not for {config['entrypoint']['name']}"
        hint = "its measurements are jobs of the driver, one after the other: set it to 1"
        raise ConfigError(problem, where=origin.of(key), hint=hint)


def _check_zones(cluster: Mapping[str, Any], origin: Origin) -> None:
    for zone in cluster.get("zones") or ():
        if not zone.startswith(f"{cluster['region']}-"):
            key = origin.source("cluster.zones")
            problem = f"{key}={zone} does not lie in the region {cluster['region']}"
            raise ConfigError(problem, where=origin.of(key), hint="set gcp.region and gcp.zones to fit")


def _check_labels(labels: Mapping[str, Any], origin: Origin) -> None:
    """Refuse labels that would be left out; others are written as Google takes them, in small letters and hyphens."""
    key = "cluster.labels"
    if len(labels) > _MOST_LABELS:
        raise ConfigError(f"{key} has {len(labels)} labels", where=origin.of(key), hint=f"{_MOST_LABELS} are allowed")
    for name in map(str, labels):
        if not re.search("[A-Za-z]", name):
            problem = f"{key}.{name} is not a label of Google Cloud"
            raise ConfigError(problem, where=origin.of(key), hint="begin its key with a letter")
        if name.lower().startswith(_OURS):
            raise ConfigError(
                f"{key}.{name} is a label that flowerexp sets", where=origin.of(key), hint="choose another key"
            )


def _check_shards(preprocess: Mapping[str, Any] | None, origin: Origin) -> None:
    if not preprocess:
        return
    shards, size = preprocess["shards"], preprocess["shard_mb"]
    if (shards is None) == (size is None):
        said = f"preprocess.shards={shards} and preprocess.shard_mb={size:g} both say" if size else "nothing says"
        problem, hint = f"{said} how many files are written", "set one of preprocess.shards and preprocess.shard_mb"
        raise ConfigError(problem, where=origin.of("preprocess.shards"), hint=hint)
    compression = preprocess["compression"]
    if compression is not None and compression not in (form := formats.of(preprocess["format"])).compressions:
        known = f"set {', '.join((*form.compressions, 'null')[:-1])} or null" if form.compressions else "set it to null"
        problem = f"{form.title} files have no compression '{compression}'"
        raise ConfigError(problem, where=f"{origin.of('preprocess.compression')} (preprocess.compression)", hint=known)


def _check_refusals(config: Mapping[str, Any], origin: Origin) -> None:
    """Refuse values that the experiment cannot measure together."""
    for refusal in config["entrypoint"]["refuses"]:
        when = refusal["when"]
        if all(_holds(config, key, value) for key, value in when.items()):
            first, *others = (f"{key}={value}" for key, value in when.items())
            problem = f"{first} does not go with {' and '.join(others)}: {refusal['because']}"
            raise ConfigError(problem, where=origin.of(next(iter(when))), hint=refusal["hint"])


_OF_A_BUCKET = ("latency_ms", "bandwidth_mb_s", "connection_mb_s", "jitter")


def _check_bucket(config: Mapping[str, Any], origin: Origin) -> None:
    """Refuse a simulated bucket where nothing is read through it, or where there is a real one."""
    storage, experiment = config["storage"], config["entrypoint"]
    key = next((f"storage.{name}" for name in _OF_A_BUCKET if storage[name] is not None), None)
    if key is None:
        return
    value = f"{key}={storage[key.partition('.')[2]]:g}"
    if not experiment["simulates_bucket"]:
        problem = f"{value} has no effect: {experiment['name']} reads nothing through a simulated bucket"
        raise ConfigError(problem, where=origin.of(key), hint="leave it out")
    if storage["jitter"] is not None and not storage["latency_ms"]:
        problem = f"storage.jitter={storage['jitter']:g} has no effect without storage.latency_ms"
        raise ConfigError(problem, where=origin.of("storage.jitter"), hint="set that too, or leave both out")
    cluster = config["cluster"]
    if not CLUSTERS.find(cluster["kind"]).on_this_machine:
        problem = (
            f"{value} does not go with cluster={cluster['name'] or cluster['kind']}: a bucket is simulated here only"
        )
        hint = "choose cluster=local or cluster=local_nodes, or leave it out, since that cluster has real buckets"
        raise ConfigError(problem, where=origin.of(key), hint=hint)
    dataset = config.get("dataset") or {}
    places = {f"dataset.{name}": place for name, place in dataset.items()}
    places |= {f"storage.{name}": storage[name] for name in ("generated", "prepared")}
    for name, place in places.items():
        if isinstance(place, str) and "://" in place:
            problem = f"{value} does not go with {name}={place}, which is not a folder of this machine"
            raise ConfigError(problem, where=origin.of(name), hint=f"leave {key} out, or choose a folder")


def _holds(config: Any, key: str, value: Any) -> bool:
    """Has a key this value, if only among others?"""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return value in config if isinstance(config, list) else bool(config == value)
