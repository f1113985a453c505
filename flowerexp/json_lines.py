"""Files of JSON lines that are only added to: each line is on the disk at once, and damage costs that line alone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp.errors import from_os_error

Json = dict[str, Any]


def append(path: Path, content: Mapping[str, Any], mode: int = 0o644) -> None:
    """Add a line to a file of JSON lines; it is on the disk when this returns. Several processes may do so at once.

    Args:
        path: the file's; made if it is missing.
        content: the line's object.
        mode: the permissions of a new file.

    Raises:
        OSError: no room, no permission.
    """
    line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, mode)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # somebody died in the middle of a line, which must not swallow this one
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path, fits: Callable[[Json], bool]) -> tuple[list[Json], list[int]]:
    """Read a file of JSON lines.

    Args:
        path: the file's.
        fits: whether an object is one of the file's.

    Returns:
        The objects, and the numbers of the lines that hold none; nothing of either where there is no such file. A last
        line without its end was cut off as it was written, and says nothing.

    Raises:
        MachineError: the file cannot be read.
    """
    try:
        *lines, last = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except OSError as error:
        raise from_os_error(error, "reading") from error
    objects, bad = [], []
    for place, line in enumerate([*lines, last], start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict) and fits(content):
            objects.append(content)
        elif place <= len(lines):
            bad.append(place)
    return objects, bad


def complaint(path: Path, bad: Sequence[int]) -> str | None:
    """What to say of lines that do not belong into the file; None without any."""
    if not bad:
        return None
    numbers = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
    return (
        f"{path} is damaged: line {numbers} is skipped"
        if len(bad) == 1
        else (f"{path} is damaged: {len(bad)} lines are skipped ({numbers})")
    )
