"""Lists of photographs that take little memory: a driver holds a million photographs in 70 MB."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True)
class Photograph:
    """One file: its path or URI, its path below the data set's folder, its class's number, its size in bytes."""

    uri: str
    relative: str
    label: int
    size: int
    version: str


class Photographs(Sequence[Photograph]):
    """Photographs below one folder, stored as bytes and numbers; a `Photograph` is made when it is asked for.

    Names need not be unique or sorted.
    """

    def __init__(self, root: str = "") -> None:
        """Start with an empty list.

        Args:
            root: the beginning of all URIs, which the photographs' relative names follow.
        """
        self.root = root
        self._texts = bytearray()  # each photograph's relative name, followed by its version
        self._ends = array("Q")  # where each of these texts ends
        self._labels = array("L")
        self._sizes = array("Q")

    @classmethod
    def of(cls, photographs: Iterable[Photograph]) -> Photographs:
        """Gather photographs.

        Raises:
            ValueError: they are not all below one folder.
        """
        gathered = cls()
        for photograph in photographs:
            root = photograph.uri.removesuffix(photograph.relative)
            if gathered and root != gathered.root:
                raise ValueError(f"{photograph.uri} is not below {gathered.root}")
            gathered.root = root
            gathered.add(photograph.relative, photograph.label, photograph.size, photograph.version)
        return gathered

    def add(self, relative: str, label: int, size: int, version: str) -> None:
        """Append one photograph."""
        for text in (relative, version):
            self._texts += text.encode(errors="surrogateescape")
            self._ends.append(len(self._texts))
        self._labels.append(label)
        self._sizes.append(size)

    def extend(self, others: Photographs, label: int | None = None) -> None:
        """Append the photographs of another list, with `label` for all of them if it is given.

        Raises:
            ValueError: they are not below the same folder.
        """
        if not others:
            return
        if self and others.root != self.root:
            raise ValueError(f"{others.root} is not {self.root}")
        self.root = others.root
        start = len(self._texts)
        self._texts += others._texts
        self._ends.extend(start + end for end in others._ends)
        self._labels.extend(others._labels if label is None else (label for _ in others._labels))
        self._sizes.extend(others._sizes)

    def relabel(self, labels: Sequence[int]) -> None:
        """Replace each label by the entry of `labels` at that index."""
        self._labels = array("L", (labels[label] for label in self._labels))

    def pick(self, places: Iterable[int]) -> Photographs:
        """The photographs at some places, in the order of the places."""
        picked = Photographs(self.root)
        for place in places:
            start, middle, end = self._bounds(place)
            moved = len(picked._texts) - start
            picked._texts += self._texts[start:end]
            picked._ends.extend((moved + middle, moved + end))
            picked._labels.append(self._labels[place])
            picked._sizes.append(self._sizes[place])
        return picked

    def some(self, count: int, seed: int) -> Photographs:
        """All photographs: only `DistributedListing.some` has to choose, since its list is not in this process."""
        return self

    def _bounds(self, place: int) -> tuple[int, int, int]:
        """Where a photograph's relative name begins, where it ends, and where the version after it ends."""
        start = self._ends[2 * place - 1] if place else 0
        return start, self._ends[2 * place], self._ends[2 * place + 1]

    def named(self) -> Iterator[tuple[bytes, int, bytes]]:
        """The relative name of each as bytes, its size, and its version as bytes."""
        texts, start = bytes(self._texts), 0
        for place, size in enumerate(self._sizes):
            middle, end = self._ends[2 * place], self._ends[2 * place + 1]
            yield texts[start:middle], size, texts[middle:end]
            start = end

    @property
    def sizes(self) -> Sequence[int]:
        """The size of each in bytes."""
        return self._sizes

    @property
    def labels(self) -> Sequence[int]:
        """The number of each photograph's class."""
        return self._labels

    @property
    def uris(self) -> Sequence[str]:
        """The path or URI of each."""
        return _Uris(self)

    @property
    def bytes(self) -> int:
        """The sum of their sizes."""
        return sum(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, place: int) -> Photograph: ...
    @overload
    def __getitem__(self, place: slice) -> Photographs: ...
    def __getitem__(self, place: int | slice) -> Photograph | Photographs:
        if isinstance(place, slice):
            return self.pick(range(len(self))[place])
        place = range(len(self))[place]  # raises IndexError, and resolves negative places
        start, middle, end = self._bounds(place)
        relative, version = (
            self._texts[a:b].decode(errors="surrogateescape") for a, b in ((start, middle), (middle, end))
        )
        return Photograph(self.root + relative, relative, self._labels[place], self._sizes[place], version)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Photographs):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # the list can change

    def __repr__(self) -> str:
        return f"<{len(self)} photographs below {self.root}>"


class _Uris(Sequence[str]):
    """The URIs of photographs; each text is made when it is asked for."""

    def __init__(self, photographs: Photographs) -> None:
        self._photographs = photographs

    def __len__(self) -> int:
        return len(self._photographs)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self._photographs[index].uri for index in range(len(self))[place]]
        return self._photographs[place].uri

    def __iter__(self) -> Iterator[str]:
        return (photograph.uri for photograph in self._photographs)
