"""Files behind a URI, through fsspec: for `gs://` by gcsfs, as Google's own client for Python code that reads data.

What gcsfs raises (its own HttpError, google-auth's and aiohttp's errors, OSErrors without a number) becomes an OSError
with a number, a sentence and the URI. Account names are left out of it: it ends up in logs.

- Instances are made by fsspec's cache, which knows processes from each other: one that was forked gets its own event
  loop and connections. Threads share one.
- Listings are not cached: other machines write to the same bucket.
- Requests that fail for a while (408, 429, 5xx, lost connections) are tried 6 times by gcsfs, for about half a minute.
- Credentials are Google's application default ones; none are looked for with ``token="anon"`` or with an emulator.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Before gcsfs is imported: probing for zonal buckets asks an API that no emulator has, and we use none of its features.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
if "GCSFS_DEBUG" not in os.environ:
    # It logs every error with its traceback, which may name the account, before it raises it.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL + 1)

import fsspec

BLOCK = 5 << 20  # bytes that a stream asks for at a time: gcsfs's own default
_LISTED = "nextPageToken,prefixes,items(name,size,md5Hash,crc32c,generation,etag)"
_ACCOUNT = re.compile(r"\S+@\S+\w")


def locate(uri: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The file system of a URI, and the path in it; the path is taken as it is, whatever characters it holds."""
    scheme, _, path = uri.partition("://")
    settings: dict[str, Any] = {}
    if scheme == "gs":
        emulated = os.environ.get("STORAGE_EMULATOR_HOST", "default") not in ("", "default")
        settings = {"token": "anon" if emulated else "google_default", "use_listings_cache": False}
    elif scheme == "file":
        settings = {"auto_mkdir": True}
    with told(uri):
        return fsspec.filesystem(scheme, **{**settings, **options}), path


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Raise what goes wrong inside as an OSError about a URI.

    Raises:
        OSError: always of the class that its number stands for, such as FileNotFoundError and PermissionError.
    """
    # From none: a traceback shows what an error was raised from, account names included.
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise _as_os_error(error, uri) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("gcsfs", "google", "aiohttp", "requests", "fsspec"):
            raise
        raise _as_os_error(error, uri) from None


def _as_os_error(error: Exception, uri: str) -> OSError:
    forbidden = str(error).startswith("Forbidden: ")  # followed by the request's address, and what Google says
    said = str(error).partition("\n")[2] if forbidden else str(error)
    text = _ACCOUNT.sub("(the account)", " ".join(said.split()))[:300]
    module, code = type(error).__module__, str(getattr(error, "code", None))
    if isinstance(error, FileNotFoundError):
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
    if module.startswith("google.auth") or type(error).__name__ == "NonRetryableError":
        return OSError(errno.EACCES, f"no credentials ({text}): `gcloud auth application-default login` gets some", uri)
    if code == "401" or forbidden:
        return OSError(errno.EACCES, f"{os.strerror(errno.EACCES)} ({text})", uri)
    if isinstance(error, TimeoutError):
        return OSError(errno.ETIMEDOUT, "no answer from the bucket's server in time", uri)
    if module.startswith(("aiohttp", "requests")):
        return OSError(errno.ECONNABORTED, f"the bucket's server cannot be reached ({text})", uri)
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror or text, uri)
    return OSError(errno.EIO, f"{type(error).__name__}: {text}" if text else type(error).__name__, uri)


def objects(uri: str, options: dict[str, Any], delimiter: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The paths of the files below a folder, or of the one that it is itself, each with what is known of it; in order.

    In a bucket one page at a time is in memory: Google lists objects in the order of their names, as UTF-8.

    Args:
        uri: the folder.
        options: of the file system.
        delimiter: "/" for what stands in the folder itself; of a file system that is no bucket, all comes nevertheless.

    Raises:
        OSError: it cannot be listed.
    """
    filesystem, path = locate(uri, options)
    if uri.startswith("gs://"):
        bucket, _, key = path.strip("/").partition("/")
        empty = True
        for page in _pages(uri, options, delimiter):
            empty = empty and not page.get("prefixes")
            for one in page.get("items", ()):
                empty = False
                yield f"{bucket}/{one['name']}", one
        if not empty or not key:
            return
    # Little is left below it: a single file, or nothing.
    with told(uri):
        found = filesystem.find(path.rstrip("/"), detail=True)
    yield from sorted(found.items(), key=lambda item: str(item[0]).lstrip("/"))


