"""A rehearsal: the servers for some runs, the environment in which flowerexp finds them alone, and the account."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.google.backend import OWN
from flowerexp.cluster.google.wheels import WHEELHOUSE
from flowerexp.config.places import REHEARSED
from flowerexp.config.schema import Config
from flowerexp.plan import PlannedRun
from flowerexp.rehearsal import account, permissions, wheelhouse
from flowerexp.rehearsal.cloud import Cloud
from flowerexp.rehearsal.plays import PLAYS, Scene

SECONDS = {"create": 90.0, "delete": 45.0, "job": 15.0, "batch": 60.0}
"""How long steps take by the servers' clock: assumptions, of the size that is usual in the cloud."""
_QUOTAS = {
    "vcpus": "CPUS",
    "in_use_addresses": "IN_USE_ADDRESSES",
    "ssd_gb": "SSD_TOTAL_GB",
    "standard_disk_gb": "DISKS_TOTAL_GB",
}


class Rehearsal:
    """Servers that play the part of Google for the runs of a command line.

    Args:
        cloud: the servers, started.
        runs: all runs; their clusters are in Google Cloud, in one project.
        fault: the name of what is to go wrong; None for nothing.
    """

    def __init__(self, cloud: Cloud, runs: Sequence[PlannedRun], fault: str | None) -> None:
        self._cloud = cloud
        self._configs: list[Config] = [run.config for run in runs]
        self._clusters: list[Any] = [run.config.cluster for run in runs]
        self._fault = fault
        cloud.last(**SECONDS)
        quota = self._configs[0].quota
        limits = {metric: getattr(quota, key) for key, metric in _QUOTAS.items()}
        known: dict[str, Any] = {metric: float(limit) for metric, limit in limits.items() if limit is not None}
        cloud.set_quota(**known)
        self._strict = all(cluster.packages == "stage" for cluster in self._clusters)
        if self._strict:
            cloud.only_installed()
        if fault:
            idle = max(getattr(cluster, "idle_delete_minutes", 0) for cluster in self._clusters)
            PLAYS[fault].arm(cloud, Scene(self._clusters[0].region, 60.0 * idle))
        self._armed = cloud.armed()

    def left(self) -> list[str]:
        """The clusters and batches that would still cost money."""
        return [f"{life.kind} {life.name}" for life in self._lives() if life.ended is None]

    def _lives(self) -> list[account.Life]:
        return account.lives(self._cloud.tell("report"), self._prices)

    @property
    def _prices(self) -> Prices:
        return Prices.load(self._configs[0].budget.prices)

    def lines(self) -> Iterator[str]:
        """The account, for the user."""
        report, methods = self._cloud.tell("report"), self._cloud.storage_methods()
        assumed = ", ".join(f"{step} {seconds:g} s" for step, seconds in SECONDS.items())
        yield f"rehearsed with a simulated clock ({assumed}); runs took as long as they take on this machine"
        if self._fault:
            yield f"fault     {self._fault}: {PLAYS[self._fault].said}"
            if self._armed and self._cloud.armed() == self._armed:
                yield "          it was not played: nothing of these runs came to where it happens"
        yield from account.shown(self._lives(), account.jobs(report), f"{self._prices.dated}")
        yield f"left over {', '.join(self.left()) or 'no cluster and no batch'}; {self._kept()}"
        user = {*(each["method"] for each in self._cloud.requests()), *methods.get("user", [])}
        runtimes = [getattr(cluster, "runtime_version", "") for cluster in self._clusters]
        needed = permissions.needed(user, methods.get("machines", []), filter(None, runtimes))
        yield from account.requirements(needed, self._clusters[0].service_account)
        if not self._strict:
            yield "note      cluster.packages=image: which packages an image has was not looked at"

    def _kept(self) -> str:
        client = self._cloud.storage()
        found = []
        for bucket in client.list_buckets():
            blobs = list(client.list_blobs(bucket.name))
            megabytes = sum(int(blob.size) for blob in blobs) / 1e6
            found.append(f"gs://{bucket.name} with {len(blobs)} objects, {megabytes:,.1f} MB")
        return ", ".join(found) or "no bucket"


@contextmanager
def rehearsing(runs: Sequence[PlannedRun], home: Path, project: str, fault: str | None) -> Iterator[Rehearsal]:
    """Start the servers, and let flowerexp in this process find them, and nothing of Google.

    Args:
        runs: all that will be made.
        home: the folder of rehearsals, for the wheels of what is staged.
        project: the project that the servers have.
        fault: the name of what is to go wrong; None for nothing.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / REHEARSED).touch()
    wheels = home / "wheels"
    wheelhouse.build(wheels, {*OWN, *(pin for run in runs for pin in run.requires.values())})
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="flowerexp-rehearsal-") as name, Cloud(Path(name), project) as cloud:
        os.environ.update(cloud.environment)
        os.environ.setdefault(WHEELHOUSE, str(wheels))
        # Whatever looked for credentials all the same would find none, and ask nobody.
        os.environ.pop("GOOGLE_APPLICATION_CREDENTIALS", None)
        os.environ.update({"CLOUDSDK_CONFIG": f"{name}/gcloud", "NO_GCE_CHECK": "true"})
        try:
            yield Rehearsal(cloud, runs, fault)
        finally:
            os.environ.clear()
            os.environ.update(before)
