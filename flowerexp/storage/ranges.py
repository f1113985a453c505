"""List a folder in ranges of names, so that several processes can list a large one at once.

A bucket lists its objects a page at a time, in the order of their names; the processes ask for different ranges. The
operating system lists a folder as a whole, in any order: each process passes over all names, but looks only at the
files in its range.
"""

from __future__ import annotations

import bisect
import itertools
import math
import os
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowerexp.storage.listed import Entry, Passed, above_of, enter, ignore, list_remote, named, walk
from flowerexp.storage.paths import is_local, join

_PIECES = 16  # into which what is left of a range in a bucket is divided
_SEEN = 2_000  # names of a range by which it is divided
_FILLED = 0.75  # of `names`, in each range of a folder on a disk: by a sample of the names, some get more than others


@dataclass(frozen=True)
class Range:
    """What is in a folder from one name to another: files by their names, folders by theirs with a slash.

    Attributes:
        folder: the folder's path below the listed root.
        start: the first name.
        end: the name that follows the last one; None for all that follow.
    """

    folder: str
    start: str = ""
    end: str | None = None

    def __contains__(self, name: str) -> bool:
        return self.start <= name and (self.end is None or name < self.end)

    def divided(self, points: Collection[str]) -> list[Range]:
        """The ranges between some names; a name that is not in this range does not divide it."""
        bounds = [self.start, *sorted({point for point in points if point in self} - {self.start})]
        return [replace(self, start=start, end=end) for start, end in zip(bounds, [*bounds[1:], self.end], strict=True)]


class RangeListing:
    """The files in a range, as `list_files` yields them, but only so many: iterate over it, and then see what is left.

    Attributes:
        left: the ranges with what it did not list, in their order; empty if it has listed everything.
    """

    def __init__(
        self, root: str, within: Range, most: int, names: int, *, passed: Passed | None = None, **options: Any
    ) -> None:
        """Describe a listing.

        Args:
            root: a local folder or URI; relative paths begin there.
            within: the range.
            most: list no more files than this of a range in a bucket.
            names: list nothing of a range with more names than this on this machine, but divide it so that each part
                has fewer.
            passed: see `list_files`; also with it, a folder that cannot be listed is an error, unless it is further
                down.
            options: of the file system.
        """
        self._root, self._within, self._most, self._names = root, within, most, names
        self._passed, self._options = passed, options
        self.left: list[Range] = []

    def __iter__(self) -> Iterator[Entry]:
        if is_local(self._root):
            return self._local()
        return self._bucket() if self._root.startswith("gs://") else self._elsewhere()

    def _local(self) -> Iterator[Entry]:
        folder, prefix = join(self._root, self._within.folder), f"{self._within.folder}/"
        above = enter(folder, prefix, above_of(self._root, self._within.folder), self._passed or ignore)
        if above is None:
            return
        with os.scandir(folder) as entries:
            names = (name for name in map(named, entries) if name in self._within)
            first = list(itertools.islice(names, self._names + 1))
            if len(first) > self._names:
                self.left = self._divided(first, names)
                return
        yield from walk(sorted(first), folder, prefix, above, self._passed)

    def _divided(self, first: list[str], others: Iterator[str]) -> list[Range]:
        """Ranges with about as many names each, by a random sample of the names (Vitter's algorithm R)."""
        chance = random.Random(0)
        sample = chance.sample(first, min(len(first), 10 * _SEEN))
        total = len(first)
        for name in others:
            total += 1
            place = int(chance.random() * total)
            if place < len(sample):
                sample[place] = name
        sample.sort()
        count = math.ceil(total / (_FILLED * self._names))
        return self._within.divided([sample[len(sample) * number // count] for number in range(1, count)])

    def _bucket(self) -> Iterator[Entry]:
        within, prefix = self._within, f"{self._within.folder}/"
        seen: list[str] = []
        bounds = (within.start, within.end)
        listed = list_remote(self._root, within.folder, "", self._passed or ignore, self._options, bounds)
        for number, entry in enumerate(listed):
            name = entry.relative.removeprefix(prefix)
            if number == self._most:
                rest = replace(within, start=name)
                self.left = rest.divided([one for one in points(seen, rest) if not _inside_hidden(one)])
                return
            if number % max(1, self._most // _SEEN) == 0:
                seen.append(name)
            yield entry

    def _elsewhere(self) -> Iterator[Entry]:
        """A file system that is not a bucket cannot list ranges; it lists everything in one go."""
        prefix = f"{self._within.folder}/"
        for entry in list_remote(self._root, self._within.folder, "", self._passed or ignore, self._options):
            if entry.relative.removeprefix(prefix) in self._within:
                yield entry


def points(seen: Sequence[str], within: Range) -> list[str]:
    """Names that divide a range about evenly, guessed from the names at its beginning.

    A name is read as a number. The characters that were seen at a place of the names are the digits of that place.
    Where characters vary, or may vary later, those that vary at other places are digits too, and so are 0 to 9. If the
    guess is wrong, some ranges are empty, which costs a request each, and others are too large and are divided again.

    Args:
        seen: names from the beginning of the range, or before it.
        within: the range.
    """
    letters = [{*column} - {""} for column in itertools.zip_longest(*seen, fillvalue="")]
    varying = set().union(*(found for found in letters if len(found) > 1))
    varying |= {*"0123456789"} if any(letter.isdigit() for letter in varying) else set()
    digits = [sorted(found | varying if found & varying else found) for found in letters]
    low = _number(within.start, digits)
    high = math.prod(map(len, digits)) if within.end is None else _number(within.end, digits)
    return [_text(low + (high - low) * number // _PIECES, digits) for number in range(1, _PIECES)]


def _number(name: str, digits: Sequence[Sequence[str]]) -> int:
    number = 0
    for letter, found in itertools.zip_longest(name[: len(digits)], digits, fillvalue=""):
        number = number * len(found) + min(bisect.bisect_left(found, letter), len(found) - 1)
    return number


def _text(number: int, digits: Sequence[Sequence[str]]) -> str:
    letters = []
    for found in reversed(digits):
        number, digit = divmod(number, len(found))
        letters.append(found[digit])
    return "".join(reversed(letters))


def _inside_hidden(name: str) -> bool:
    """Whether a name is in a folder that is passed over: divided there, it would be passed over twice."""
    return "/." in f"/{name}" or "//" in f"/{name}"
