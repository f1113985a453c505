"""The accelerators that a reader can feed, by name: how long each takes for an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from flowerexp.workload import report

NONE, CUSTOM = "none", "custom"
FACT = "accelerator/{}_images_s"
"""The fact with the images that an accelerator takes in a second if it never waits."""


def seconds_an_image(names: Iterable[str], settings: Mapping[str, Any]) -> dict[str, float]:
    """The seconds that each accelerator computes for an image, without `none`; they become facts of the run.

    Args:
        names: of `accelerators.yaml`, or `custom`.
        settings: the experiment's, of which `custom` takes `accelerator_batch` and `accelerator_step_ms`.
    """
    chosen = [name for name in names if name != NONE]
    known = published() if {*chosen} - {CUSTOM} else {}
    seconds = {
        name: settings["accelerator_step_ms"] / 1000 / settings["accelerator_batch"]
        if name == CUSTOM
        else known[name]["step_seconds"] / known[name]["batch_size"]
        for name in chosen
    }
    for name, each in seconds.items():
        report.fact(FACT.format(name), 1 / each)
    return seconds


def published() -> dict[str, dict[str, Any]]:
    """The content of `accelerators.yaml`."""
    import yaml  # only runs that feed an accelerator need it

    text = resources.files(__package__).joinpath("accelerators.yaml").read_text(encoding="utf-8")
    content: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return content
