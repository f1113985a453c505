"""What tests see of the servers that stand for Google: started, told what to do, asked what happened.

::

    def test_it(cloud):
        cloud.fail_next("CreateCluster", "UNAVAILABLE")
        run_the_product(environment=cloud.environment)
        assert cloud.counts().leaked == 0
"""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.process import Child
from tests.fakes.quotas import zones
from tests.fakes.state import AMPLE

# What a new account has in a region; the notebook's transcript shows 8 CPUs and 7 addresses left.
FREE_TIER = {"CPUS": 8.0, "IN_USE_ADDRESSES": 7.0, "SSD_TOTAL_GB": 100.0, "DISKS_TOTAL_GB": 2000.0}


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


class Cloud:
    """Cloud Storage and Dataproc, each in a process of its own, on loopback.

    Args:
        folder: for what the servers write: logs, state, files of running jobs.

    Attributes:
        project: the only project there is.
        region: any other that Google has will do as well.
    """

    project = "flowerexp-tests"
    region = "us-central1"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Cloud:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._children["storage"] = Child("tests.fakes.storage", environment={}, log=self._folder / "storage.log")
        self._start_dataproc(0, 0)
        return self

    def __exit__(self, *exception: object) -> None:
        for child in reversed(self._children.values()):
            child.stop()

    def _start_dataproc(self, port: int, control: int) -> None:
        self._children["dataproc"] = Child(
            "tests.fakes.server",
            *("--folder", str(self._folder / "dataproc"), "--project", self.project),
            *("--port", str(port), "--control", str(control)),
            environment={"STORAGE_EMULATOR_HOST": self.storage_host},
            log=self._folder / "dataproc.log",
        )
        self._ports = self._children["dataproc"].ports

    # Where it is.

    @property
    def storage_host(self) -> str:
        """http://127.0.0.1:PORT of Cloud Storage."""
        return f"http://127.0.0.1:{self._children['storage'].ports['storage']}"

    @property
    def dataproc_host(self) -> str:
        """127.0.0.1:PORT of Dataproc, for an insecure channel."""
        return f"127.0.0.1:{self._ports['dataproc']}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Google's libraries, and flowerexp, find the servers."""
        return {
            "STORAGE_EMULATOR_HOST": self.storage_host,
            "DATAPROC_EMULATOR_HOST": self.dataproc_host,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "GOOGLE_CLOUD_PROJECT": self.project,
        }

    def storage(self) -> Any:
        """A google.cloud.storage.Client."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.storage_host},
        )

    def bucket(self, name: str) -> Any:
        """A new bucket."""
        return self.storage().create_bucket(name)

    def _tell(self, verb: str, **arguments: Any) -> Any:
        url = f"http://127.0.0.1:{self._ports['control']}/{verb}"
        request = urllib.request.Request(url, json.dumps(arguments).encode(), method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.loads(error.read())) from None

    def reset(self) -> None:
        """Forget everything, as if newly started; whatever runs is killed."""
        self._tell("reset")
        with urllib.request.urlopen(f"{self.storage_host}/wipe"):
            pass

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
        self._tell("arm", kind="call_faults", name=method, code=code, message=message, times=times, after=after)

    def drop_next(self, method: str = "*", *, times: int = 1, after: bool = False) -> None:
        """Lose the connection in the next calls, before or after they take effect."""
        self.fail_next(method, "UNAVAILABLE", "recvmsg:Connection reset by peer", times=times, after=after)

    def slow(self, method: str, seconds: float) -> None:
        """Make each call of a method take that much longer; 0 ends it."""
        self._tell("delay", method=method, seconds=seconds)

    def fail_operation(self, kind: str, code: str, message: str, *, times: int = 1) -> None:
        """Let the next operations fail at their end: `CREATE` (the cluster is left in ERROR) or `DELETE`."""
        self._tell("arm", kind="operation_faults", name=kind, code=code, message=message, times=times)

    def stock_out(self, *zones_without_machines: str) -> None:
        """Let creations in these zones fail at their end; none: all zones have machines again."""
        self._tell("set", stocked_out=list(zones_without_machines))

    def stock_out_region(self) -> None:
        """No zone of our region has machines."""
        self.stock_out(*zones(self.region))

    def fail_job(
        self, details: str = "", *, state: str = "", output: str = "", times: int = 1, kind: str = "job"
    ) -> None:
        """Let the next jobs (or batches, by `kind`) end without running Spark.

        Args:
            details: the status's; by default those of a failed driver.
            state: ERROR (FAILED of a batch) if none is given, else such as ATTEMPT_FAILURE or DONE.
            output: what the driver printed.
            times: how many.
            kind: `job` or `batch`.
        """
        self._tell("arm", kind="job_faults", name=kind, details=details, state=state, output=output, times=times)

    def hold(self, gate: str) -> contextlib.AbstractContextManager[None]:
        """Let nothing pass a gate: `create` (clusters stay CREATING), `delete`, `job` (PENDING), `batch`.

        Holds from now on, until `release`, or until the end of a `with`.
        """
        self._tell("hold", gate=gate, held=True)
        return self._released(gate)

    @contextlib.contextmanager
    def _released(self, gate: str) -> Iterator[None]:
        try:
            yield
        finally:
            self.release(gate)

    def release(self, gate: str) -> None:
        """Open a gate again."""
        self._tell("hold", gate=gate, held=False)

    def set_quota(self, *, on: str = "call", **limits: float) -> None:
        """Set the region's quotas; those not named are ample. `cloud.set_quota(**FREE_TIER)`.

        Args:
            on: where a cluster that does not fit is refused: by the `call`, or at the end of its `operation`.
            limits: CPUS, IN_USE_ADDRESSES, SSD_TOTAL_GB, DISKS_TOTAL_GB.
        """
        self._tell("set", quota={**AMPLE, **limits}, quota_on=on)

    def lacking(self, *modules: str) -> None:
        """Let images (and serverless) lack these modules, such as `google.cloud.storage`, unless something brings them."""
        self._tell("set", lacking=list(modules))

    def advance(self, seconds: float) -> None:
        """Move the service's clock on; clusters whose time is over delete themselves."""
        self._tell("advance", seconds=seconds)

    def expire(self, cluster: str) -> None:
        """Delete a cluster at once, as its own timer or another person would; its jobs fail.

        Raises:
            LookupError: there is no such cluster.
        """
        if not self._tell("vanish", name=cluster):
            raise LookupError(cluster)

    def restart_dataproc(self) -> None:
        """Kill the service by SIGKILL and start it on the same ports; running jobs go on meanwhile."""
        self.kill_dataproc()
        self.start_dataproc()

    def kill_dataproc(self) -> None:
        """Kill the service by SIGKILL: nobody answers until `start_dataproc`."""
        self._children["dataproc"].kill()

    def start_dataproc(self) -> None:
        """Start it again, on the same ports, with all that it knew."""
        self._start_dataproc(self._ports["dataproc"], self._ports["control"])

    # What happened.

    def clusters(self) -> dict[str, str]:
        """The clusters that exist: name -> state."""
        return dict(self._tell("report")["clusters"])

    def jobs(self) -> dict[str, str]:
        """The jobs: id -> state."""
        return dict(self._tell("report")["jobs"])

    def batches(self) -> dict[str, str]:
        """The batches: full name -> state."""
        return dict(self._tell("report")["batches"])

    def installed(self) -> list[str]:
        """All modules that initialization actions installed, on whichever cluster."""
        return sorted({name for names in self._tell("report")["installed"].values() for name in names})

    def counts(self) -> Counts:
        """How much was made, deleted, and is there now."""
        report = self._tell("report")
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

    def requests(self, method: str = "") -> list[dict[str, Any]]:
        """The requests so far: messages of one method; of all, `{"method": ..., "message": ...}`."""
        found: list[dict[str, Any]] = self._tell("requests", method=method)
        return found

    def wait_job(self, job_id: str, states: Iterable[str], timeout: float = 60) -> str:
        """Wait until a job is in one of these states; returns the state that it is in."""
        return str(self._tell("wait_job", job_id=job_id, states=list(states), timeout=timeout))
