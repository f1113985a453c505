"""A cluster is found again or created, in one zone or the next; whatever fails, nothing is left."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from google.api_core import exceptions
from google.cloud import dataproc_v1

from flowerexp.cluster.dataproc.presence import Presence
from flowerexp.cluster.google.clients import is_transient
from flowerexp.cluster.google.refusals import StockOutError, last_attempt, scrubbed
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket, split
from flowerexp.errors import ClusterError, FlowerexpError, StoppedError

_State = dataproc_v1.ClusterStatus.State
_ON_THE_WAY = (_State.CREATING, _State.UPDATING, _State.STARTING, _State.REPAIRING)
CREATE_SECONDS = 1800.0

_SEE = re.compile(r"(?<=see output in: )gs://[^\s'\"]*_output")

Message = Callable[[str | None], dataproc_v1.Cluster]
"""What creates the cluster in a zone; None lets Dataproc choose."""


class Lifecycle(Presence):
    """One cluster, by its name, from its creation on."""

    def open(self, message: Message, zones: Sequence[str]) -> None:
        """Make the cluster run.

        Args:
            message: what creates it.
            zones: tried one after the other; none lets Dataproc choose.

        Raises:
            ClusterError: it could not be created; nothing of it is left.
            StoppedError: the sweep was stopped; nothing of it is left.
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
                    self._known = True  # so that it is deleted
                    raise self._explained(error, "looking for") from error
                self._pause()
            except StockOutError:
                waiting.pop(0)
                if not waiting:
                    raise
                why = f"{zone} has no machines left, trying {waiting[0]}"

    def _found_again(self) -> bool:
        """Is there a running cluster of this scope? One that is broken or about to go is deleted first."""
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

    def _running(self, cluster: Any) -> None:
        zone = cluster.config.gce_cluster_config.zone_uri.rpartition("/")[2]
        self._notify("running", image=cluster.config.software_config.image_version, zone=zone)

    def _settled(self) -> Any:
        """The cluster once it is neither being made nor being deleted."""
        deadline = time.monotonic() + CREATE_SECONDS
        while (cluster := self.get()) is not None:
            state = cluster.status.state
            if state not in (*_ON_THE_WAY, _State.DELETING, _State.STOPPING):
                return cluster
            if state != _State.DELETING and not self._state:
                self._notify("creating")
            if self._observer.stopping:
                self.delete()
                raise self._stopped()
            if time.monotonic() > deadline:
                raise ClusterError(f"cluster {self._name} has been {state.name} for too long", hint=self._by_hand)
            self._pause()
        return None

    def _create(self, message: dataproc_v1.Cluster, why: str) -> None:
        """Create it in one zone; whatever goes wrong, nothing is left of it."""
        self._notify("creating", why)  # before the call: if flowerexp dies in it, the journal knows
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
        if self._observer.stopping:
            raise self._stopped()
        request = {**self._clients.place, "cluster": message, "request_id": str(uuid.uuid4())}
        try:
            return self._clients.clusters.create_cluster(request=request, **self._clients.call)
        except exceptions.AlreadyExists:
            raise
        except GOOGLE_ERRORS as error:
            self._doubtful = is_transient(last_attempt(error))
            raise self._explained(error, "creating") from error

    def _wait(self, operation: Any) -> None:
        """Wait for the operation that creates it.

        Raises:
            ClusterError: it failed, or takes too long.
            StoppedError: the sweep was stopped meanwhile.
        """
        deadline = time.monotonic() + CREATE_SECONDS
        try:
            while not operation.done(retry=self._clients.pace.retrying()):
                if self._observer.stopping:
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
            errors = [line.strip() for line in printed.splitlines() if "error" in line.lower()]
            error.message = f"{error.message} It says: {errors[-1][:300]}" if errors else error.message
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
