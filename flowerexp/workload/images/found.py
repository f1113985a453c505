"""Which files below a folder are photographs of a class, and which of these are sampled; all else is counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.workload.images.generated import COMPLETE
from flowerexp.workload.images.left_out import LeftOut, shown, why_not
from flowerexp.workload.images.photographs import Photographs


@dataclass(frozen=True)
class Skipped:
    """A photograph that was left out, and why."""

    relative: str
    reason: str


class Found:
    """What was found so far. Every file is a photograph of a class, sampled or not, or it is skipped, or left out.

    Attributes:
        classes: the class folders' names, with their places in the order in which they were met; a class folder is each
            that stands in the data set's folder, so that a class has its number also when it is empty.
        counts: how many photographs each has.
        inside: how many all have.
        sample: those that are sampled; their labels are places in `classes`.
        skipped: those whose class is not in `dataset.classes`.
        left_out: all that is no photograph of a class.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        """Begin with nothing.

        Args:
            config: the run's config.
        """
        self._dataset, self._sampling = config["dataset"], config["sampling"]
        self._known = None if self._dataset["classes"] is None else frozenset(self._dataset["classes"])
        self.classes: dict[str, int] = {}
        self.counts: list[int] = []
        self.inside = 0
        self.sample = Photographs()
        self.skipped: list[Skipped] = []
        self.left_out = LeftOut()

    def look(self, root: str, below: str = "", most: int | None = None) -> bool:
        """Look at every file below a folder, or below a folder in it; one at a time is held as an object.

        Returns:
            False as soon as there are more photographs than `most`.
        """
        for entry in storage.list_files(
            root, below=below, passed=self.passed, **storage.access(self._dataset.get("anonymous"))
        ):
            self.take(entry)
            if most is not None and self.inside > most:
                return False
        return True

    def take(self, entry: storage.Entry) -> None:
        """Find out what a file is."""
        relative = entry.relative
        place = self._place(class_of(relative)) if "/" in relative else -1
        reason = why_not(relative)
        if reason:
            if relative != COMPLETE or self._dataset["kind"] != "synthetic":
                self.left_out.add(relative, reason)
            return
        self.counts[place] += 1
        self.inside += 1
        if self._known is not None and class_of(relative) not in self._known:
            self.skipped.append(Skipped(relative, f"class '{shown(class_of(relative))}' is not in dataset.classes"))
        elif is_sampled(relative, self._sampling):
            self.sample.root = entry.uri.removesuffix(relative)
            self.sample.add(relative, place, entry.size, entry.version)

    def passed(self, relative: str, reason: str) -> None:
        """Count what a listing passed over, and remember a folder that has a class's place."""
        name, slash, rest = relative.partition("/")
        if slash and name and not name.startswith(".") and (rest or reason != storage.LOOP):
            self._place(name)
        self.left_out.passed(relative, reason)

    def _place(self, name: str) -> int:
        place = self.classes.setdefault(name, len(self.counts))
        if place == len(self.counts):
            self.counts.append(0)
        return place

    @property
    def by_class(self) -> dict[str, int]:
        """How many photographs each class folder has."""
        return {name: self.counts[place] for name, place in self.classes.items()}


def class_of(relative: str) -> str:
    """The name of a photograph's class: its folder's."""
    return relative.partition("/")[0]


def is_sampled(relative: str, sampling: dict[str, Any]) -> bool:
    """Does a file belong to the sample?

    A seeded hash of its name decides, so the same fraction picks the same files, and a larger one contains a smaller.
    """
    name = f"{sampling['seed']}:{relative}".encode(errors="surrogateescape")  # a name need not be UTF-8
    digest = hashlib.blake2b(name, digest_size=8).digest()
    return int.from_bytes(digest, "big") < float(sampling["fraction"]) * 2**64
