"""Rows as read_speed writes them, with known rates."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from flowerexp.config import typed
from flowerexp.config.declared import infer_types
from flowerexp.config.origin import Origin
from flowerexp.config.places import config_folder
from flowerexp.experiment import Experiment
from flowerexp.measurements.loading import from_rows
from flowerexp.measurements.table import Measurements

FIXED = {"tfrecords": (0.013, 336e-6), "image_files": (0.051, 821e-6)}  # seconds a measurement, seconds an image


def row(reader: str = "tfrecords", size: int = 2, number: int = 3, repetition: int = 1, **more: Any) -> dict[str, Any]:
    fixed, each = FIXED.get(reader, (0.02, 500e-6))
    images = size * number
    return {
        "reader": reader,
        "batch_size": size,
        "batch_number": number,
        "repetition": repetition,
        "execution": 1,
        "images": images,
        "batches": number,
        "seconds": fixed + each * images,
        "first_batch_seconds": fixed + each * size,
        "first_batch_images": size,
        "host": "a",
        "pid": 7,
        "neighbours": 0,
        "page_cache": "warm",
    } | more


def grid(
    sizes: tuple[int, ...] = (2, 4, 6, 8),
    numbers: tuple[int, ...] = (3, 6, 12, 18),
    repetitions: int = 3,
    readers: tuple[str, ...] = ("image_files", "tfrecords"),
    noise: float = 0.05,
) -> list[dict[str, Any]]:
    chance = random.Random(11)
    rows = [
        row(reader, size, number, repetition)
        for repetition in range(1, repetitions + 1)
        for reader in readers
        for size in sizes
        for number in numbers
    ]
    for one in rows:
        factor = chance.gauss(1, noise)
        one |= {name: one[name] * factor for name in ("seconds", "first_batch_seconds")}
    return rows


def written(file: int, seconds: float | None, images: int = 46) -> dict[str, Any]:
    """A row as write_shards writes it; without seconds the file was there already."""
    return {
        "file": f"part-{file:03}-of-016.{images}.tfrecord",
        "partition": file,
        "images": images,
        "bytes": images * 20_000,
        "seconds": seconds,
        "host": "a",
        "reused": seconds is None,
    }


def declared(name: str) -> Experiment:
    """An experiment of ours, as its YAML file declares it; the values of its settings are those of most runs."""
    content = yaml.safe_load((config_folder() / "entrypoint" / f"{name}.yaml").read_text(encoding="utf-8"))
    content.pop("defaults", None)
    infer_types(content, Origin())
    if content.get("settings"):
        content["settings"]["on_short"] = "fail"
    return typed(content, Experiment)


WHOLE, WRITE_SHARDS = declared("read_speed"), declared("write_shards")
READ_SPEED = WHOLE.in_play([{}])
"""What most runs measure: no optional parameter has another value than its default."""


def table(rows: Sequence[Mapping[str, Any]], of: Experiment | str = READ_SPEED) -> Measurements:
    """Rows as a table, of an experiment, or of one like read_speed with another name."""
    if of is READ_SPEED:
        named = {name: [row[name] for row in rows if name in row] for name in WHOLE.parameters}
        return from_rows(rows, WHOLE.in_play([{name: values for name, values in named.items() if values}]))
    return from_rows(rows, replace(READ_SPEED, name=of) if isinstance(of, str) else of)
