"""Checks of a run before its first side effect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from flowerexp import storage, tracking
from flowerexp.cluster import quota_check
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.config import key_of
from flowerexp.config.paths import data_folders
from flowerexp.config.schema import Config
from flowerexp.dataset.enough import check_enough
from flowerexp.errors import EXTRAS, DataError, FlowerexpError, MachineError, require
from flowerexp.job.bundle import find_script
from flowerexp.job.modules import refuse_missing
from flowerexp.plan import required


def preflight(config: Config) -> None:
    """Look at the script, the cluster, its quota, the data's folder, the folders to write to, and the MLflow store.

    Args:
        config: a run's checked config.

    Raises:
        FlowerexpError: the first thing that is wrong.
    """
    script = find_script(config.entrypoint.script)
    kind = kind_of(config.cluster)
    if kind.on_this_machine:  # what other machines have installed, they say themselves
        refuse_missing(script)
    kind.check(config)
    check_quota(config)
    backend = kind.backend()
    backend.check()
    if backend.on_this_host:
        _check_installed(config)
    _check_data(config)
    check_enough(config)
    for key, place in config.storage.folders.items():
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
        asked = key_of([*read, config.budget, config.sampling, [config.grid[key] for key in config.entrypoint.needs]])
        if asked in seen:
            continue
        seen.add(asked)
        with suppress(tolerate) if tolerate else nullcontext():
            preflight(config)


def check_quota(config: Config) -> None:
    """Does the run's cluster fit into the quota, and are its machines known?

    Raises:
        QuotaError: it does not fit.
        ConfigError: a machine type is unknown.
        ClusterError: `quota=live`, and the cloud does not answer.
    """
    quota_check.check(kind_of(config.cluster), config.quota, Prices.of(config.budget, config.cluster))


def _check_installed(config: Config) -> None:
    """Is here what the experiment imports? Elsewhere, its cluster is asked."""
    places = [*data_folders(config).values(), *config.storage.folders.values()]
    # Then nothing of buckets is imported.
    local = all(map(storage.is_local, places)) and config.storage.simulated is None
    needed = [module for module in required(config) if not (local and EXTRAS.get(module) == "gcp")]
    require(f"entrypoint={config.entrypoint.name}", needed)


def _check_data(config: Config) -> None:
    """Is the folder there? What is in it is found out on the cluster."""
    for key, path in data_folders(config).items():
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
