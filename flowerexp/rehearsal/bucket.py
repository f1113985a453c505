"""The service's own way to Cloud Storage: the same emulator that the product uses, by Google's client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from google.api_core.exceptions import Conflict, NotFound
from google.auth.credentials import AnonymousCredentials

MACHINES_HOST = "STORAGE_EMULATOR_HOST_OF_MACHINES"


def split(uri: str) -> tuple[str, str]:
    """gs://bucket/name -> (bucket, name)."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


class Bucket:
    """Cloud Storage, for whole objects named by their gs:// URI."""

    def __init__(self, project: str) -> None:
        from google.cloud import storage

        self.host = os.environ.get(MACHINES_HOST) or os.environ["STORAGE_EMULATOR_HOST"]
        """Where the machines of clusters and batches find it."""
        self._client: Any = storage.Client(project=project, credentials=AnonymousCredentials())

    def _blob(self, uri: str) -> Any:
        bucket, name = split(uri)
        return self._client.bucket(bucket).blob(name)

    def has_bucket(self, name: str) -> bool:
        """Is there a bucket of that name?"""
        return self._client.lookup_bucket(name) is not None

    def names(self) -> list[str]:
        """The names of all buckets."""
        return [bucket.name for bucket in self._client.list_buckets()]

    def make_bucket(self, name: str) -> None:
        """Make it, unless it is there."""
        if not self.has_bucket(name):
            try:
                self._client.create_bucket(name)
            except Conflict:
                return

    def exists(self, uri: str) -> bool:
        """Is there an object?"""
        try:
            return uri.startswith("gs://") and bool(self._blob(uri).exists())
        except NotFound:
            return False

    def write(self, uri: str, content: bytes) -> None:
        """Write an object whole."""
        self._blob(uri).upload_from_string(content, content_type="application/octet-stream")

    def read(self, uri: str) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: there is none.
        """
        try:
            content: bytes = self._blob(uri).download_as_bytes()
        except NotFound:
            raise FileNotFoundError(uri) from None
        return content

    def fetch(self, uri: str, folder: Path) -> Path:
        """Copy an object to a folder, under the last part of its name."""
        path = folder / uri.rpartition("/")[2]
        path.write_bytes(self.read(uri))
        return path

    def upload_folder(self, folder: Path, uri: str) -> None:
        """Copy all files of a folder below a prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.write(f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", path.read_bytes())
