"""The settings of our launcher and sweepers, which are in Hydra's node: what they may be, and their check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.check import check_node
from flowerexp.config.origin import Origin
from flowerexp.errors import ConfigError


@dataclass
class Launcher:
    """`hydra.launcher`: clusters that work side by side, and how many failed runs end a sweep (null: none does)."""

    max_clusters: int = field(default=1, metadata={"min": 1, "max": 100})
    max_failures: int | None = field(default=None, metadata={"min": 1, "max": 100_000})


@dataclass
class ClusterSearch:
    """`hydra.sweeper` of a search for a cluster."""

    rule: str = field(default="saving", metadata={"choices": ("saving", "cherrypick", "random", "exhaustive")})
    objective: str = field(default="cost", metadata={"choices": ("cost", "time")})
    max_seconds: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000_000})
    max_usd: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000_000})
    expected_runs: float = field(default=50, metadata={"above": 0, "max": 1_000_000_000_000})
    min_runs: int | None = field(default=None, metadata={"min": 1, "max": 100_000})
    max_runs: int = field(default=20, metadata={"min": 1, "max": 100_000})
    seed: int = field(default=0, metadata={"min": 0, "max": 2**63 - 1})
    smoke: bool = False
    memory_hint: bool = False
    usd_per_vcpu_hour: float | None = field(default=None, metadata={"above": 0, "max": 1_000_000_000})


PLUGINS: dict[str, type] = {"FlowerexpLauncher": Launcher, "ClusterSearchSweeper": ClusterSearch}
"""Our plugins for Hydra that have settings, by the names of their classes."""


def check_plugins(hydra: DictConfig) -> None:
    """Check the settings of our launcher and sweepers, as far as they are chosen.

    Args:
        hydra: Hydra's node of a composed config.

    Raises:
        ConfigError: one of them is wrong.
    """
    typed: Any = OmegaConf.to_container(hydra.overrides.hydra, resolve=False)
    origin = Origin(overrides=typed)
    for name in ("launcher", "sweeper"):
        try:
            settings: Any = OmegaConf.to_container(hydra[name], resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError(str(error.msg or error).splitlines()[0], where=error.full_key) from error
        schema = PLUGINS.get(str(settings.pop("_target_", "")).rpartition(".")[2])
        if schema:
            check_node(settings, schema, f"hydra.{name}.", origin)
