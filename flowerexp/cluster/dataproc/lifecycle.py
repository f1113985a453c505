"""The life of a cluster: found again or created, in one zone or the next, and deleted whatever happened."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.api_core import exceptions
from google.cloud import dataproc_v1

from flowerexp.cluster import Life
from flowerexp.cluster.dataproc.clients import Clients, is_transient
from flowerexp.cluster.dataproc.names import SCOPE, slug
from flowerexp.cluster.dataproc.refusals import StockOutError, explained, last_attempt, scrubbed
from flowerexp.cluster.dataproc.staging import GOOGLE_ERRORS, Bucket, split
from flowerexp.errors import ClusterError, FlowerexpError, StoppedError

_State = dataproc_v1.ClusterStatus.State
_ON_THE_WAY = (_State.CREATING, _State.UPDATING, _State.STARTING, _State.REPAIRING)
CREATE_SECONDS = 1800.0
DELETE_SECONDS = 900.0

_SEE = re.compile(r"(?<=see output in: )gs://[^\s'\"]*_output")

Message = Callable[[str | None], dataproc_v1.Cluster]
"""What creates the cluster in a zone; None lets Dataproc choose."""


class Lifecycle:
    """One cluster, by its name.

    Args:
        clients: how to reach Dataproc.
        name: the cluster's.
        scope: the sweep or run that it belongs to.
        life: who is told.
    """

    def __init__(self, clients: Clients, name: str, scope: str, life: Life) -> None:
        self._clients = clients
        self._name = name
        self._scope = scope
        self._life = life
        self._told = ""
        self._known = False
        """Was it there, and ours? Then it is deleted although Google may deny that it is there."""
        self._doubtful = True
        """May it be there although it is not seen: asked for, by us or an earlier launcher, without an answer?"""

    @property
    def _request(self) -> dict[str, str]:
        return {**self._clients.place, "cluster_name": self._name}

    def _tell(self, state: str, message: str = "", **further: str) -> None:
        self._told = state
        place = {"project": self._clients.project, "region": self._clients.region}
        self._life.tell(state, {"name": self._name, "scope": self._scope, **place, **further}, message)

    def _explained(self, error: BaseException, doing: str) -> ClusterError:
        place = {"project": self._clients.project, "region": self._clients.region}
        return explained(error, f"{doing} cluster {self._name}", place)

    def get(self) -> Any:
        """The cluster as it is; None if there is none.

        Raises:
            ClusterError: Google does not say.
        """
        try:
            return self._clients.clusters.get_cluster(request=self._request, **self._clients.call)
        except exceptions.NotFound:
            return None
        except GOOGLE_ERRORS as error:
            raise self._explained(error, "looking for") from error

    # Having one.

    def open(self, message: Message, zones: Sequence[str]) -> None:
        """Have the cluster running.

        Args:
            message: what creates it.
            zones: tried one after the other; none lets Dataproc choose.

        Raises:
            ClusterError: it could not be had; nothing of it is left.
            StoppedError: we were stopped; nothing of it is left.
        """
        why = ""
        denied_since: float | None = None
        waiting: list[str | None] = [*zones] or [None]
        while waiting:
            if self._found_again():
                return
            zone = waiting[0]
            try:
                self._create(message(zone), why)
                return
            except exceptions.AlreadyExists as error:
                # By another launcher, just now: that one is found again, or deleted; Google may deny it for a while.
                denied_since = denied_since or time.monotonic()
                if time.monotonic() - denied_since > self._clients.pace.patience:
                    raise self._explained(error, "looking for") from error
                self._pause()
            except StockOutError:
                waiting.pop(0)
                if not waiting:
                    raise
                why = f"{zone} has no machines left, trying {waiting[0]}"

    def _pause(self) -> None:
        time.sleep(self._clients.pace.look)

    def _found_again(self) -> bool:
        """Is there a running cluster of ours? One that is broken or about to go is seen off first."""
        cluster = self._settled()
        if cluster is None:
            return False
        if not self._ours(cluster):
            hint = f"delete it, or give another name: cluster.name=...; it is in {self._clients.region}"
            raise ClusterError(f"there is a cluster {self._name} already that flowerexp did not create", hint=hint)
        self._known = True
        if cluster.status.state == _State.RUNNING:
            self._running(cluster)
            return True
        self.delete()
        return False

    def _ours(self, cluster: Any) -> bool:
        return bool(cluster.labels.get(SCOPE) == slug(self._scope))

    def _running(self, cluster: Any) -> None:
        zone = cluster.config.gce_cluster_config.zone_uri.rpartition("/")[2]
        self._tell("running", image=cluster.config.software_config.image_version, zone=zone)

    def _settled(self) -> Any:
        """The cluster once it is neither being made nor being deleted."""
        deadline = time.monotonic() + CREATE_SECONDS
        while (cluster := self.get()) is not None:
            state = cluster.status.state
            if state not in (*_ON_THE_WAY, _State.DELETING, _State.STOPPING):
                return cluster
            if state != _State.DELETING and not self._told:
                self._tell("creating")
            if self._life.stopping:
                self.delete()
                raise self._stopped()
            if time.monotonic() > deadline:
                raise ClusterError(f"cluster {self._name} has been {state.name} for too long", hint=self._by_hand)
            self._pause()
        return None

    def _create(self, message: dataproc_v1.Cluster, why: str) -> None:
        """Create it in one zone; whatever goes wrong, nothing is left of it."""
        self._tell("creating", why)  # before the call: if we die in it, the journal knows
        self._known = self._doubtful = False
        try:
            operation = self._asked(message)
            self._known = True
            self._wait(operation)
            cluster = self._appeared()
            if cluster is None or cluster.status.state != _State.RUNNING:
                detail = scrubbed(cluster.status.detail) if cluster else "it is gone"
                raise ClusterError(f"cluster {self._name} does not run: {detail}")
        except exceptions.AlreadyExists:
            raise
        except BaseException as error:
            self._undo(error)
            raise
        self._running(cluster)

    def _asked(self, message: dataproc_v1.Cluster) -> Any:
        if self._life.stopping:
            raise self._stopped()
        request = {**self._clients.place, "cluster": message, "request_id": str(uuid.uuid4())}
        try:
            return self._clients.clusters.create_cluster(request=request, **self._clients.call)
        except exceptions.AlreadyExists:
            raise
        except GOOGLE_ERRORS as error:
            self._doubtful = is_transient(last_attempt(error))
            raise self._explained(error, "creating") from error

    def _appeared(self) -> Any:
        """The cluster that was asked for; Google may deny it for a while. None if there is none."""
        deadline = time.monotonic() + self._clients.pace.lag
        while (cluster := self.get()) is None and time.monotonic() < deadline:
            self._pause()
        return cluster

    def _wait(self, operation: Any) -> None:
        """Wait for the operation that creates it.

        Raises:
            ClusterError: it failed, or takes too long.
            StoppedError: we were stopped meanwhile.
        """
        deadline = time.monotonic() + CREATE_SECONDS
        try:
            while not operation.done(retry=self._clients.pace.retrying()):
                if self._life.stopping:
                    raise self._stopped()
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"creating cluster {self._name} took more than {CREATE_SECONDS / 60:.0f} minutes"
                    )
                self._pause()
            error = operation.exception()
        except GOOGLE_ERRORS as unanswered:
            raise self._explained(unanswered, "creating") from unanswered
        if error is not None:
            raise self._explained(self._with_output(error), "creating") from error

    def _with_output(self, error: Any) -> Any:
        """An error of an initialization action, with the last line that names an error of what it printed."""
        found = _SEE.search(str(error))
        if found:
            try:
                printed = Bucket(self._clients, split(found[0])[0]).read(found[0]).decode(errors="replace")
            except GOOGLE_ERRORS:
                return error
            telling = [line.strip() for line in printed.splitlines() if "error" in line.lower()]
            error.message = f"{error.message} It says: {telling[-1][:300]}" if telling else error.message
        return error

    def _stopped(self) -> StoppedError:
        return StoppedError(f"cluster {self._name} was not waited for: the sweep was stopped")

    def _undo(self, error: BaseException) -> None:
        """Delete what a failed creation left: half a cluster costs as much as a whole one."""
        try:
            self.delete()
        except ClusterError as left:
            reason = error.problem if isinstance(error, FlowerexpError) else str(error)
            raise ClusterError(f"{reason}; and {left.problem}", hint=left.hint) from error

    # Seeing it off.

    @property
    def command(self) -> str:
        """How to delete it by hand."""
        place = f"--region={self._clients.region} --project={self._clients.project}"
        return f"gcloud dataproc clusters delete {self._name} {place} --quiet"

    @property
    def _by_hand(self) -> str:
        return f"make sure of it: {self.command}"

    def delete(self, *, made: bool = True) -> None:
        """Delete it, and wait until it is gone; harmless when there is none.

        Args:
            made: may somebody have made it? Else nothing is told of one that is not there.

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
        if there or (made and self._told != "deleted"):
            self._tell("deleted")

    def _remains(self) -> bool:
        """Is it still there? One that could not be deleted, or whose other operations came first, is asked again."""
        try:
            cluster = self._clients.clusters.get_cluster(request=self._request, **self._clients.call)
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
            pass  # another operation on it is under way: it is asked again
        if self._told != "deleting":
            self._tell("deleting")
        return True
