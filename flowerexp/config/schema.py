"""The structured configs: every key that a config may hold, with its type and range.

The YAML files in `conf/` hold the values; these classes hold what values are allowed, see `flowerexp.config.fields`.
A cluster's and a data set's further keys are in the class that belongs to its kind, see `flowerexp.config.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from flowerexp.config import names
from flowerexp.config.fields import ACCOUNT, MOST_SEEDS, items, number, optional, text
from flowerexp.experiment import Experiment
from flowerexp.workload import formats
from flowerexp.workload.engine.until import FEWEST
from flowerexp.workload.images.shards import MOST as MOST_SHARDS

if TYPE_CHECKING:
    from flowerexp.storage.simulated import Pace

_A_SHARE = "write 5% or 0.05"

LIVE = "live"
"""Of `budget.prices`: Google is asked."""

STORAGE_LEVELS = ("MEMORY_ONLY", "MEMORY_AND_DISK", "DISK_ONLY")
"""Of Spark, by its own names."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What every cluster has: the name of its shape, by default its kind, and further Spark properties."""

    name: str | None = None
    kind: str = MISSING
    spark: dict[str, Any] = field(default_factory=dict, metadata={"texts": True})


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
    """What a region's quotas allow at once: fixed numbers, those that the cloud has left now (`live`), or `none`."""

    source: str = field(default="none", metadata={"choices": ("fixed", "live", "none")})
    vcpus: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    in_use_addresses: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    ssd_gb: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})
    standard_disk_gb: int | None = field(default=None, metadata={"min": 0, "max": 1_000_000_000})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a sweep may cost, in US dollars, and a file of prices that is laid over the shipped one, or `live`."""

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
    tfrecords: str | None = optional(names.PATH)
    features: Features = field(default_factory=Features)
    on_error: str = field(default="fail", metadata={"choices": ("fail", "skip")})
    on_warning: str = field(default="keep", metadata={"choices": ("keep", "skip", "fail")})


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which files are used: those whose seeded hash falls below `fraction`, and at least `least`, if there are as many.

    `on_short` says what becomes of cells of a grid that need more than the sample has: `fail`, or `drop`.
    """

    fraction: float = field(default=MISSING, metadata={"above": 0, "max": 1})
    seed: int = number(min=0, max=MOST_SEEDS)
    least: int = field(default=0, metadata={"min": 0, "max": 1_000_000})
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
        probe: whether the host's own speed is probed beside each measurement.
        until: cells are measured again until their 95 % interval reaches at most this share to each side; None to
            measure each cell `repetitions` times, which is the least with it.
        until_seconds: how long a run may measure to get there.
    """

    repetitions: int = number(min=1, max=100_000)
    seed: int = field(default=0, metadata={"min": 0, "max": MOST_SEEDS})
    concurrency: int = field(default=1, metadata={"min": 1, "max": 1024})
    warm_up_seconds: float = field(default=10.0, metadata={"min": 0, "max": 86_400})
    max_seconds: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000})
    storage_level: str | None = field(default=None, metadata={"choices": STORAGE_LEVELS})
    probe: bool = True
    until: float | None = field(default=None, metadata={"share": True, "above": 0, "max": 0.5, "hint": _A_SHARE})
    until_seconds: float = field(default=300.0, metadata={"above": 0, "max": 1_000_000})

    @property
    def least(self) -> int:
        """How often each cell is measured at least; where `until` is not set, exactly."""
        return max(self.repetitions, FEWEST) if self.until else self.repetitions


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How photographs become shards.

    Attributes:
        shards: how many files; None where `shard_mb` decides.
        shard_mb: about how many MB (10^6 bytes) a file is to have.
        format: of the files.
        compression: of the files, one that the format knows; None for none.
        target_size: (height, width) in pixels.
        quality: libjpeg's.
        exact: whether pictures are resized as TensorFlow does it, to the byte.
        orientation: which way is up.
        decode: whether large JPEGs are decoded whole, or 2, 4 or 8 times smaller.
    """

    shards: int | None = field(default=None, metadata={"min": 1, "max": MOST_SHARDS})
    shard_mb: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000})
    format: str = field(default="tfrecord", metadata={"choices": formats.NAMES})
    compression: str | None = None
    target_size: tuple[int, ...] = items(min=1, max=16_384, length=2)
    quality: int = number(min=1, max=100)
    exact: bool = MISSING
    orientation: str = field(default="stored", metadata={"choices": ("stored", "exif")})
    decode: str = field(default="full", metadata={"choices": ("full", "scaled")})


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where data that flowerexp makes is kept: folders, or gs:// URIs; and how data is read from there.

    With one of the four numbers, data of this machine is read through a simulated bucket.

    Attributes:
        generated: photographs and rows.
        prepared: files made of photographs.
        latency_ms: the bucket's median latency of a request.
        jitter: how much it varies: the standard deviation of its logarithm.
        connection_mb_s: what a connection transfers, in 10**6 bytes a second.
        bandwidth_mb_s: what all connections transfer together.
    """

    generated: str = text(names.PATH, role="place")
    prepared: str = text(names.PATH, role="place")
    latency_ms: float | None = field(default=None, metadata={"min": 0, "max": 60_000})
    jitter: float | None = field(default=None, metadata={"min": 0, "max": 2})
    connection_mb_s: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000})
    bandwidth_mb_s: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000})

    @property
    def folders(self) -> dict[str, str]:
        """Where data is kept, by key."""
        return {"generated": self.generated, "prepared": self.prepared}

    @property
    def simulated(self) -> Pace | None:
        """How fast the simulated bucket is; None where data is read from where it is."""
        from flowerexp.storage.simulated import pace_of  # few configs need it

        return pace_of(vars(self))


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
        order: in which order runs are made: shuffled within each repeat, all shuffled, or as declared and back again.
        seed: of that order, and of a Latin hypercube.
        fraction: the design by which only some of the combinations are run; null for all.
        runs: how many runs that design has; null for as few as it can have.
        axes: keys (or config groups) with their values: a list, or a string in Hydra's grammar (`range(1,4)`).
        zip: groups of axes whose values move together: each a mapping of keys to lists of one length.
        exclude: combinations to leave out: each a mapping of keys to a value.
    """

    repeats: int = field(default=1, metadata={"min": 1, "max": 100_000})
    order: str = field(default="blocked", metadata={"choices": ("blocked", "random", "interleaved")})
    seed: int = field(default=141, metadata={"min": 0, "max": MOST_SEEDS})
    fraction: str | None = optional({"choices": ("plackett_burman", "latin_hypercube")})
    runs: int | None = optional({"min": 1, "max": 1_000})
    axes: dict[str, Any] = field(default_factory=dict)
    zip: tuple[Any, ...] = ()
    exclude: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What `flowerexp gate` asks.

    Attributes:
        margin: how much slower than the baseline is not slower yet, as a share.
        repeats: pairs of runs that are made at least.
        max_seconds: the time after which no pairs are added to those.
    """

    margin: float = field(default=0.05, metadata={"above": 0, "max": 10})
    repeats: int = field(default=5, metadata={"min": 1, "max": 1000})
    max_seconds: float = field(default=1800.0, metadata={"min": 0, "max": 1_000_000})


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run's whole config.

    Attributes:
        cluster: where it runs.
        entrypoint: the experiment.
        grid: the values of each of its parameters.
        measure: how it is measured.
        dataset: the data, if the experiment uses some; likewise `sampling` and `preprocess`.
        storage: where data that flowerexp makes is kept, and how it is read from there.
        tracking: where runs are logged.
        caching: whether what is measured is cached.
        repeat: which repeat of a sweep it is.
        sweep: what the sweep varies.
        objective: the metric of each run that one of Hydra's own sweepers optimises, by its name in MLflow.
        gate: what `flowerexp gate` asks.
        skip_finished: whether runs of a sweep are skipped whose results are in the store.
        margin: the share by which results may differ without a difference that matters to anybody.
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
    storage: Storage = MISSING
    tracking: Tracking = field(default=MISSING, metadata={"role": "place"})
    caching: bool = MISSING
    repeat: int = field(default=1, metadata={"min": 1, "max": 100_000})
    sweep: Sweep = field(default=MISSING, metadata={"role": "sweep"})
    objective: str | None = field(default=None, metadata={"role": "sweep"})
    gate: Gate = field(default_factory=Gate, metadata={"role": "sweep"})
    skip_finished: bool = field(default=False, metadata={"role": "sweep"})
    margin: float = field(default=0.05, metadata={"above": 0, "max": 10, "role": "conclusion"})
    gcp: Gcp = field(default_factory=Gcp, metadata=ACCOUNT)
    quota: Quota = field(default_factory=Quota, metadata=ACCOUNT)
    budget: Budget = field(default_factory=Budget, metadata=ACCOUNT)
    home: str = text(names.HOME, role="place")

    @property
    def experiment(self) -> Experiment:
        """The experiment without the parameters that have no value but their default here."""
        return self.entrypoint.in_play([self.grid])
