"""The structured configs: every key that a config may hold, with its type and range.

The YAML files in `conf/` hold the values; these classes hold what values are allowed. `metadata` of a field may hold
``min`` and ``max`` (inclusive, for a number or for each item of a list), ``above`` (exclusive), ``choices`` (for a
string or each item), ``length`` (of a list), and ``nonempty``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

READERS = ("image_files", "tfrecords")


def _number(**limits: float) -> Any:
    return field(default=MISSING, metadata=limits)


def _one_of(*choices: str) -> Any:
    return field(default=MISSING, metadata={"choices": choices})


def _list(**limits: Any) -> Any:
    return field(default=MISSING, metadata={"nonempty": True, **limits})


@dataclass
class Cluster:
    """Where Spark runs. Memory is the JVM's heap in Spark's notation (`1g`)."""

    kind: str = _one_of("local")
    cores: int | None = field(default=None, metadata={"min": 1, "max": 4096})
    memory: str = field(default="1g", metadata={"pattern": r"\d+[kmgtKMGT]", "pattern_hint": "write 512m or 2g"})
    spark: dict[str, Any] = field(default_factory=dict)


@dataclass
class Dataset:
    """What every data set has. `tfrecords` names existing TFRecord files to measure as they are."""

    kind: str = MISSING
    classes: list[str] | None = field(default=None, metadata={"nonempty": True, "unique": True})
    tfrecords: str | None = None
    on_error: str = field(default="fail", metadata={"choices": ("fail", "skip")})


@dataclass
class Synthetic(Dataset):
    """Generated photographs: `images` of them, from `seed`."""

    images: int = _number(min=1, max=10_000_000)
    seed: int = _number(min=0)


@dataclass
class Folder(Dataset):
    """CLASS/*.jpg under `path`, here or in a bucket (`gs://`)."""

    path: str = MISSING
    anonymous: bool = False


DATASETS: dict[str, type[Dataset]] = {"synthetic": Synthetic, "folder": Folder}


@dataclass
class Sampling:
    """Which files are used: those whose seeded hash falls below `fraction`."""

    fraction: float = field(default=MISSING, metadata={"above": 0, "max": 1})
    seed: int = _number(min=0)


@dataclass
class Grid:
    """The cells to measure, batch_size x batch_number, and how."""

    batch_size: list[int] = _list(min=1, max=1_000_000, unique=True)
    batch_number: list[int] = _list(min=1, max=1_000_000, unique=True)
    repetitions: int = _number(min=1, max=100_000)
    concurrency: int = field(default=1, metadata={"min": 1, "max": 1024})
    seed: int = field(default=0, metadata={"min": 0})
    on_short: str = field(default="fail", metadata={"choices": ("fail", "drop")})
    page_cache: str = field(default="warm", metadata={"choices": ("warm", "cold", "as_found")})


@dataclass
class Preprocess:
    """How photographs become TFRecord files; target_size is (height, width) in pixels."""

    partitions: int = _number(min=1, max=100_000)
    target_size: list[int] = _list(min=1, max=16_384, length=2)
    quality: int = _number(min=1, max=100)
    exact: bool = MISSING


@dataclass
class Entrypoint:
    """A script that runs on the cluster; `settings` are its own, passed on as they are."""

    name: str = MISSING
    script: str = MISSING
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Storage:
    """Where data that flowerexp makes is kept: folders, or gs:// URIs."""

    generated: str = MISSING
    prepared: str = MISSING


@dataclass
class Tracking:
    """The MLflow store: its URI, where a local store keeps artifacts, and the MLflow experiment's name."""

    uri: str = MISSING
    artifacts: str | None = None
    experiment: str = MISSING


@dataclass
class Sweep:
    """What `-m` sweeps over beside the command line's comma-separated values, and how often.

    Attributes:
        repeats: how often the whole sweep is run, one block after the other.
        axes: keys (or config groups) with their values: a list, or a string in Hydra's grammar (`range(1,4)`).
        zip: groups of axes whose values move together: each a mapping of keys to lists of one length.
        exclude: combinations to leave out: each a mapping of keys to a value.
    """

    repeats: int = field(default=1, metadata={"min": 1, "max": 100_000})
    axes: dict[str, Any] = field(default_factory=dict)
    zip: list[Any] = field(default_factory=list)
    exclude: list[Any] = field(default_factory=list)


@dataclass
class Config:
    """One run's whole config."""

    cluster: Cluster = MISSING
    dataset: Dataset = MISSING
    sampling: Sampling = MISSING
    grid: Grid = MISSING
    preprocess: Preprocess = MISSING
    entrypoint: Entrypoint = MISSING
    storage: Storage = MISSING
    tracking: Tracking = MISSING
    reader: list[str] = _list(choices=READERS, unique=True)
    caching: bool = MISSING
    repeat: int = field(default=1, metadata={"min": 1})
    sweep: Sweep = MISSING
    skip_finished: bool = False
    home: str = MISSING
