"""A cluster in the cloud: found by its name, reported, and deleted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from google.api_core import exceptions
from google.cloud import dataproc_v1

from flowerexp.cluster import ClusterObserver
from flowerexp.cluster.google.clients import Clients
from flowerexp.cluster.google.names import SCOPE, slug
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket
from flowerexp.errors import ClusterError

_State = dataproc_v1.ClusterStatus.State
DELETE_SECONDS = 900.0


class Presence:
    """One cluster, by its name.

    Args:
        clients: how to reach Dataproc.
        name: the cluster's.
        scope: the sweep or run that it belongs to.
        observer: who is notified.
    """

    def __init__(self, clients: Clients, name: str, scope: str, observer: ClusterObserver) -> None:
        self._clients = clients
        self._name = name
        self._scope = scope
        self._observer = observer
        self._state = ""
        """The last state that the observer was notified of."""
        self._known = False
        """Was it there, and created by flowerexp? Then it is deleted although Google may deny that it is there."""
        self._doubtful = True
        """May it be there although it is not seen: requested, now or by an earlier launcher, without an answer?"""
        self._temporary = ("", "")
        """The bucket and the URI of the folder of what Dataproc keeps for this cluster alone, once that is known."""

    @property
    def _request(self) -> dict[str, str]:
        return {**self._clients.place, "cluster_name": self._name}

    def _notify(self, state: str, message: str = "", **further: str) -> None:
        self._state = state
        place = {"project": self._clients.project, "region": self._clients.region}
        self._observer.notify(state, {"name": self._name, "scope": self._scope, **place, **further}, message)

    def _explained(self, error: BaseException, doing: str) -> ClusterError:
        return self._clients.explained(error, f"{doing} cluster {self._name}")

    def get(self) -> Any:
        """The cluster as it is; None if there is none.

        Raises:
            ClusterError: Google does not say.
        """
        try:
            return self._seen()
        except exceptions.NotFound:
            return None
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "looking for") from error

    def _seen(self) -> Any:
        """The cluster as it is; errors are Google's own."""
        cluster = self._clients.clusters.get_cluster(request=self._request, **self._clients.call)
        # https://docs.cloud.google.com/dataproc/docs/concepts/configuring-clusters/staging-bucket: Spark's and YARN's
        # history, in a folder that is called as the cluster's unique id; nobody deletes it with the cluster.
        bucket, folder = cluster.config.temp_bucket, cluster.cluster_uuid
        if bucket and folder:
            self._temporary = (bucket, f"gs://{bucket}/{folder}/")
        return cluster

    def _appeared(self) -> Any:
        """The cluster that was requested; Google may deny it for a while. None if there is none."""
        deadline = time.monotonic() + self._clients.pace.lag
        while (cluster := self.get()) is None and time.monotonic() < deadline:
            self._pause()
        return cluster

    def _pause(self) -> None:
        time.sleep(self._clients.pace.look)

    def _ours(self, cluster: Any) -> bool:
        return bool(cluster.labels.get(SCOPE) == slug(self._scope))

    @property
    def command(self) -> str:
        """How to delete it by hand."""
        return f"gcloud dataproc clusters delete {self._name} {self._clients.flags} --quiet"

    @property
    def _by_hand(self) -> str:
        return f"make sure of it: {self.command}"

    def delete(self, *, made: bool = True) -> None:
        """Delete it, and wait until it is gone; harmless when there is none.

        Args:
            made: may somebody have made it? Else the observer hears nothing of one that is not there.

        Raises:
            ClusterError: it may still be there.
        """
        deadline = time.monotonic() + DELETE_SECONDS
        try:
            there = self._ask_to_delete()
            while there and self._remains():
                if time.monotonic() > deadline:
                    problem = (
                        f"cluster {self._name} is still there {DELETE_SECONDS / 60:.0f} minutes after it was deleted"
                    )
                    raise ClusterError(problem, hint=self._by_hand)
                self._pause()
        except GOOGLE_ERRORS as error:
            reason = self._explained(error, "deleting")
            raise ClusterError(
                f"{reason.problem}; it may still be there, and cost money", hint=self._by_hand
            ) from error
        left = self._clear()
        if there or (made and self._state != "deleted"):
            self._notify("deleted", left)

    def _clear(self) -> str:
        """Delete what Dataproc kept of it, if it is ours; returns what could not be deleted, which costs little."""
        bucket, folder = self._temporary
        try:
            if bucket and self._known:
                Bucket(self._clients, bucket).delete(folder)
        except GOOGLE_ERRORS as error:
            return f"{folder} stays: {self._explained(error, 'clearing up after').problem}"
        return ""

    def _remains(self) -> bool:
        """Is it still there? One that could not be deleted, or whose other operations came first, is asked again."""
        try:
            cluster = self._seen()
        except exceptions.NotFound:
            return False
        return cluster.status.state == _State.DELETING or self._ask_to_delete()

    def _ask_to_delete(self) -> bool:
        """Ask for it; False if there is none. Errors are Google's own."""
        if not self._known:
            cluster = self._appeared() if self._doubtful else self.get()
            self._known = cluster is not None and self._ours(cluster)
            if not self._known:
                return False
        request: Mapping[str, str] = {**self._request, "request_id": str(uuid.uuid4())}
        try:
            self._clients.clusters.delete_cluster(request=request, **self._clients.call)
        except exceptions.NotFound:
            return False
        except exceptions.FailedPrecondition:
            pass  # another operation on it is under way: the request is repeated
        if self._state != "deleting":
            self._notify("deleting")
        return True
