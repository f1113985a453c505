"""Read, write and list files behind a URI through fsspec, which uses gcsfs for `gs://`.

The errors of gcsfs (its HttpError, the errors of google-auth and aiohttp, OSErrors without a number) become OSErrors
with a number, a sentence and the URI. Account names are removed, since the messages go into logs.

- fsspec caches file systems per process: a forked process gets its own event loop and connections. Threads share them.
- Listings are not cached, since other machines write to the same bucket.
- gcsfs tries requests that fail (408, 429, 5xx, lost connections) 6 times, for about half a minute.
- Credentials are Google's application default credentials; ``token="anon"`` and an emulator use none.
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

# Before gcsfs is imported: probing for zonal buckets uses an API that emulators lack, and flowerexp does not need it.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
if "GCSFS_DEBUG" not in os.environ:
    # It logs every error before raising it, with a traceback that may name the account.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL + 1)

import fsspec

from flowerexp.errors import require
from flowerexp.storage.simulated import endpoint_of

BLOCK = 5 << 20  # bytes of one request of a stream: the default of gcsfs
_LISTED = "nextPageToken,prefixes,items(name,size,md5Hash,crc32c,generation,etag)"
_ACCOUNT = re.compile(r"\S+@\S+\w")


def locate(uri: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The file system of a URI, and the path in it; the path is not changed, whatever characters it contains."""
    scheme, _, path = uri.partition("://")
    settings: dict[str, Any] = {}
    if scheme == "gs":
        require(uri, ("gcsfs",))
        if endpoint := endpoint_of(path):
            options = {"endpoint_url": endpoint, "token": "anon"}
        emulated = os.environ.get("STORAGE_EMULATOR_HOST", "default") not in ("", "default")
        settings = {"token": "anon" if emulated else "google_default", "use_listings_cache": False}
    elif scheme == "file":
        settings = {"auto_mkdir": True}
    with os_errors(uri):
        return fsspec.filesystem(scheme, **{**settings, **options}), path


@contextmanager
def os_errors(uri: str) -> Iterator[None]:
    """Raise errors inside as OSErrors about a URI.

    Raises:
        OSError: of the class that belongs to its number, such as FileNotFoundError and PermissionError.
    """
    # From None: a traceback also shows the original error, including account names.
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise _as_os_error(error, uri) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("gcsfs", "google", "aiohttp", "requests", "fsspec"):
            raise
        raise _as_os_error(error, uri) from None


def _as_os_error(error: Exception, uri: str) -> OSError:
    forbidden = str(error).startswith("Forbidden: ")  # followed by the request's address and Google's message
    message = str(error).partition("\n")[2] if forbidden else str(error)
    text = _ACCOUNT.sub("(the account)", " ".join(message.split()))[:300]
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


