"""Google's own client libraries, connected to Google, or to the emulator that Google's own variables name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth import exceptions as auth_exceptions
from google.cloud import dataproc_v1, storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests import exceptions as requests_exceptions

from flowerexp.cluster.google.refusals import explained, is_quota, is_stock_out
from flowerexp.errors import ClusterError

CALL_SECONDS = 60.0  # one attempt at one call
LOOK_SECONDS = 20.0  # the same, of one that follows a job
_TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.GatewayTimeout,
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.Aborted,
    exceptions.Unknown,  # such as "Stream removed", of a connection that was lost: grpc issue 34076
    exceptions.Cancelled,  # the same: flowerexp cancels no call
    exceptions.TooManyRequests,  # and ResourceExhausted: too many calls a minute; the words of quotas differ
    auth_exceptions.TransportError,
    requests_exceptions.ConnectionError,
    requests_exceptions.ChunkedEncodingError,
    requests_exceptions.Timeout,
    DataCorruption,
)
_TRANSIENT_STATUS = (408, 429, 500, 502, 503, 504)


def is_transient(error: BaseException) -> bool:
    """May the same call succeed in a moment?"""
    if isinstance(error, InvalidResponse):  # what Cloud Storage answers to an upload
        return error.response.status_code in _TRANSIENT_STATUS
    return isinstance(error, _TRANSIENT) and not is_stock_out(error) and not is_quota(error)


@dataclass(frozen=True)
class Pace:
    """How often Google is asked, and how long its answer is waited for; seconds.

    Attributes:
        look: between two looks at a cluster or job.
        retry: before a call that failed is made again for the first time; twice as long each further time.
        patience: how long a call is tried again, and how long a job is followed unseen.
        lag: how long Google may deny what it has made, or keep back what a driver has printed.
        stop: how long a cancelled job is waited for.
    """

    look: float = 2.0
    retry: float = 1.0
    patience: float = 300.0
    lag: float = 30.0
    stop: float = 30.0

    def retrying(self, patience: float | None = None) -> Retry:
        """How a call is tried again."""
        return Retry(
            predicate=is_transient,
            initial=self.retry,
            maximum=30.0,
            multiplier=2.0,
            timeout=self.patience if patience is None else patience,
        )


EMULATED = Pace(look=0.1, retry=0.05, patience=60.0, lag=2.0, stop=20.0)


class Clients:
    """The clients of a project and region, each made when it is used first.

    Args:
        project: the project's id.
        region: such as us-central1.
        pace: how patient to be; by default Google's, or an emulator's where one is set.
    """

    def __init__(self, project: str, region: str, pace: Pace | None = None) -> None:
        self.project = project
        self.region = region
        self._emulator = os.environ.get("DATAPROC_EMULATOR_HOST")
        self.pace = pace or (EMULATED if self._emulator else Pace())
        self.call: dict[str, Any] = {"retry": self.pace.retrying(), "timeout": CALL_SECONDS}
        """Arguments of a call that is tried again."""
        self.once: dict[str, Any] = {"retry": None, "timeout": LOOK_SECONDS}
        """Arguments of a call that is not: whoever makes it comes again soon."""

    @cached_property
    def clusters(self) -> Any:
        """The ClusterController."""
        return self._client(dataproc_v1.ClusterControllerClient)

    @cached_property
    def jobs(self) -> Any:
        """The JobController."""
        return self._client(dataproc_v1.JobControllerClient)

    @cached_property
    def batches(self) -> Any:
        """The BatchController."""
        return self._client(dataproc_v1.BatchControllerClient)

    @cached_property
    def logging(self) -> Any:
        """Cloud Logging."""
        from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client  # few need it

        return self._client(LoggingServiceV2Client, "logging.googleapis.com")

    @cached_property
    def storage(self) -> Any:
        """Cloud Storage."""
        if os.environ.get("STORAGE_EMULATOR_HOST"):
            from google.auth.credentials import AnonymousCredentials

            return storage.Client(project=self.project, credentials=AnonymousCredentials())
        return storage.Client(project=self.project)

    @property
    def place(self) -> dict[str, str]:
        """The part of a request that says where."""
        return {"project_id": self.project, "region": self.region}

    @property
    def parent(self) -> str:
        """The same, as batches have it."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def flags(self) -> str:
        """The same, on a command line of `gcloud`."""
        return f"--region={self.region} --project={self.project}"

    def explained(self, error: BaseException, doing: str) -> ClusterError:
        """See `refusals.explained`."""
        return explained(error, doing, self.project, self.region)

    def _client(self, kind: Callable[..., Any], endpoint: str | None = None) -> Any:
        if self._emulator:
            # With credentials but without this transport, the library would use TLS.
            import grpc

            transport = kind.get_transport_class("grpc")  # type: ignore[attr-defined]
            return kind(transport=transport(channel=grpc.insecure_channel(self._emulator)))
        return kind(client_options={"api_endpoint": endpoint or f"{self.region}-dataproc.googleapis.com:443"})
