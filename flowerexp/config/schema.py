"""The structured configs: every key that a config may hold, with its type and range.

The YAML files in `conf/` hold the values; these classes hold what values are allowed. `metadata` of a field may hold
``min`` and ``max`` (inclusive, for a number or for each item of a list), ``above`` (exclusive), ``choices`` (for a
string or each item), ``pattern`` (likewise, with ``pattern_wanted`` and ``pattern_hint``, a text or a function of the
value), ``length`` (of a list), ``nonempty``, and ``texts`` (an open mapping whose values are text).

``role`` says what a key is for where no result depends on it, see `flowerexp.config.roles`: ``place`` is where things
are kept and logged on this machine, ``account`` where and within which limits the cloud is used, ``sweep`` how runs are
made of one command. A key without a role is part of what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from flowerexp.config import names
from flowerexp.experiment import Experiment


def _number(**limits: Any) -> Any:
    return field(default=MISSING, metadata=limits)


def _text(limits: Any, **others: Any) -> Any:
    return field(default=MISSING, metadata={**limits, **others})


def _optional(limits: Any, **others: Any) -> Any:
    return field(default=None, metadata={**limits, **others})


def _one_of(*choices: str) -> Any:
    return field(default=MISSING, metadata={"choices": choices})


def _list(**limits: Any) -> Any:
    return field(default=MISSING, metadata={"nonempty": True, **limits})


STORAGE_LEVELS = ("MEMORY_ONLY", "MEMORY_AND_DISK", "DISK_ONLY")
"""Of Spark, by its own names."""

_MOST_SEEDS = 2**63 - 1
_MEMORY = {"pattern": r"[1-9]\d{0,8}[kmgtKMGT]", "pattern_wanted": "a size", "pattern_hint": "write 512m or 2g"}
_ACCOUNT = {"role": "account"}
_PLACE_HINT = {"hint": "name your Google Cloud project: gcp.project=ID, or the variable GOOGLE_CLOUD_PROJECT"}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What every cluster has: the name of its shape, by default its kind, and further Spark properties."""

    name: str | None = None
    kind: str = MISSING
    spark: dict[str, Any] = field(default_factory=dict, metadata={"texts": True})


@dataclass(frozen=True, kw_only=True)
class Local(Cluster):
    """Spark in one process of this machine. Memory is the JVM's heap in Spark's notation (`1g`)."""

    cores: int | None = field(default=None, metadata={"min": 1, "max": 4096})
    memory: str = field(default="1g", metadata=_MEMORY)


@dataclass(frozen=True, kw_only=True)
class LocalNodes(Cluster):
    """A cluster on this machine: `nodes` executors of `cores` cores each, in processes of their own."""

    nodes: int = _number(min=1, max=256)
    cores: int = _number(min=1, max=256)
    executor_memory: str = field(default="1g", metadata=_MEMORY)
    memory: str = field(default="1g", metadata=_MEMORY)


