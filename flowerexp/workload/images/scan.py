"""Scan a data set's folder: which files are photographs of a class, which are sampled, and what is left out."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.workload.images.left_out import LeftOut, shown, why_not
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.source import source_of


@dataclass(frozen=True)
class Skipped:
    """A photograph that was left out, and why."""

    relative: str
    reason: str


class Scan:
    """A scan of a data set's folder. Every file is a photograph of a class, sampled or not, or is skipped or left out.

    Attributes:
        classes: the names of the class folders, with their places in the order in which they were met. Every folder
            directly below the data set's folder is a class folder, so that an empty class has a number too.
        counts: the number of photographs in each.
        total: the number of photographs in all of them.
        sample: the sampled photographs; their labels are places in `classes`.
        skipped: the photographs whose class is not in `dataset.classes`.
        left_out: everything that is not a photograph of a class.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        """Start with nothing.

        Args:
            config: the run's config.
        """
        self._dataset, self._sampling = config["dataset"], config["sampling"]
        self._markers = source_of(config).markers
        self._least = int(self._sampling.get("least", 0))
        self._spare: list[tuple[int, int, storage.Entry, int]] = []  # a heap of those that come next, the last first
        self._places = array("Q")  # among all photographs, of those in the sample
        self._known = None if self._dataset["classes"] is None else frozenset(self._dataset["classes"])
        self.classes: dict[str, int] = {}
        self.counts: list[int] = []
        self.total = 0
        self.sample = Photographs()
        self.skipped: list[Skipped] = []
        self.left_out = LeftOut()

    def walk(self, root: str, most: int | None = None, enough: int | None = None) -> bool:
        """Take in every file below a folder; only one is an object at a time.

        Returns:
            False as soon as there are more photographs than `most`, a folder with more entries, or `enough` in the
            sample.
        """
        access = storage.access(self._dataset.get("anonymous"))
        try:
            for entry in storage.list_files(root, passed=self.pass_over, most=most, **access):
                self.add(entry)
                if (most is not None and self.total > most) or (enough is not None and len(self.sample) >= enough):
                    return False
        except storage.LargeFolderError:
            return False
        self._fill_up()
        return True

    def add(self, entry: storage.Entry) -> None:
        """Take in one file."""
        relative = entry.relative
        place = self._place(class_of(relative)) if "/" in relative else -1
        reason = why_not(relative)
        if reason:
            if relative not in self._markers:
                self.left_out.add(relative, reason)
            return
        self.counts[place] += 1
        self.total += 1
        if self._known is not None and class_of(relative) not in self._known:
            self.skipped.append(Skipped(relative, f"class '{shown(class_of(relative))}' is not in dataset.classes"))
        elif (number := _number(relative, self._sampling)) < _bound(self._sampling):
            self._take(entry, place, self.total)
        elif self._least:
            heapq.heappush(self._spare, (-number, self.total, entry, place))
            if len(self._spare) > self._least:
                heapq.heappop(self._spare)

    def _take(self, entry: storage.Entry, place: int, number: int) -> None:
        self.sample.root = entry.uri.removesuffix(entry.relative)
        self.sample.add(entry.relative, place, entry.size, entry.version)
        if self._least:
            self._places.append(number)

    def _fill_up(self) -> None:
        """Add to a small sample those that a larger fraction would have added, as far as there are as many."""
        added = heapq.nlargest(self._least - len(self.sample), self._spare)
        for _, number, entry, place in added:
            self._take(entry, place, number)
        if added:  # in the order of the listing
            self.sample = self.sample.pick(sorted(range(len(self.sample)), key=self._places.__getitem__))

    def pass_over(self, relative: str, reason: str) -> None:
        """Count something that a listing passed over, and remember it as a class if it is a class folder."""
        name, slash, rest = relative.partition("/")
        if slash and name and not name.startswith(".") and (rest or reason != storage.LOOP):
            self._place(name)
        self.left_out.pass_over(relative, reason)

    def _place(self, name: str) -> int:
        place = self.classes.setdefault(name, len(self.counts))
        if place == len(self.counts):
            self.counts.append(0)
        return place

    @property
    def by_class(self) -> dict[str, int]:
        """The number of photographs in each class folder."""
        return {name: self.counts[place] for name, place in self.classes.items()}


def class_of(relative: str) -> str:
    """The name of a photograph's class, which is the name of its folder."""
    return relative.partition("/")[0]


def is_sampled(relative: str, sampling: dict[str, Any]) -> bool:
    """Whether a file belongs to the sample.

    A seeded hash of its name decides, so that a fraction always picks the same files, and a larger one includes them.
    """
    return _number(relative, sampling) < _bound(sampling)


def _number(relative: str, sampling: dict[str, Any]) -> int:
    name = f"{sampling['seed']}:{relative}".encode(errors="surrogateescape")  # a name need not be UTF-8
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def _bound(sampling: dict[str, Any]) -> float:
    return float(sampling["fraction"]) * 2**64
