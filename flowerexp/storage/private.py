"""Create and check folders and files that only one user can write to, also in a shared folder such as `/tmp`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from flowerexp.errors import MachineError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def folder(path: Path) -> Path:
    """Create a folder that only this user can enter; an existing one is checked.

    Args:
        path: the folder; absolute.

    Raises:
        MachineError: the folder belongs to another user, or others can write to it.
        OSError: it cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _check_owner(path)
    return path


def folder_of_programs(path: Path) -> Path:
    """Like `folder`, for a folder whose files are executed: other users must not be able to replace it either.

    Args:
        path: the folder; absolute.

    Raises:
        MachineError: the folder belongs to another user, or others can write to it or to a folder above it.
        OSError: it cannot be created.
    """
    folder(path)
    trusted = {0, os.geteuid(), Path("/").stat().st_uid}  # in a container, the owner of / may have any number
    for above in path.resolve().parents:
        status = above.stat()
        is_trusted = status.st_uid in trusted
        shared = status.st_mode & (stat.S_IWOTH if is_trusted else _OTHERS_WRITE)
        if shared and not (status.st_mode & stat.S_ISVTX and is_trusted):
            raise _refused(f"other users can replace what is in {above}")
    return path


def _check_owner(path: Path) -> None:
    """Check that a path is a folder of this user, without following a link.

    Raises:
        MachineError: it is not, or others can write to it.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        kind = "a link" if stat.S_ISLNK(status.st_mode) else "not a folder"
        raise _refused(f"{path} is {kind} that belongs to user {status.st_uid}")
    if status.st_uid != os.geteuid():
        raise _refused(f"{path} belongs to user {status.st_uid}")
    if status.st_mode & _OTHERS_WRITE:
        raise _refused(f"other users can write to {path}")


def _refused(problem: str) -> MachineError:
    return MachineError(problem, hint="remove it, or set TMPDIR to a folder that only you can write to")


def lock_file(path: Path) -> int:
    """Open a file for locking, or create it; a link is not followed, and the content does not change.

    Returns:
        The file's descriptor, which the caller has to close.

    Raises:
        MachineError: the path is a link, or something else that is not a file of this user.
        OSError: the file cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            raise _refused(f"{path} is not a file that flowerexp has created") from error
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise _refused(f"{path} is not a file that flowerexp has created")
    return descriptor
