"""The service's parts put together, and what a test can do to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowerexp.rehearsal import conformity
from flowerexp.rehearsal.batches import Batches
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.clusters import Clusters
from flowerexp.rehearsal.faults import FAULTS, Faults
from flowerexp.rehearsal.jobs import Jobs
from flowerexp.rehearsal.logs import Logs
from flowerexp.rehearsal.operations import Operations
from flowerexp.rehearsal.refusal import invalid
from flowerexp.rehearsal.state import State


class World:
    """All of one project. A new one in the same folder goes on where the last one was."""

    def __init__(self, folder: Path, project: str, bucket: Bucket) -> None:
        self.state = State(folder, project)
        self.faults = Faults(self.state)
        self.operations = Operations(self.state)
        self.clusters = Clusters(self.state, self.operations, self.faults, bucket)
        self.jobs = Jobs(self.state, self.faults, bucket)
        self.batches = Batches(self.state, self.operations, self.faults, bucket)
        self.logs = Logs(self.state, self.batches, project)
        self._requests = folder / "requests.jsonl"
        for part in (self.clusters, self.jobs, self.batches):
            part.resume()

    def close(self) -> None:
        """End all threads, and what they started."""
        self.state.close()
        for _, job in self.state.jobs.items():
            self.jobs.run_of(job).kill()
        for _, batch in self.state.batches.items():
            self.batches.run_of(batch).kill()

    def record(self, method: str, message: dict[str, Any]) -> None:
        """Keep a request for the test to look at."""
        with self.state.lock, self._requests.open("a") as file:
            file.write(json.dumps({"method": method, "message": message}) + "\n")

    def conform(self, method: str, message: Any) -> None:
        """Note what is wrong with a request by its definition.

        Raises:
            RefusalError: something is missing; the rest Google would pass over.
        """
        found = conformity.problems(message)
        if found:
            with self.state.lock:
                self.state.notes["wrong"] += [f"{method}: {each}" for each in found]
                self.state.save()
        for each in found:
            if each.endswith("not set"):
                raise invalid(f"Invalid {method} request: {each}")

    # Verbs of the control service.

    def set(self, **notes: Any) -> None:
        """Set notes: quota, quota_on, stocked_out, lacking, lasts, only_installed, held."""
        with self.state.lock:
            for name in notes:
                if name not in self.state.notes:
                    raise KeyError(name)
            self.state.notes.update(notes)
            self.state.save()

    def arm(self, kind: str, **fault: Any) -> None:
        """Arm a fault of a kind, one of `FAULTS`."""
        with self.state.lock:
            self.state.notes[kind].append(fault)
            self.state.save()

    def hold(self, gate: str, held: bool) -> None:
        """Close or open a gate."""
        with self.state.lock:
            others = [each for each in self.state.notes["held"] if each != gate]
            self.state.notes["held"] = [*others, gate] if held else others
            self.state.save()

    def delay(self, method: str, seconds: float) -> None:
        """Make a method slow."""
        with self.state.lock:
            self.state.notes["delays"][method] = seconds
            self.state.save()

    def advance(self, seconds: float) -> None:
        """Move the clock on, and delete what is due."""
        with self.state.lock:
            self.state.notes["clock"] += seconds
            self.state.save()
            self.clusters.reap()

    def vanish(self, name: str) -> bool:
        """Delete a cluster at once; False if there is none of that name."""
        with self.state.lock:
            keys = [key for key, _ in self.state.clusters.items() if key.partition("/")[2] == name]
            for key in keys:
                self.clusters.vanish(key)
            return bool(keys)

    def stop(self, name: str) -> None:
        """Stop the clusters of a name."""
        with self.state.lock:
            for key, _ in self.state.clusters.items():
                if key.partition("/")[2] == name:
                    self.clusters.stop(key)

    def report(self) -> dict[str, Any]:
        """What exists, what was made, what was deleted."""
        with self.state.lock:
            return {
                "clusters": {key.partition("/")[2]: c.status.state.name for key, c in self.state.clusters.items()},
                "jobs": {key.partition("/")[2]: job.status.state.name for key, job in self.state.jobs.items()},
                "batches": {name: batch.state.name for name, batch in self.state.batches.items()},
                "created": self.state.notes["created"],
                "deleted": self.state.notes["deleted"],
                "installed": self.state.notes["installed"],
                "armed": sum(len(self.state.notes[kind]) for kind in FAULTS),
                "wrong": self.state.notes["wrong"],
                "events": self.state.notes["events"],
                "machines": self.state.notes["machines"],
            }

    def requests(self, method: str) -> list[dict[str, Any]]:
        """The requests of a method, or of all, in order."""
        with self.state.lock:
            lines = self._requests.read_text().splitlines() if self._requests.exists() else []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [each["message"] for each in found if each["method"] == method] if method else found

    def region(self, name: str) -> dict[str, tuple[float, float]]:
        """GetRegion of Compute Engine: the limit of each quota, and what is in use."""
        self.record("GetRegion", {"region": name})
        with self.state.lock:
            in_use = self.clusters.in_use(name)
            return {metric: (limit, in_use.get(metric, 0.0)) for metric, limit in self.state.notes["quota"].items()}

    def wait_job(self, job_id: str, states: list[str], timeout: float) -> str:
        """Wait until a job is in one of some states; the state that it is in then, or after the timeout."""

        def state() -> str:
            return str(self.report()["jobs"].get(job_id, ""))

        with self.state.lock:
            self.state.changed.wait_for(lambda: state() in states, timeout)
            return state()
