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

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests import exceptions as requests_exceptions

from flowerexp.cluster.google.clients import CALL_SECONDS, Clients
from flowerexp.cluster.google.names import BUCKET_LABEL
from flowerexp.errors import ClusterError

ROOT = "flowerexp"
STAGING_DAYS = 30
"""The bucket itself deletes staged files and results after this time."""
STAGED = tuple(f"{ROOT}/{part}/" for part in ("wheels", "code", "jobs", "runs"))
_BY_DATAPROC = "google-cloud-dataproc-metainfo/"
UPLOAD_SECONDS = 600.0

GOOGLE_ERRORS = (
    exceptions.GoogleAPIError,
    auth_exceptions.GoogleAuthError,
    requests_exceptions.RequestException,
    DataCorruption,
    InvalidResponse,
)
"""What Google's libraries raise."""


def split(uri: str) -> tuple[str, str]:
    """gs://bucket/name -> (bucket, name)."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def md5_of(content: bytes) -> str:
    """The hash by which Cloud Storage knows an object's content."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


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
        """The URI of something below flowerexp's folder."""
        return "/".join([f"gs://{self.name}", ROOT, *parts])

    def check(self) -> bool:
        """Is there such a bucket? One of another project is refused: clusters run what is in it.

        Raises:
            ClusterError: it is another project's, or Google does not say.
        """
        try:
            found = self._clients.storage.lookup_bucket(self.name, **self._call)
            if found is None or found.project_number == self._project_number():
                return found is not None
        except (*GOOGLE_ERRORS, ValueError) as error:
            raise self._explained(error, "using") from error
        problem = f"the bucket gs://{self.name} belongs to another project than {self._clients.project}"
        raise ClusterError(problem, where="gcp.bucket", hint="name another one, which is made when it is missing")

    def _project_number(self) -> int | None:
        """The number of the project, which is a part of the name of its service account; errors are Google's own."""
        email = self._clients.storage.get_service_account_email(self._clients.project, **self._call)
        found = re.search(r"\d+", email)
        return int(found[0]) if found else None

    def ensure(self) -> None:
        """Make the bucket where it is missing: uniform access, no public access, and staged files deleted after a time.

        Raises:
            ClusterError: it cannot be made, or may not be used.
        """
        if self.check():
            return
        from google.cloud.storage.constants import PUBLIC_ACCESS_PREVENTION_ENFORCED

        client = self._clients.storage
        try:
            bucket = client.bucket(self.name)
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = PUBLIC_ACCESS_PREVENTION_ENFORCED
            bucket.labels = {BUCKET_LABEL: "staging"}
            bucket.add_lifecycle_delete_rule(age=STAGING_DAYS, matches_prefix=[*STAGED, _BY_DATAPROC])
            client.create_bucket(bucket, location=self._clients.region, **self._call)
        except exceptions.Conflict as error:  # somebody made it just now: another launcher?
            if not self.check():
                raise self._explained(error, "creating") from error
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "using") from error

    def _explained(self, error: BaseException, doing: str) -> ClusterError:
        found = self._clients.explained(error, f"{doing} the bucket gs://{self.name}")
        hint = found.hint or f"is gcp.bucket={self.name} right? The name must be free, or yours"
        return ClusterError(found.problem, where="gcp.bucket", hint=hint)

    def holds(self, uri: str, md5: str) -> bool:
        """Is there such an object, and is it what it should be?

        Args:
            uri: the object's.
            md5: of its content, as `md5_of` gives it.

        Raises:
            ClusterError: it cannot be found out.
        """
        bucket, name = split(uri)
        try:
            blob = self._clients.storage.bucket(bucket).get_blob(name, **self._call)
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "reading") from error
        return blob is not None and blob.md5_hash == md5

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
        """Upload a file, unless just that is there already; returns its URI.

        Raises:
            ClusterError: it cannot be written.
        """
        return uri if self.holds(uri, md5_of(path.read_bytes())) else self.put(uri, path)

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
        """Did flowerexp make it? Errors are Google's own."""
        return BUCKET_LABEL in self._clients.storage.get_bucket(self.name, **self._call).labels

    def remove(self) -> None:
        """Delete the bucket itself, which must be empty. Errors are Google's own."""
        self._clients.storage.bucket(self.name).delete(**self._call)

    def _blob(self, uri: str) -> Any:
        bucket, name = split(uri)
        return self._clients.storage.bucket(bucket).blob(name)
