"""What can be told to go wrong in a rehearsal: one fault each, as `flowerexp rehearse --fault NAME` plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowerexp.rehearsal.cloud import Cloud

_FAILED = """\
Traceback (most recent call last):
  File "read_speed.py", line 7, in <module>
MemoryError: Unable to allocate 12.0 GiB
"""


@dataclass(frozen=True)
class Scene:
    """What a fault may depend on: the region, and after how many idle seconds its clusters delete themselves."""

    region: str
    idle_seconds: float


@dataclass(frozen=True)
class Play:
    """A fault: what happens, in words, and how the servers are told to let it happen."""

    said: str
    arm: Callable[[Cloud, Scene], None]


def _quota(cloud: Cloud, scene: Scene) -> None:
    cloud.set_quota(CPUS=1.0)


def _stockout(cloud: Cloud, scene: Scene) -> None:
    cloud.stock_out_region(scene.region)


def _preempt(cloud: Cloud, scene: Scene) -> None:
    cloud.preempt()


def _error_create(cloud: Cloud, scene: Scene) -> None:
    cloud.fail_operation("CREATE", "INTERNAL", "Timeout waiting for the master to report in.")


def _job_fails(cloud: Cloud, scene: Scene) -> None:
    for kind in ("job", "batch"):
        cloud.fail_job(output=_FAILED, kind=kind)


def _slow(cloud: Cloud, scene: Scene) -> None:
    cloud.last(create=900.0, delete=300.0, job=120.0, batch=300.0)
    cloud.slow("SubmitJob", 3.0, after=True)
    cloud.slow("CreateBatch", 3.0, after=True)
    for method in ("CreateCluster", "GetCluster", "DeleteCluster", "GetJob", "GetBatch", "GetOperation"):
        cloud.slow(method, 0.5)


def _drop(cloud: Cloud, scene: Scene) -> None:
    for method in ("CreateCluster", "DeleteCluster"):
        cloud.drop_next(method, after=True)
    for method in ("SubmitJob", "CreateBatch"):
        cloud.fail_next(method, "DEADLINE_EXCEEDED", "Deadline Exceeded", after=True)
    for method in ("GetOperation", "GetCluster", "GetJob", "GetBatch"):
        cloud.drop_next(method, times=2)
    cloud.fail_storage("POST", "/upload/", 503, "Service Unavailable", times=2)
    cloud.fail_storage("GET", "/o", 429, "The rate of requests is too high", times=2)


def _idle_delete(cloud: Cloud, scene: Scene) -> None:
    cloud.jump("SubmitJob", scene.idle_seconds + 1.0)


PLAYS: Mapping[str, Play] = {
    "quota": Play("the project has 1 vCPU left, whatever the config expects", _quota),
    "stockout": Play("no zone of the region has machines left", _stockout),
    "preempt": Play("an executor's machine is taken away while something is measured", _preempt),
    "error-create": Play("the first cluster ends in ERROR, and costs money until it is deleted", _error_create),
    "job-fails": Play("the first job fails: its driver runs out of memory", _job_fails),
    "slow": Play("a cluster takes 15 minutes, and Google answers late", _slow),
    "drop": Play("connections are lost, also after Google has done what it was asked", _drop),
    "idle-delete": Play("the first cluster waits for its job until it deletes itself", _idle_delete),
}
"""The faults by name."""
