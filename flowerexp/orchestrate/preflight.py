"""Find what can be found to be wrong before the first side effect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import fields
from pathlib import Path

from flowerexp import storage, tracking
from flowerexp.cluster import backend, quota
from flowerexp.cluster.cost import Prices
from flowerexp.config import key_of, names, plain
from flowerexp.config.schema import Cloud, Config, Dataproc
from flowerexp.errors import ConfigError, DataError, FlowerexpError, MachineError
from flowerexp.job.bundle import find_script


def preflight(config: Config) -> None:
    """Look at the script, the cluster, its quota, the data's folder, the folders to write to, and the MLflow store.

    Args:
        config: a run's checked config.

    Raises:
        FlowerexpError: the first thing that is wrong.
    """
    find_script(config.entrypoint.script)
    if isinstance(config.cluster, Cloud):
        check_cloud(config)
        check_quota(config)
    backend(config.cluster).check()
    _check_data(config)
    for key, place in plain(config.storage).items():
        _check_writable(place, f"storage.{key}")
    tracking.check_reachable(tracking.Store.of(config.tracking))


def preflight_each(configs: Sequence[Config], tolerate: type[FlowerexpError] | None = None) -> None:
    """The preflight of every run of a sweep; what several runs ask for is looked at once.

    Args:
        configs: of the runs.
        tolerate: the errors that stop nothing, such as that of a cluster that a search may leave out.

    Raises:
        FlowerexpError: the first thing that is wrong.
    """
    seen: set[str] = set()
    for config in configs:
        read = (config.cluster, config.dataset, config.storage, config.tracking, config.entrypoint, config.quota)
        asked = key_of([*read, config.budget])
        if asked in seen:
            continue
        seen.add(asked)
        with suppress(tolerate) if tolerate else nullcontext():
            preflight(config)


def check_cloud(config: Config) -> None:
    """Could a cluster in the cloud read what the config names, and would it live long enough? By its config alone.

    Raises:
        ConfigError: it could not, or would not.
    """
    cluster = config.cluster
    assert isinstance(cluster, Cloud)
    for key, path in _data_folders(config):
        if storage.is_local(path):
            there = f"gs://{cluster.bucket}/{Path(path).name or 'data'}"
            problem = f"{path} is a folder of this machine, which a cluster in the cloud cannot read"
            hint = f"copy it to the bucket: gcloud storage cp -r {path} {there}, and set dataset.{key}={there}"
            raise ConfigError(problem, where=f"dataset.{key}", hint=hint)
    for key, place in plain(config.storage).items():
        if storage.is_local(place):
            problem = f"{place} is a folder of this machine, where a cluster in the cloud cannot write"
            raise ConfigError(problem, where=f"storage.{key}", hint="set storage=bucket")
    if isinstance(cluster, Dataproc) and cluster.auto_delete_minutes <= cluster.idle_delete_minutes:
        idle, auto = cluster.idle_delete_minutes, cluster.auto_delete_minutes
        problem = f"{auto} minutes after its creation the cluster would delete itself, even before {idle} idle minutes"
        hint = "let it be longer than cluster.idle_delete_minutes and than the longest job"
        raise ConfigError(problem, where="cluster.auto_delete_minutes", hint=hint)


def check_quota(config: Config) -> None:
    """Does the run's cluster fit into the quota, and are its machines known?

    Raises:
        QuotaError: it does not fit.
        ConfigError: a machine type is unknown.
        ClusterError: `quota=live`, and Compute Engine does not answer.
    """
    quota.check(config.cluster, config.quota, Prices.load(config.budget.prices).machine_types)


def _data_folders(config: Config) -> list[tuple[str, str]]:
    """The folders that the config's data set names, each with the last part of its key."""
    if config.dataset is None:
        return []
    named = [spec.name for spec in fields(config.dataset) if names.PATH.items() <= spec.metadata.items()]
    return [(name, place) for name in named if (place := getattr(config.dataset, name))]


def _check_data(config: Config) -> None:
    """Is the folder there? What is in it is found out on the cluster."""
    for key, path in _data_folders(config):
        if storage.is_local(path) and not Path(path).is_dir():
            problem = f"{path} is a file, not a folder" if Path(path).exists() else f"{path} does not exist"
            raise DataError(problem, where=f"dataset.{key}", hint="check the path")


def _check_writable(place: str, key: str) -> None:
    """Can the folder be made, and written?"""
    if not storage.is_local(place):
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        with storage.NewFile(place):
            pass
    except OSError as error:
        problem = f"{place} cannot be written: {error.strerror}"
        raise MachineError(problem, where=key, hint="choose another folder") from error
