"""Write a file that appears under its name only when it is complete, in a local folder or a bucket."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import BinaryIO, cast

from flowerexp.storage.paths import is_local, join


class NewFile:
    """A file that appears under its name only when it is complete, so that the name may depend on its content.

    ::

        with NewFile(folder) as file:
            file.stream.write(...)
            file.keep("name")

    Without `keep`, or after an exception, no file remains.
    """

    def __init__(self, folder: str, mode: int = 0o666) -> None:
        self.folder = folder or "."
        self._mode = mode
        self.stream: BinaryIO
        self._aside = Path(self.folder) / f".{uuid.uuid4().hex}.tmp" if is_local(folder) else None

    def __enter__(self) -> NewFile:
        if self._aside is None:
            self.stream = cast("BinaryIO", tempfile.NamedTemporaryFile())
        else:
            self._aside.parent.mkdir(parents=True, exist_ok=True)
            self.stream = os.fdopen(os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode), "wb")
        return self

    @property
    def path(self) -> str:
        """Where the content is until then: a local file, which may also be written by its name."""
        return str(self._aside or self.stream.name)

    def keep(self, name: str, durable: bool = False) -> None:
        """Let the file appear under its name; it replaces an older file.

        Args:
            name: the file's name.
            durable: whether to wait until it is on the disk; otherwise a loss of power may empty the file.
        """
        if self._aside is not None:
            if durable:
                self.stream.flush()
                os.fsync(self.stream.fileno())
            self.stream.close()  # writes the buffer, which may fail: then no file appears
            self._aside.replace(self._aside.with_name(name))
            if durable:
                _sync_folder(self._aside.parent)
            return
        from flowerexp.storage import remote

        self.stream.flush()
        remote.write_from(join(self.folder, name), self.stream.name)

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write a folder's new names to the disk; some network file systems cannot, and do not need to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
