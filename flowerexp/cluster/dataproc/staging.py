"""The bucket: where jobs find their files and leave their results, and where Dataproc writes what drivers print.

::

    gs://BUCKET/flowerexp/
      wheels/HASH/            the packages that jobs import
      code/NAME.zip           bundles, by the hash of their content
      jobs/SCOPE/JOB/         script, job.json and Spark's event log of a job
      runs/SCOPE/RUN/results  what a run wrote
      data/                   photographs and TFRecord files: these stay
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from requests import exceptions as requests_exceptions

from flowerexp.cluster.dataproc.clients import CALL_SECONDS, Clients
from flowerexp.cluster.dataproc.names import BUCKET_LABEL
from flowerexp.cluster.dataproc.refusals import explained
from flowerexp.errors import ClusterError

ROOT = "flowerexp"
STAGING_DAYS = 30
"""After so long, staged files and results that nobody deleted are deleted by the bucket itself."""
STAGED = tuple(f"{ROOT}/{part}/" for part in ("wheels", "code", "jobs", "runs"))
_BY_DATAPROC = "google-cloud-dataproc-metainfo/"
UPLOAD_SECONDS = 600.0

GOOGLE_ERRORS = (
    exceptions.GoogleAPIError,
    auth_exceptions.GoogleAuthError,
    requests_exceptions.RequestException,
)
"""What Google's libraries raise."""


def split(uri: str) -> tuple[str, str]:
    """gs://bucket/name -> (bucket, name)."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


class Bucket:
    """A bucket.

    Args:
        clients: how to reach it.
        name: its name.
    """

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self.name = name
        self._call: dict[str, Any] = {"retry": clients.pace.retrying(), "timeout": CALL_SECONDS}

    def uri(self, *parts: str) -> str:
        """The URI of something below our folder."""
        return "/".join([f"gs://{self.name}", ROOT, *parts])

    @property
    def _place(self) -> Mapping[str, str]:
        return {"project": self._clients.project, "region": self._clients.region}

    def ensure(self) -> None:
        """Have the bucket: made with uniform access, without public access, and with an end for what is staged.

        Raises:
            ClusterError: it cannot be made, or is not ours to use.
        """
        from google.cloud.storage.constants import PUBLIC_ACCESS_PREVENTION_ENFORCED

        client = self._clients.storage
        try:
            if client.lookup_bucket(self.name, **self._call):
                return
            bucket = client.bucket(self.name)
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = PUBLIC_ACCESS_PREVENTION_ENFORCED
            bucket.labels = {BUCKET_LABEL: "staging"}
            bucket.add_lifecycle_delete_rule(age=STAGING_DAYS, matches_prefix=[*STAGED, _BY_DATAPROC])
            client.create_bucket(bucket, location=self._clients.region, **self._call)
        except exceptions.Conflict as error:
            if not client.lookup_bucket(self.name, **self._call):  # another launcher made it just now
                raise explained(error, f"creating the bucket gs://{self.name}", self._place) from error
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "using") from error

    def _explained(self, error: BaseException, doing: str) -> ClusterError:
        found = explained(error, f"{doing} the bucket gs://{self.name}", self._place)
        if found.hint is None:
            found = ClusterError(
                found.problem, hint=f"is gcp.bucket={self.name} right? The name must be free, or yours"
            )
        return found

    def has(self, uri: str) -> bool:
        """Is there such an object?

        Raises:
            ClusterError: it cannot be found out.
        """
        try:
            return bool(self._blob(uri).exists(**self._call))
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "reading") from error

    def put(self, uri: str, content: bytes | Path) -> str:
        """Upload a file or content whole; returns its URI.

        Raises:
            ClusterError: it cannot be written.
        """
        given = {"retry": self._call["retry"], "timeout": UPLOAD_SECONDS}
        try:
            if isinstance(content, bytes):
                self._blob(uri).upload_from_string(content, content_type="application/octet-stream", **given)
            else:
                self._blob(uri).upload_from_filename(str(content), **given)
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "writing to") from error
        return uri

    def put_once(self, uri: str, path: Path) -> str:
        """Upload a file whose name says its content, unless it is there already; returns its URI.

        Raises:
            ClusterError: it cannot be written.
        """
        return uri if self.has(uri) else self.put(uri, path)

    def read(self, uri: str, start: int = 0, *, retry: bool = True) -> bytes:
        """An object's bytes from `start` on; errors are Google's own."""
        given = self._call if retry else {**self._call, "retry": None}
        content: bytes = self._blob(uri).download_as_bytes(start=start or None, **given)
        return content

    def sizes(self, prefix: str, *, retry: bool = True) -> dict[str, int]:
        """The objects whose URI begins with a prefix, and their sizes in bytes; errors are Google's own."""
        bucket, name = split(prefix)
        given = self._call if retry else {**self._call, "retry": None}
        blobs = self._clients.storage.list_blobs(bucket, prefix=name, **given)
        return {f"gs://{bucket}/{blob.name}": int(blob.size) for blob in blobs}

    def folders(self, uri: str) -> Iterator[str]:
        """The names of the folders in a folder; none where there is no bucket."""
        bucket, name = split(uri)
        try:
            listed = self._clients.storage.list_blobs(bucket, prefix=f"{name}/", delimiter="/", **self._call)
            for _ in listed.pages:
                for prefix in listed.prefixes:
                    yield prefix.rstrip("/").rpartition("/")[2]
        except exceptions.NotFound:
            return

    def delete(self, prefix: str) -> int:
        """Delete all objects whose URI begins with a prefix; returns how many; errors are Google's own."""
        bucket, name = split(prefix)
        deleted = 0
        for blob in list(self._clients.storage.list_blobs(bucket, prefix=name, **self._call)):
            try:
                blob.delete(**self._call)
                deleted += 1
            except exceptions.NotFound:
                continue
        return deleted

    def exists(self) -> bool:
        """Is the bucket there? Errors are Google's own."""
        return self._clients.storage.lookup_bucket(self.name, **self._call) is not None

    def is_ours(self) -> bool:
        """Did we make it? Errors are Google's own."""
        return BUCKET_LABEL in self._clients.storage.get_bucket(self.name, **self._call).labels

    def remove(self) -> None:
        """Delete the bucket itself, which must be empty. Errors are Google's own."""
        self._clients.storage.bucket(self.name).delete(**self._call)

    def _blob(self, uri: str) -> Any:
        bucket, name = split(uri)
        return self._clients.storage.bucket(bucket).blob(name)
