"""Kinds of clusters and data sets, found by name: ours, and those that other installed packages bring.

A package adds a kind by an entry point, in its pyproject.toml::

    [project.entry-points."flowerexp.clusters"]
    my_kind = "my_package.kind:MyKind"

The class that it names has a dataclass of the kind's config keys as `config`; `flowerexp.cluster.kind` says what else a
kind of cluster has.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from flowerexp.errors import ConfigError, did_you_mean


class Kinds:
    """The kinds that one node of a config may be of.

    Args:
        node: the node, such as `cluster`.
        group: the group of entry points by which other packages add kinds.
        ours: those of this package: name -> `MODULE:CLASS`.
    """

    def __init__(self, node: str, group: str, ours: Mapping[str, str]) -> None:
        self._node = node
        self._group = group
        self._ours = ours
        self._loaded: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        """The class of a kind.

        Raises:
            ConfigError: there is none of that name, or its package cannot be imported.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def config(self, name: str) -> type:
        """The dataclass of a kind's config keys; raises as `find` does."""
        schema: type = self.find(name).config
        return schema

    def names(self) -> list[str]:
        """All kinds that are installed."""
        return [*self._ours, *(name for name in self._others() if name not in self._ours)]

    def our_configs(self) -> list[type]:
        """The config classes of the kinds of this package."""
        return [self.config(name) for name in self._ours]

    def other_configs(self) -> list[type]:
        """Those of other packages; one that cannot be imported is refused where it is chosen."""
        schemas = []
        for name in self.names():
            if name not in self._ours:
                try:
                    schemas.append(self.config(name))
                except ConfigError:
                    continue
        return schemas

    def _load(self, name: str) -> Any:
        # Ours need no entry points, though they have some: to scan those of all installed packages takes 9 ms, which
        # every plan would wait for.
        if name in self._ours:
            module, _, attribute = self._ours[name].partition(":")
            return getattr(import_module(module), attribute)
        key = f"{self._node}.kind"
        if name not in self._others():
            raise ConfigError(f"{key}={name} is unknown", where=key, hint=did_you_mean(name, self.names()))
        try:
            kind = self._others()[name]()
        except (ImportError, AttributeError) as error:
            hint = f"mend or reinstall the package that registers {name} in {self._group}"
            raise ConfigError(f"{key}={name} cannot be imported: {error}", where=key, hint=hint) from error
        if not dataclasses.is_dataclass(getattr(kind, "config", None)):
            problem = f"{key}={name}: {kind!r} has no dataclass named config"
            raise ConfigError(problem, where=key, hint="see flowerexp.config.kinds for what a kind has")
        return kind

    @functools.cache  # noqa: B019 - there are two objects of this class, which live as long as the process
    def _others(self) -> dict[str, Callable[[], Any]]:
        from importlib.metadata import entry_points  # imports much, for what is seldom asked for

        return {point.name: point.load for point in entry_points(group=self._group)}


CLUSTERS = Kinds(
    "cluster",
    "flowerexp.clusters",
    {
        "local": "flowerexp.cluster.local.kind:LocalKind",
        "local_nodes": "flowerexp.cluster.local_nodes.kind:LocalNodesKind",
        "spark_master": "flowerexp.cluster.spark_master.kind:SparkMasterKind",
        "dataproc": "flowerexp.cluster.dataproc.kind:DataprocKind",
        "serverless": "flowerexp.cluster.serverless.kind:ServerlessKind",
    },
)
"""The kinds of clusters. Ours are named in pyproject.toml as well, where people look for them."""
DATASETS = Kinds(
    "dataset",
    "flowerexp.datasets",
    {
        "synthetic": "flowerexp.dataset.synthetic:SyntheticKind",
        "folder": "flowerexp.dataset.folder:FolderKind",
    },
)
"""The kinds of data sets."""