def folders(uri: str, options: dict[str, Any]) -> list[str]:
    """The names of the folders in a folder, in no order; an empty name, too, if objects are called so (`a//b`).

    Raises:
        OSError: it cannot be listed.
    """
    base = uri.partition("://")[2].strip("/")
    if uri.startswith("gs://"):
        bucket = base.partition("/")[0]
        paths = [f"{bucket}/{one}" for page in _pages(uri, options, "/") for one in page.get("prefixes", ())]
    else:
        paths = [path.lstrip("/") for path, _ in objects(uri, options)]
    names = (path[len(base) :].removeprefix("/").partition("/") for path in paths)
    return list({name for name, slash, _ in names if slash})


def _pages(uri: str, options: dict[str, Any], delimiter: str) -> Iterator[dict[str, Any]]:
    """The answers to https://cloud.google.com/storage/docs/json_api/v1/objects/list, one after the other."""
    filesystem, path = locate(uri, options)
    bucket, _, key = path.strip("/").partition("/")
    asked = {"prefix": f"{key}/" if key else None, "delimiter": delimiter or None, "fields": _LISTED}
    token = None
    while True:
        with told(uri):
            page = filesystem.call("GET", "b/{}/o", bucket, **asked, pageToken=token, json_out=True)
        yield page
        token = page.get("nextPageToken")
        if not token:
            return


def write(uri: str, content: bytes) -> None:
    """Write a file whole: one request for up to 50 MB.

    Raises:
        OSError: it cannot be written.
    """
    filesystem, path = locate(uri, {})
    # gcsfs puts small content between MIME boundaries, with a bare line feed behind it. After a carriage return the two
    # read as the end of a line, and the return is lost: such content goes in a request of its own.
    apart = {"chunksize": len(content)} if uri.startswith("gs://") and content.endswith(b"\r") else {}
    with told(uri):
        filesystem.pipe_file(path, content, **apart)


def write_from(uri: str, local: str) -> None:
    """Write a local file's content, as `write` does; a large one in pieces, of which nothing appears without the last.

    Raises:
        OSError: it cannot be written.
    """
    if os.stat(local).st_size < BLOCK:  # noqa: PTH116
        with open(local, "rb") as file:  # noqa: PTH123
            return write(uri, file.read())
    filesystem, path = locate(uri, {})
    with told(uri):
        filesystem.put_file(local, path)
    return None


def open_read(uri: str, options: dict[str, Any]) -> BinaryIO:
    """Open a file for reading from its start, in blocks: one request each, and none beside them."""
    filesystem, path = locate(uri, options)
    file = io.BufferedReader(_Stream(filesystem, path, uri), BLOCK)
    file.peek(1)
    return cast("BinaryIO", file)


class _Stream(io.RawIOBase):
    """A file's ranges as they are asked for.

    fsspec's own files ask for an object's size before its content, and gcsfs's read ahead in the background: more than
    was asked for, at a time of their own choice, which is no way to measure reading.
    """

    def __init__(self, filesystem: Any, path: str, uri: str) -> None:
        self.name = uri
        self._filesystem, self._path = filesystem, path
        self._position = 0
        self._size: int | None = None  # not known until the end was seen, or asked for

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = 0
        if whence == os.SEEK_CUR:
            start = self._position
        elif whence == os.SEEK_END:
            start = self._measured()
        self._position = start + offset
        return self._position

    def _measured(self) -> int:
        if self._size is None:
            with told(self.name):
                self._size = int(self._filesystem.info(self._path)["size"])
        return self._size

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        if self._size is not None and self._position >= self._size:
            return 0
        content = self._range(self._position, self._position + len(view))
        if len(content) < len(view):
            self._size = self._position + len(content)
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _range(self, start: int, end: int) -> bytes:
        with told(self.name):
            try:
                content: bytes = self._filesystem.cat_file(self._path, start=start, end=end)
            except Exception as error:
                if str(getattr(error, "code", None)) == "416":  # it begins at the object's end, or behind it
                    return b""
                raise
        return content