def objects(
    uri: str, options: dict[str, Any], delimiter: str = "", bounds: tuple[str, str | None] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files below a folder, or the file itself: the paths in their order, each with the file's properties.

    Only one page of a bucket is in memory: Google lists objects in the order of their names, as UTF-8.

    Args:
        uri: the folder or file.
        options: of the file system.
        delimiter: "/" to list only what is directly in the folder; a file system that is not a bucket ignores it.
        bounds: of a bucket, list the names below the folder from the first to before the second, if there is one.

    Raises:
        OSError: the folder cannot be listed.
    """
    filesystem, path = locate(uri, options)
    if uri.startswith("gs://"):
        bucket, _, key = path.strip("/").partition("/")
        empty = True
        for page in _pages(uri, options, delimiter, bounds):
            empty = empty and not page.get("prefixes")
            for properties in page.get("items", ()):
                empty = False
                yield f"{bucket}/{properties['name']}", properties
        if not empty or not key or bounds:
            return
    # In a bucket, this can only be a single file, or nothing.
    with os_errors(uri):
        files = filesystem.find(path.rstrip("/"), detail=True)
    yield from sorted(files.items(), key=lambda item: str(item[0]).lstrip("/"))


def folders(uri: str, options: dict[str, Any]) -> list[str]:
    """The names of the folders in a folder, not sorted; a name is empty if an object's has two slashes (`a//b`).

    Raises:
        OSError: the folder cannot be listed.
    """
    base = uri.partition("://")[2].strip("/")
    if uri.startswith("gs://"):
        bucket = base.partition("/")[0]
        prefixes = (prefix for page in _pages(uri, options, "/") for prefix in page.get("prefixes", ()))
        paths = [f"{bucket}/{prefix}" for prefix in prefixes]
    else:
        paths = [path.lstrip("/") for path, _ in objects(uri, options)]
    names = (path[len(base) :].removeprefix("/").partition("/") for path in paths)
    return list({name for name, slash, _ in names if slash})


def _pages(
    uri: str, options: dict[str, Any], delimiter: str, bounds: tuple[str, str | None] | None = None
) -> Iterator[dict[str, Any]]:
    """The answers to https://cloud.google.com/storage/docs/json_api/v1/objects/list, one after the other."""
    filesystem, path = locate(uri, options)
    bucket, _, key = path.strip("/").partition("/")
    prefix, (start, end) = f"{key}/" if key else "", bounds or ("", None)
    asked = {"prefix": prefix or None, "delimiter": delimiter or None, "fields": _LISTED}
    asked["startOffset"] = prefix + start if start else None
    asked["endOffset"] = None if end is None else prefix + end
    token = None
    while True:
        with os_errors(uri):
            page = filesystem.call("GET", "b/{}/o", bucket, **asked, pageToken=token, json_out=True)
        yield page
        token = page.get("nextPageToken")
        if not token:
            return


def write(uri: str, content: bytes) -> None:
    """Write a complete file, with one request for up to 50 MB.

    Raises:
        OSError: the file cannot be written.
    """
    filesystem, path = locate(uri, {})
    # gcsfs puts small content between MIME boundaries, followed by a line feed. A carriage return before that would be
    # lost as a part of the line end, so such content is sent in a separate request.
    separately = uri.startswith("gs://") and content.endswith(b"\r")
    with os_errors(uri):
        filesystem.pipe_file(path, content, **({"chunksize": len(content)} if separately else {}))


def write_from(uri: str, local: str) -> None:
    """Write the content of a local file, like `write`; a large file in pieces, and it appears with the last one.

    Raises:
        OSError: the file cannot be written.
    """
    if os.stat(local).st_size < BLOCK:  # noqa: PTH116
        with open(local, "rb") as file:  # noqa: PTH123
            return write(uri, file.read())
    filesystem, path = locate(uri, {})
    with os_errors(uri):
        filesystem.put_file(local, path)
    return None


def open_read(uri: str, options: dict[str, Any]) -> BinaryIO:
    """Open a file for reading from its start, in blocks; each is one request, and there are no others."""
    filesystem, path = locate(uri, options)
    file = io.BufferedReader(_Stream(filesystem, path, uri), BLOCK)
    file.peek(1)
    return cast("BinaryIO", file)


def open_ranges(uri: str, options: dict[str, Any]) -> BinaryIO:
    """Open a file for reading ranges of it; each is one request, and there are no others but one for the size."""
    return cast("BinaryIO", _Stream(*locate(uri, options), uri))


class _Stream(io.RawIOBase):
    """A file whose ranges are requested when they are read.

    The files of fsspec request an object's size before its content, and those of gcsfs read ahead in the background. So
    they would read more than was asked for, at other times, and reading could not be measured.
    """

    def __init__(self, filesystem: Any, path: str, uri: str) -> None:
        self.name = uri
        self._filesystem, self._path = filesystem, path
        self._position = 0
        self._size: int | None = None  # None until the end was read or the size requested

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = 0
        if whence == os.SEEK_CUR:
            start = self._position
        elif whence == os.SEEK_END:
            start = self._known_size()
        self._position = start + offset
        return self._position

    def _known_size(self) -> int:
        if self._size is None:
            with os_errors(self.name):
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
        with os_errors(self.name):
            try:
                content: bytes = self._filesystem.cat_file(self._path, start=start, end=end)
            except Exception as error:
                if str(getattr(error, "code", None)) == "416":  # the range begins at the object's end or after it
                    return b""
                raise
        return content