@dataclass(frozen=True, kw_only=True)
class SparkMaster(Cluster):
    """A cluster that exists: any master that spark-submit takes. Job folders must lie where all its nodes see them."""

    master: str = field(
        default=MISSING,
        metadata={
            "pattern": r"(spark|k8s|mesos)://\S+|yarn|local(-cluster)?(\[.*\])?",
            "pattern_wanted": "a Spark master",
            "pattern_hint": "write cluster.master=spark://HOST:7077, or yarn",
        },
    )
    executor_memory: str = field(default="1g", metadata=_MEMORY)
    memory: str = field(default="1g", metadata=_MEMORY)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A virtual machine of Compute Engine, and its boot disk in GB (2^30 bytes, as Compute Engine counts them)."""

    machine_type: str = _text(names.MACHINE_TYPE)
    disk_type: str = _one_of("pd-standard", "pd-balanced", "pd-ssd")
    disk_gb: int = _number(min=10, max=65_536)


@dataclass(frozen=True, kw_only=True)
class Workers(Machine):
    """The workers of a cluster: none for a single node, else two or more."""

    count: int = _number(min=0, max=1000)


@dataclass(frozen=True, kw_only=True)
class Cloud(Cluster):
    """What every cluster of Google Cloud has.

    Attributes:
        project: the project's id.
        bucket: where jobs find their files and leave their results; made when it is missing.
        region: such as us-central1.
        subnetwork: its URI; None is the network named default.
        service_account: that the machines work as; None is the project's own for Compute Engine.
        internal_ip_only: no external addresses.
        packages: `stage` brings the packages that the entrypoints import; `image` means that the image has them.
        labels: further ones.
    """

    project: str = _text(names.PROJECT, **_PLACE_HINT, **_ACCOUNT)
    bucket: str = _text(names.BUCKET, **_PLACE_HINT, **_ACCOUNT)
    region: str = _text(names.REGION)
    subnetwork: str | None = _optional(names.SUBNETWORK, **_ACCOUNT)
    service_account: str | None = _optional(names.SERVICE_ACCOUNT, **_ACCOUNT)
    internal_ip_only: bool = True
    packages: str = field(default="stage", metadata={"choices": ("stage", "image")})
    labels: dict[str, Any] = field(default_factory=dict, metadata={"texts": True, **_ACCOUNT})


@dataclass(frozen=True, kw_only=True)
class Dataproc(Cloud):
    """A Dataproc cluster that is created for a sweep and deleted after it.

    `zones` are tried one after the other when one has no machines left; none lets Dataproc choose.
    """

    zones: tuple[str, ...] = field(default=(), metadata={"unique": True, **names.ZONE})
    image_version: str = _text(names.IMAGE_VERSION)
    master: Machine = MISSING
    workers: Workers = MISSING
    idle_delete_minutes: int = _number(min=5, max=20_160, **_ACCOUNT)
    auto_delete_minutes: int = _number(min=10, max=20_160, **_ACCOUNT)


@dataclass(frozen=True, kw_only=True)
class Serverless(Cloud):
    """Dataproc batches: no cluster, `executors` of `cores` cores each, and a driver of as many."""

    runtime_version: str = _text(names.RUNTIME_VERSION)
    executors: int = _number(min=2, max=2000)
    cores: int = field(default=4, metadata={"choices_of_numbers": (4, 8, 16)})
    container: str | None = _optional(names.CONTAINER)
    ttl_minutes: int = _number(min=10, max=20_160, **_ACCOUNT)


CLUSTERS: dict[str, type[Cluster]] = {
    "local": Local,
    "local_nodes": LocalNodes,
    "spark_master": SparkMaster,
    "dataproc": Dataproc,
    "serverless": Serverless,
}


@dataclass(frozen=True, kw_only=True)
class Gcp:
    """The place in Google Cloud that cluster configs refer to."""

    project: str | None = None
    bucket: str | None = None
    region: str | None = None
    zones: tuple[str, ...] = field(default=(), metadata={"unique": True})
    subnetwork: str | None = None
    service_account: str | None = None


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What a region's quotas allow at once: fixed numbers, those that Compute Engine tells (`live`), or `none`."""

    source: str = field(default="none", metadata={"choices": ("fixed", "live", "none")})
    vcpus: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    in_use_addresses: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    ssd_gb: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    standard_disk_gb: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a sweep may cost, in US dollars, and a file of prices that is laid over the shipped one."""

    usd: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000_000})
    prices: str | None = None


@dataclass(frozen=True, kw_only=True)
class Features:
    """The names of the features that hold image and class in existing TFRecord files; a label of null: no class."""

    image: str = "image"
    label: str | None = "class"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What every data set has. `tfrecords` names existing TFRecord files to measure as they are."""

    kind: str = MISSING
    classes: tuple[str, ...] | None = field(default=None, metadata={"nonempty": True, "unique": True})
    tfrecords: str | None = _optional(names.PATH)
    features: Features = field(default_factory=Features)
    on_error: str = field(default="fail", metadata={"choices": ("fail", "skip")})
    on_warning: str = field(default="keep", metadata={"choices": ("keep", "skip", "fail")})


