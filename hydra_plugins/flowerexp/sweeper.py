"""`hydra/sweeper=flowerexp`: Hydra's grid, with zipped axes, exclusions and repeats; the whole batch at once."""

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
        node = self.config.get("sweep")
        sweep = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else {}
        assert isinstance(sweep, dict)
        batch = expand(arguments, {str(key): value for key, value in sweep.items()}, self.hydra_context.config_loader)
        if not self.ours:  # our own runs are checked first, and leave nothing where something is wrong
            folder = Path(str(self.config.hydra.sweep.dir))
            folder.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(self.config, folder / "multirun.yaml")
        return [self.launcher.launch(batch, initial_job_idx=0)]


ConfigStore.instance().store(group="hydra/sweeper", name="flowerexp", node=FlowerexpSweeperConf, provider="flowerexp")
