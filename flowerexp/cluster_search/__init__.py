"""Search for the cluster to rent, over real clusters: what drives the pure optimiser in `flowerexp.search`.

`walk` is the strategy that a sweep is handed, `candidates` makes clusters to choose from of its runs, `smoke` rules out
the hopeless, `attempt` makes one run, `searching` is the loop, and `account` what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from flowerexp.sweep.walk import Grid, Walk

_SWEEPER = ".ClusterSearchSweeper"


def walk_of(settings: Mapping[str, Any] | None) -> Walk:
    """The strategy of a sweep, by what its plan remembers: a search with these settings, or a grid."""
    if settings is None:
        return Grid()
    from flowerexp.cluster_search.walk import ClusterSearch  # which imports the optimiser

    return ClusterSearch(settings)


def walk_of_sweeper(sweeper: DictConfig) -> Walk:
    """The strategy that a config's sweeper asks for."""
    if not str(sweeper.get("_target_", "")).endswith(_SWEEPER):
        return Grid()
    content = OmegaConf.to_container(sweeper, resolve=True)
    assert isinstance(content, dict)
    return walk_of({str(key): value for key, value in content.items() if key != "_target_"})
