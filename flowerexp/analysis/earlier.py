"""Read files that an earlier version wrote, in today's format: the only module that knows both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp import records

# The names in a summary of earlier versions, in which every experiment counted images in batches.
_FIELDS = {
    "images": "count",
    "timed_images": "timed_count",
    "images_per_second": "rate",
    "steady_images_per_second": "steady_rate",
    "median_images_per_second": "median_rate",
    "min_images_per_second": "min_rate",
    "max_images_per_second": "max_rate",
    "first_batch_seconds": "first_seconds",
}
_EXPERIMENT = {"name": "read_speed", "unit": "images"}


_KEYS = {
    "reader": "grid.reader",
    **{f"grid.{key}": f"measure.{key}" for key in ("repetitions", "seed", "concurrency")},
    **{f"grid.{key}": f"entrypoint.settings.{key}" for key in ("on_short", "page_cache")},
}


def key_today(key: str, config: Mapping[str, Any]) -> str:
    """Today's name of a config key.

    Args:
        key: with dots.
        config: a recorded config that has it, perhaps of an earlier version.
    """
    return key if "measure" in config else _KEYS.get(key, key)


def find_summary(path: Path, wanted: Mapping[str, Any] = records.SUMMARY) -> records.Json | None:
    """Read a run's ``summary.json``, of this version or an earlier one.

    Args:
        path: the file's.
        wanted: what it must hold, see `records.read`.

    Returns:
        The summary as `analyse` writes it today; None if there is no such file.

    Raises:
        DataError: it is damaged; the message names the file.
        MachineError: it cannot be read.
    """
    summary = records.find(path)
    if summary is None:
        return None
    if "experiment" not in summary:
        summary = {**summary, "experiment": _EXPERIMENT, "groups": _renamed(summary.get("groups"))}
    if isinstance(summary["experiment"], dict) and "value" not in summary["experiment"]:
        summary = _led_by_the_rate(summary)
    records.check(summary, path, wanted)
    return summary


def _led_by_the_rate(summary: records.Json) -> records.Json:
    """A summary of an earlier version, whose intervals are those of the total rate in every experiment."""
    experiment, groups = summary["experiment"], summary.get("groups")
    declared = {**experiment, "value": f"{experiment.get('unit')}_per_second"}
    if isinstance(groups, list) and all(isinstance(each, dict) and "rate" in each for each in groups):
        groups = [{**group, "value": group["rate"]} for group in groups]
    return {**summary, "experiment": declared, "groups": groups}  # damaged groups are left to the check


def _renamed(groups: Any) -> Any:
    if isinstance(groups, list):
        return [_renamed(group) for group in groups]
    if not isinstance(groups, dict):
        return groups
    return {_FIELDS.get(key, key): _renamed(value) if key == "cells" else value for key, value in groups.items()}
