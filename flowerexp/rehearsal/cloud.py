"""The servers that stand for Google: started, told what to do, asked what happened.

::

    def test_it(cloud):
        cloud.fail_next("CreateCluster", "UNAVAILABLE")
        run_the_product(environment=cloud.environment)
        assert cloud.counts().leaked == 0
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from flowerexp.rehearsal.quotas import zones
from flowerexp.rehearsal.servers import Servers
from flowerexp.rehearsal.state import AMPLE

# What a new account has in a region; the notebook's transcript shows 8 CPUs and 7 addresses left.
FREE_TIER = {"CPUS": 8.0, "IN_USE_ADDRESSES": 7.0, "SSD_TOTAL_GB": 100.0, "DISKS_TOTAL_GB": 2000.0}


Gate = Literal["create", "delete", "job", "batch"]


@dataclass(frozen=True)
class Counts:
    """How many clusters were created and deleted, and how many exist now; the same for batches; jobs submitted.

    A batch that has ended costs nothing: `batches_active` are those that still run.
    """

    created: int
    deleted: int
    leaked: int
    batches: int
    batches_active: int
    jobs: int


class Cloud(Servers):
    """What a test says to the servers, and asks of them; see `Servers` for where they are."""

    # Faults.

    def fail_next(
        self, method: str, code: str, message: str = "by order of the test", *, times: int = 1, after: bool = False
    ) -> None:
        """Let the next calls of a method fail.

        Args:
            method: such as `CreateCluster`; `*` for any.
            code: of gRPC, such as `UNAVAILABLE` or `INVALID_ARGUMENT`.
            message: what it says.
            times: how many calls; -1 for all from now on.
            after: the call takes effect, and only its answer is lost.
        """
        self.tell("arm", kind="call_faults", name=method, code=code, message=message, times=times, after=after)

    def drop_next(self, method: str = "*", *, times: int = 1, after: bool = False) -> None:
        """Lose the connection in the next calls, before or after they take effect."""
        self.fail_next(method, "UNAVAILABLE", "recvmsg:Connection reset by peer", times=times, after=after)

    def slow(self, method: str, seconds: float, *, after: bool = False) -> None:
        """Make each call of a method take that much longer, before or after it takes effect; 0 ends it."""
        self.tell("delay", method=f"{method}.after" if after else method, seconds=seconds)

    def fail_operation(self, kind: Literal["CREATE", "DELETE"], code: str, message: str, *, times: int = 1) -> None:
        """Let the next operations fail at their end: `CREATE` (the cluster is left in ERROR) or `DELETE`."""
        self.tell("arm", kind="operation_faults", name=kind, code=code, message=message, times=times)

    def stock_out(self, *zones_without_machines: str) -> None:
        """Let creations in these zones fail at their end; none: all zones have machines again."""
        self.tell("set", stocked_out=list(zones_without_machines))

    def stock_out_region(self, region: str = "") -> None:
        """No zone of a region has machines; by default, of ours."""
        self.stock_out(*zones(region or self.region))

    def fail_job(
        self,
        details: str = "",
        *,
        state: str = "",
        output: str = "",
        times: int = 1,
        kind: Literal["job", "batch"] = "job",
    ) -> None:
        """Let the next jobs (or batches, by `kind`) end without running Spark.

        Args:
            details: the status's; by default those of a failed driver.
            state: ERROR (FAILED of a batch) if none is given, else such as ATTEMPT_FAILURE or DONE.
            output: what the driver printed.
            times: how many.
            kind: `job` or `batch`.
        """
        self.tell("arm", kind="job_faults", name=kind, details=details, state=state, output=output, times=times)

    def hold(self, gate: Gate) -> contextlib.AbstractContextManager[None]:
        """Let nothing pass a gate: `create` (clusters stay CREATING), `delete`, `job` (PENDING), `batch`.

        Holds from now on, until `release`, or until the end of a `with`.
        """
        self.tell("hold", gate=gate, held=True)
        return self._released(gate)

    @contextlib.contextmanager
    def _released(self, gate: Gate) -> Iterator[None]:
        try:
            yield
        finally:
            self.release(gate)

    def release(self, gate: Gate) -> None:
        """Open a gate again."""
        self.tell("hold", gate=gate, held=False)

    def set_quota(self, *, on: Literal["call", "operation"] = "call", **limits: float) -> None:
        """Set the region's quotas; those not named are ample. `cloud.set_quota(**FREE_TIER)`.

        Args:
            on: where a cluster that does not fit is refused: by the `call`, or at the end of its `operation`.
            limits: CPUS, IN_USE_ADDRESSES, SSD_TOTAL_GB, DISKS_TOTAL_GB.
        """
        self.tell("set", quota={**AMPLE, **limits}, quota_on=on)

    def lacking(self, *modules: str) -> None:
        """Let images, and serverless, lack modules such as `google.cloud.storage`, unless something brings them."""
        self.tell("set", lacking=list(modules))

    def late_output(self, seconds: float) -> None:
        """Let what the drivers of jobs print be in the bucket only some seconds after they have ended."""
        self.tell("set", late_output=seconds)

    def advance(self, seconds: float) -> None:
        """Move the service's clock on; clusters whose time is over delete themselves."""
        self.tell("advance", seconds=seconds)

    def jump(self, method: str, seconds: float) -> None:
        """Move the service's clock on before the next call of a method."""
        self.tell("arm", kind="clock_jumps", name=method, seconds=seconds, times=1)

    def preempt(self) -> None:
        """Take an executor away from the next job, once it measures: it is run with two."""
        self.tell("arm", kind="preemptions", name="job", times=1)

    def secondary(self, *, after: float = 0.0, most: int | None = None, again: bool = True) -> None:
        """How the secondary workers of clusters come.

        Args:
            after: seconds of the service's clock after their cluster runs.
            most: how many come at most; None for all.
            again: whether another one comes for one that was taken away.
        """
        self.tell("set", secondary={"after": after, "most": most, "again": again})

    def last(self, **seconds: float) -> None:
        """How long steps take at least by the service's clock: create, delete, job (to its start), batch."""
        self.tell("set", lasts=seconds)

    def only_installed(self) -> None:
        """Let jobs import nothing but what was staged for them, Spark, and the standard library."""
        self.tell("set", only_installed=True)

    def expire(self, cluster: str) -> None:
        """Delete a cluster at once, as its own timer or another person would; its jobs fail.

        Raises:
            LookupError: there is no such cluster.
        """
        if not self.tell("vanish", name=cluster):
            raise LookupError(cluster)

    def stop(self, cluster: str) -> None:
        """Stop a cluster at once, as another person may."""
        self.tell("stop", name=cluster)

    def armed(self) -> int:
        """How many faults are still to come."""
        return int(self.tell("report")["armed"])

    # What happened.

    def clusters(self) -> dict[str, str]:
        """The clusters that exist: name -> state."""
        return dict(self.tell("report")["clusters"])

    def jobs(self) -> dict[str, str]:
        """The jobs: id -> state."""
        return dict(self.tell("report")["jobs"])

    def batches(self) -> dict[str, str]:
        """The batches: full name -> state."""
        return dict(self.tell("report")["batches"])

    def installed(self) -> list[str]:
        """All modules that initialization actions installed, on whichever cluster."""
        return sorted({name for names in self.tell("report")["installed"].values() for name in names})

    def counts(self) -> Counts:
        """How much was made, deleted, and is there now."""
        report = self.tell("report")
        created = [name for name in report["created"] if "/" not in name]
        deleted = [name for name in report["deleted"] if "/" not in name]
        return Counts(
            created=len(created),
            deleted=len(deleted),
            leaked=len(report["clusters"]),
            batches=len(report["created"]) - len(created),
            batches_active=sum(state in ("PENDING", "RUNNING", "CANCELLING") for state in report["batches"].values()),
            jobs=len(report["jobs"]),
        )

    def wrong(self) -> list[str]:
        """What was wrong with requests by their definitions; see `conformity`."""
        return list(self.tell("report")["wrong"])

    def requests(self, method: str = "") -> list[dict[str, Any]]:
        """The requests so far: messages of one method; of all, `{"method": ..., "message": ...}`."""
        found: list[dict[str, Any]] = self.tell("requests", method=method)
        return found

    def wait_job(self, job_id: str, states: Iterable[str], timeout: float = 300) -> str:
        """Wait until a job is in one of these states; returns the state that it is in."""
        return str(self.tell("wait_job", job_id=job_id, states=list(states), timeout=timeout))
