"""`hydra/sweeper=flowerexp`: Hydra's grid, with zipped axes, exclusions and repeats; the whole batch at once.

`hydra/sweeper=cluster_search`: the same runs, of which only those are started that help to find the cluster to rent.
"""

# No `from __future__ import annotations`: Hydra runs this module before it is in sys.modules, where dataclasses would
# look for the names in annotations that are strings.

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class FlowerexpSweeperConf:
    """What to sweep over is in the config node `sweep` and on the command line; there is nothing to set here."""

    _target_: str = "hydra_plugins.flowerexp.sweeper.FlowerexpSweeper"


class FlowerexpSweeper(Sweeper):
    """Expands the sweep and launches all of it as one batch."""

    def __init__(self) -> None:
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Any = None
        self.ours = False

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra's `Sweeper.setup`."""
        self.hydra_context = hydra_context
        self.config = config
        self.ours = bool(getattr(task_function, "flowerexp_batches", False))
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """See Hydra's `Sweeper.sweep`; returns what the launcher returned, as Hydra's own sweeper does."""
        from flowerexp.sweep.grammar import expand

        assert self.config is not None
        assert self.hydra_context is not None
        batch = expand(arguments, self.config.get("sweep", {}), self.hydra_context.config_loader)
        if not self.ours:  # our own runs are checked first, and leave nothing where something is wrong
            folder = Path(str(self.config.hydra.sweep.dir))
            folder.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(self.config, folder / "multirun.yaml")
        return [self.launcher.launch(batch, initial_job_idx=0)]


@dataclass
class ClusterSearchConf:
    """A search for the cluster to rent; see docs/choosing-a-cluster.md."""

    _target_: str = "hydra_plugins.flowerexp.sweeper.ClusterSearchSweeper"
    rule: str = "saving"  # or cherrypick, random, exhaustive
    objective: str = "cost"  # or time
    max_seconds: float | None = None  # that a production run may take
    max_usd: float | None = None  # that it may cost
    expected_runs: float = 50  # how often it will run in production
    min_runs: int | None = None  # before the search may stop; null: as many as the expected saving asks for
    max_runs: int = 20
    seed: int = 0
    smoke: bool = False  # first run each on the small share of sampling=smoke, and drop the hopeless
    memory_hint: bool = False  # expect clusters to be slow that have less memory than the smoke runs ask for
    usd_per_vcpu_hour: float | None = None  # of clusters without a list price, such as this machine


class ClusterSearchSweeper(FlowerexpSweeper):
    """Has the launcher try one cluster after the other, as long as that is expected to save more than it costs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def sweep(self, arguments: list[str]) -> Any:
        """See Hydra's `Sweeper.sweep`."""
        from flowerexp.errors import ConfigError

        if not self.ours or not hasattr(self.launcher, "search"):
            hint = "leave hydra/launcher as it is, or choose another sweeper"
            raise ConfigError("cluster_search needs hydra/launcher=flowerexp", where="hydra/sweeper", hint=hint)
        self.launcher.search = self.settings
        return super().sweep(arguments)


ConfigStore.instance().store(group="hydra/sweeper", name="flowerexp", node=FlowerexpSweeperConf, provider="flowerexp")
ConfigStore.instance().store(group="hydra/sweeper", name="cluster_search", node=ClusterSearchConf, provider="flowerexp")