@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """Generated photographs: `images` of them, from `seed`."""

    images: int = _number(min=1, max=10_000_000)
    seed: int = _number(min=0, max=_MOST_SEEDS)


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """CLASS/*.jpg under `path`, here or in a bucket (`gs://`)."""

    path: str = _text(names.PATH)
    anonymous: bool = False


DATASETS: dict[str, type[Dataset]] = {"synthetic": Synthetic, "folder": Folder}


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which files are used: those whose seeded hash falls below `fraction`.

    `on_short` says what becomes of cells of a grid that need more than the sample has: `fail`, or `drop`.
    """

    fraction: float = field(default=MISSING, metadata={"above": 0, "max": 1})
    seed: int = _number(min=0, max=_MOST_SEEDS)
    on_short: str = field(default="fail", metadata={"choices": ("fail", "drop")})


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How every experiment is measured.

    Attributes:
        repetitions: how often each cell is measured.
        seed: of the order in which cells are measured.
        concurrency: measurements at once on one node; more disturb each other.
        warm_up_seconds: what a process may spend on work that is not measured, until that gets no faster.
        max_seconds: a measurement that takes longer is stopped; None for no limit.
        storage_level: of Spark, for what `caching: true` caches; None for Spark's own default.
    """

    repetitions: int = _number(min=1, max=100_000)
    seed: int = field(default=0, metadata={"min": 0, "max": _MOST_SEEDS})
    concurrency: int = field(default=1, metadata={"min": 1, "max": 1024})
    warm_up_seconds: float = field(default=10.0, metadata={"min": 0, "max": 86_400})
    max_seconds: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000})
    storage_level: str | None = field(default=None, metadata={"choices": STORAGE_LEVELS})


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How photographs become TFRecord files; target_size is (height, width) in pixels, orientation which way is up."""

    partitions: int = _number(min=1, max=100_000)
    target_size: tuple[int, ...] = _list(min=1, max=16_384, length=2)
    quality: int = _number(min=1, max=100)
    exact: bool = MISSING
    orientation: str = field(default="stored", metadata={"choices": ("stored", "exif")})


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where data that flowerexp makes is kept: folders, or gs:// URIs."""

    generated: str = _text(names.PATH)
    prepared: str = _text(names.PATH)


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """The MLflow store: its URI, where a local store keeps artifacts, and the MLflow experiment's name."""

    uri: str = MISSING
    artifacts: str | None = None
    experiment: str = MISSING


@dataclass(frozen=True, kw_only=True)
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
    zip: tuple[Any, ...] = ()
    exclude: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run's whole config.

    Attributes:
        cluster: where it runs.
        entrypoint: the experiment.
        grid: the values of each of its parameters.
        measure: how it is measured.
        dataset: the data, if the experiment uses some; likewise `sampling` and `preprocess`.
        storage: where data that flowerexp makes is kept.
        tracking: where runs are logged.
        caching: whether what is measured is cached.
        repeat: which repeat of a sweep it is.
        sweep: what the sweep varies.
        skip_finished: whether runs of a sweep are skipped whose results are in the store.
        gcp: the place in Google Cloud.
        quota: what may be used at once.
        budget: what a sweep may cost.
        home: the folder that data/, outputs/ and mlruns/ are in.
    """

    cluster: Cluster = MISSING
    entrypoint: Experiment = MISSING
    grid: Mapping[str, Any] = field(default_factory=dict)
    measure: Measure = MISSING
    dataset: Dataset | None = None
    sampling: Sampling | None = None
    preprocess: Preprocess | None = None
    storage: Storage = field(default=MISSING, metadata={"role": "place"})
    tracking: Tracking = field(default=MISSING, metadata={"role": "place"})
    caching: bool = MISSING
    repeat: int = field(default=1, metadata={"min": 1, "max": 100_000})
    sweep: Sweep = field(default=MISSING, metadata={"role": "sweep"})
    skip_finished: bool = field(default=False, metadata={"role": "sweep"})
    gcp: Gcp = field(default_factory=Gcp, metadata=_ACCOUNT)
    quota: Quota = field(default_factory=Quota, metadata=_ACCOUNT)
    budget: Budget = field(default_factory=Budget, metadata=_ACCOUNT)
    home: str = _text(names.HOME, role="place")
