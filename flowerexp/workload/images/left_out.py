"""Count what a data set's folder holds besides photographs, by reason, so that nothing is left out silently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flowerexp import storage

#: The file name endings of the formats that `decoded.inspect` decodes.
ENDINGS = frozenset(["jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "webp", "tif", "tiff"])
DEEPER = "photographs deeper than CLASS/"
LOOSE = "photographs in no class folder"
UNREADABLE = "folders that cannot be read"
_OTHER = "other files"
_PASSED = (storage.HIDDEN, storage.LOOP, storage.SPECIAL, storage.UNNAMED)
_SHOWN = 8  # reasons in a note; the manifest has all


def shown(name: str) -> str:
    r"""A name to print in one line: control characters and bytes that are not UTF-8 become `\n` or `\xff`."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in name)


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # Python's replacement for a byte that is not UTF-8
        return f"\\x{ord(letter) & 0xFF:02x}"
    return letter.encode("unicode_escape").decode()


def why_not(relative: str) -> str | None:
    """Why a file is not a photograph of a class, by its path below the data set's folder; None if it is one."""
    folders, _, name = relative.rpartition("/")
    stem, _, ending = name.rpartition(".")
    ending = ending.lower() if stem else ""
    if ending not in ENDINGS:
        return f".{ending} files" if re.fullmatch(r"(?!\d+$)[a-z0-9]{1,5}", ending) else _OTHER
    if not folders:
        return LOOSE
    return DEEPER if "/" in folders else None


@dataclass
class LeftOut:
    """How many files and folders were left out for each reason, and which is the first of them.

    Attributes:
        counts: the number for each reason, such as `photographs deeper than CLASS/` or `.txt files`.
        first: the first relative path for each reason, in the order of the names.
        unreadable: the folders that cannot be read, with the operating system's message.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, relative: str, reason: str) -> None:
        """Count one file or folder that is left out."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first[reason] = min(relative, self.first.get(reason, relative))

    def pass_over(self, relative: str, reason: str) -> None:
        """Count something that a listing passed over (`storage.list_files`)."""
        if reason == storage.FOLDER:
            return
        if reason not in _PASSED:
            self.unreadable[relative] = reason
            reason = UNREADABLE
        self.add(relative, reason)

    def extend(self, other: LeftOut) -> None:
        """Add the counts of another scan."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            self.first[reason] = min(other.first[reason], self.first.get(reason, other.first[reason]))
        self.unreadable |= other.unreadable

    @property
    def total(self) -> int:
        """The number of files and folders; a folder counts as one, with everything in it."""
        return sum(self.counts.values())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The entries of a manifest, the most frequent reason first."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return [{"reason": reason, "count": count, "first": self.first[reason]} for reason, count in ordered]

    def __str__(self) -> str:
        """Counts and reasons: `10 photographs deeper than CLASS/ (such as train/daisy/1.jpg), 8 .txt files (...)`."""
        rows = self.rows
        counts = [f"{_counted(row['count'], row['reason'])} (such as {shown(row['first'])})" for row in rows[:_SHOWN]]
        more = sum(row["count"] for row in rows[_SHOWN:])
        return ", ".join([*counts, *([f"{more} of {len(rows) - _SHOWN} more kinds"] if more else [])])


def _counted(count: int, reason: str) -> str:
    if count == 1:
        reason = re.sub(r"(?<!\.)\b(photograph|file|folder|link)s\b", r"\1", reason.replace("they stand", "it stands"))
    return f"{count} {reason}"


def without_photographs(classes: Sequence[str]) -> str:
    """A sentence that names the classes without photographs."""
    names = ", ".join(map(shown, classes[:_SHOWN])) + (", ..." if len(classes) > _SHOWN else "")
    if len(classes) == 1:
        return f"class {names} has no photographs but keeps its number"
    return f"{len(classes)} classes have no photographs but keep their numbers: {names}"
