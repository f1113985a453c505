"""A kind of data set: the keys of its config, and the name of what a run does with it."""

from __future__ import annotations

from typing import Any, ClassVar

from flowerexp.config import Config, plain
from flowerexp.config.kinds import DATASETS
from flowerexp.config.schema import Dataset


class DatasetKind:
    """A kind of data set; one of another package is registered as `flowerexp.config.kinds` says.

    Attributes:
        config: the dataclass of its config's keys.
        source: `MODULE:CLASS` of its `flowerexp.workload.images.source.Source`. It is a name, since the cluster has
            neither this class nor what configs need; the package itself must be there (`entrypoint.requires`).
    """

    config: ClassVar[type[Dataset]]
    source: ClassVar[str | None] = None


def for_workload(config: Config) -> dict[str, Any]:
    """A run's config as the code that runs on the cluster gets it: plain values, with the source of its data set."""
    values: dict[str, Any] = plain(config)
    if config.dataset is not None and (source := DATASETS.find(config.dataset.kind).source):
        values["dataset"]["source"] = source
    return values
