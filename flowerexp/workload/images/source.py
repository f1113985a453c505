"""What a run does with a data set by its kind: where its photographs are, and how those that are missing are made."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

_OURS = {
    "folder": "flowerexp.workload.images.source:Source",
    "synthetic": "flowerexp.workload.images.generating:Generated",
}


class Source:
    """A data set's source. The defaults are those of photographs in class folders below `dataset.path`.

    A kind of another package names its subclass, see `flowerexp.dataset.kind`. The subclass is used where a run is
    planned as well as on the cluster, so its module imports quickly, and nothing of flowerexp but `workload`, `storage`
    and `errors`.

    Attributes:
        markers: files in the data set's folder that belong to the kind and are not data.
        is_made: is the data set made by flowerexp, so that there is nothing to say about its classes?

    Args:
        config: a run's config, as plain values.
    """

    markers: ClassVar[frozenset[str]] = frozenset()
    is_made: ClassVar[bool] = False

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def place(self) -> str | None:
        """The folder or URI that has the class folders, whether or not it exists; None where a run finds that out."""
        path: str | None = self.config["dataset"].get("path")
        return path

    def prepare(self, spark: Any) -> str:
        """Make what is missing of the data set.

        Args:
            spark: the Spark session.

        Returns:
            The folder or URI that has the class folders.

        Raises:
            DataError: there is no such folder.
        """
        return str(self.place())

    def fingerprint(self) -> str | None:
        """The sample's fingerprint where it follows from the config alone; None where files must be listed."""
        return None

    def most(self) -> int | None:
        """How many photographs there are at most, where that follows from the config alone."""
        return None

    def check(self, total: int, place: str) -> None:
        """Refuse a data set that was found with `total` photographs at a place.

        Raises:
            DataError: it is damaged.
        """


def source_of(config: dict[str, Any]) -> Source:
    """The source of a run's data set.

    Args:
        config: the run's config, as plain values; `dataset.source` is the source of a kind of another package.
    """
    dataset = config["dataset"]
    module, _, name = str(dataset.get("source") or _OURS[dataset["kind"]]).partition(":")
    source: Source = getattr(import_module(module), name)(config)
    return source
