"""The service's parts put together, and what a test can do to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fakes.batches import Batches
from tests.fakes.bucket import Bucket
from tests.fakes.clusters import Clusters
from tests.fakes.faults import Faults
from tests.fakes.jobs import Jobs
from tests.fakes.operations import Operations
from tests.fakes.state import State


class World:
    """All of one project. A new one in the same folder goes on where the last one was."""

    def __init__(self, folder: Path, project: str, bucket: Bucket) -> None:
        self.state = State(folder, project)
        self.faults = Faults(self.state)
        self.operations = Operations(self.state)
        self.clusters = Clusters(self.state, self.operations, self.faults, bucket)
        self.jobs = Jobs(self.state, self.faults, bucket)
        self.batches = Batches(self.state, self.operations, self.faults, bucket)
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

    # Verbs of the control service.

    def set(self, **notes: Any) -> None:
        """Set notes: quota, quota_on, stocked_out, lacking, held."""
        with self.state.lock:
            for name in notes:
                if name not in self.state.notes:
                    raise KeyError(name)
            self.state.notes.update(notes)
            self.state.save()

    def arm(self, kind: str, **fault: Any) -> None:
        """Arm a fault of a kind: call_faults, operation_faults, job_faults."""
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
            }

    def requests(self, method: str) -> list[dict[str, Any]]:
        """The requests of a method, or of all, in order."""
        with self.state.lock:
            lines = self._requests.read_text().splitlines() if self._requests.exists() else []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [each["message"] for each in found if each["method"] == method] if method else found

    def wait_job(self, job_id: str, states: list[str], timeout: float) -> str:
        """Wait until a job is in one of some states; the state that it is in then, or after the timeout."""

        def state() -> str:
            return str(self.report()["jobs"].get(job_id, ""))

        with self.state.lock:
            self.state.changed.wait_for(lambda: state() in states, timeout)
            return state()
