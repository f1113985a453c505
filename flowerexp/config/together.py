"""What only together is wrong in a config whose values are right one by one; nothing is built to find it out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from flowerexp.config.origin import Origin
from flowerexp.errors import ConfigError
from flowerexp.workload.read_speed.readers import IMAGE_FILES

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
        ConfigError: the grid has too many cells, a zone lies in another region, labels would be left out, or a reader
            cannot turn photographs.
    """
    _check_grid(config, origin)
    _check_zones(config["cluster"], origin)
    _check_labels(config["cluster"].get("labels") or {}, origin)
    _check_orientation(config, origin)


def _check_grid(config: Mapping[str, Any], origin: Origin) -> None:
    grid = config["grid"]
    lists = {"reader": config["reader"], **{key: grid[key] for key in ("batch_size", "batch_number")}}
    count = math.prod(map(len, lists.values())) * grid["repetitions"]
    if count > MOST_MEASUREMENTS:
        sizes = " x ".join(f"{len(values):,} of {name}" for name, values in lists.items())
        problem = f"{sizes} x {grid['repetitions']:,} repetitions are {count:,} measurements"
        hint = f"a run may have {MOST_MEASUREMENTS:,}: take fewer values, or several runs"
        raise ConfigError(problem, where=f"{origin.of('grid.batch_size')} (grid)", hint=hint)


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


def _check_orientation(config: Mapping[str, Any], origin: Origin) -> None:
    """Not every reader of photographs can turn them; what no reader is measured on may be turned in any case."""
    turned, measured = config["preprocess"]["orientation"] == "exif", config["entrypoint"]["name"] == "read_speed"
    if turned and measured and IMAGE_FILES in config["reader"]:
        raise ConfigError(
            f"preprocess.orientation=exif is not for reader={IMAGE_FILES}: tf.image.decode_jpeg does not apply it",
            where=origin.of("preprocess.orientation"),
            hint=f"choose reader={IMAGE_FILES}_native, which does, or set preprocess.orientation=stored",
        )
