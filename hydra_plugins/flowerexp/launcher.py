"""`hydra/launcher=flowerexp`: many runs as few Spark jobs; the work is in `flowerexp.sweep`, imported when needed."""

# No `from __future__ import annotations`: Hydra runs this module before it is in sys.modules, where dataclasses would
# look for the names in annotations that are strings.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class FlowerexpLauncherConf:
    """Settings: `max_clusters` side by side; `max_failures` failed runs end the sweep (null: none does)."""

    _target_: str = "hydra_plugins.flowerexp.launcher.FlowerexpLauncher"
    max_clusters: int = 1
    max_failures: int | None = None


class FlowerexpLauncher(Launcher):
    """Ships a batch of our own runs as Spark jobs; any other task function runs as under Hydra's basic launcher.

    Args:
        max_clusters: how many clusters work side by side.
        max_failures: how many failed runs end the sweep.
    """

    def __init__(self, max_clusters: int = 1, max_failures: int | None = None) -> None:
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None
        self.max_clusters = max_clusters
        self.max_failures = max_failures
        self.search: dict[str, Any] | None = None  # what the sweeper searches for, if it does

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra's `Launcher.setup`."""
        self.config, self.task_function, self.hydra_context = config, task_function, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """See Hydra's `Launcher.launch`."""
        assert self.config is not None
        assert self.task_function is not None
        assert self.hydra_context is not None
        if not _is_ours(self.task_function):
            from flowerexp.config.hydra_private import BasicLauncher

            basic = BasicLauncher()
            basic.setup(hydra_context=self.hydra_context, task_function=self.task_function, config=self.config)
            return basic.launch(job_overrides, initial_job_idx)
        from flowerexp.cluster_search import walk_of
        from flowerexp.sweep.launch import launch
        from flowerexp.sweep.run import SweepLimits

        limits, walk = SweepLimits(self.max_clusters, self.max_failures), walk_of(self.search)
        return launch(self.config, self.hydra_context, job_overrides, initial_job_idx, limits, walk)


def _is_ours(task_function: Any) -> bool:
    return bool(getattr(task_function, "flowerexp_batches", False))


ConfigStore.instance().store(group="hydra/launcher", name="flowerexp", node=FlowerexpLauncherConf, provider="flowerexp")
