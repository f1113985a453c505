"""All that the service knows, in memory and in a folder: a new process of the service goes on from the folder."""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from google.cloud.dataproc_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import json_format

Message = TypeVar("Message")

AMPLE = {
    "CPUS": 10_000.0,
    "PREEMPTIBLE_CPUS": 0.0,  # not granted
    "IN_USE_ADDRESSES": 1_000.0,
    "SSD_TOTAL_GB": 1e6,
    "DISKS_TOTAL_GB": 1e6,
}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    aside = path.with_name(path.name + ".tmp")
    aside.write_bytes(content)
    aside.replace(path)


class Shelf(Generic[Message]):
    """Messages by name, each in a file of its own."""

    def __init__(self, folder: Path, dump: Callable[[Any], bytes], load: Callable[[bytes], Message]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._dump = dump
        found = [path for path in folder.iterdir() if path.suffix == ".pb"]
        found.sort(key=lambda path: path.stat().st_ctime_ns)
        self._messages = {unquote(path.stem): load(path.read_bytes()) for path in found}

    def put(self, name: str, message: Message) -> None:
        """Add or replace."""
        self._messages[name] = message
        replace_file(self._folder / f"{quote(name, safe='')}.pb", self._dump(message))

    def get(self, name: str) -> Message | None:
        """The message of a name, if there is one."""
        return self._messages.get(name)

    def __getitem__(self, name: str) -> Message:
        return self._messages[name]

    def remove(self, name: str) -> None:
        """Remove it, if it is there."""
        if self._messages.pop(name, None) is not None:
            (self._folder / f"{quote(name, safe='')}.pb").unlink()

    def __contains__(self, name: str) -> bool:
        return name in self._messages

    def items(self) -> Iterator[tuple[str, Message]]:
        """Names and messages, the oldest first."""
        return iter(list(self._messages.items()))


class State:
    """Clusters, jobs, batches, operations, and notes that JSON can hold.

    Whoever reads and then writes holds `lock`; `changed` tells of changes to the notes.
    """

    def __init__(self, folder: Path, project: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.project = project
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.closed = False
        self.clusters = Shelf(folder / "clusters", types.Cluster.serialize, types.Cluster.deserialize)
        self.jobs = Shelf(folder / "jobs", types.Job.serialize, types.Job.deserialize)
        self.batches = Shelf(folder / "batches", types.Batch.serialize, types.Batch.deserialize)
        self.operations = Shelf(
            folder / "operations", operations_pb2.Operation.SerializeToString, operations_pb2.Operation.FromString
        )
        self._file = folder / "notes.json"
        self.notes: dict[str, Any] = {
            "quota": dict(AMPLE),
            "quota_on": "call",
            "clock": 0.0,
            "held": [],
            "delays": {},
            "call_faults": [],
            "operation_faults": [],
            "job_faults": [],
            "stocked_out": [],
            "lacking": [],
            "late_output": 0.0,
            "request_ids": {},
            "installed": {},
            "idle_since": {},
            "created": [],
            "deleted": [],
            "lasts": {},
            "clock_jumps": [],
            "preemptions": [],
            "secondary": {"after": 0.0, "most": None, "again": True},
            "events": [],
            "wrong": [],
            "machines": {},
            "only_installed": False,
        }
        if self._file.exists():
            self.notes.update(json.loads(self._file.read_bytes()))

    def save(self) -> None:
        """Keep the notes, and tell whoever waits for a change."""
        with self.lock:
            replace_file(self._file, json.dumps(self.notes).encode())
            self.changed.notify_all()

    def close(self) -> None:
        """Let all threads that work on this state end."""
        with self.lock:
            self.closed = True
            self.changed.notify_all()

    def time(self) -> float:
        """Seconds since the epoch; a test may have moved the clock on."""
        return time.time() + float(self.notes["clock"])

    def now(self) -> datetime.datetime:
        """The service's time."""
        return datetime.datetime.fromtimestamp(self.time(), datetime.UTC)

    def lasts(self, step: str, begun: datetime.datetime) -> None:
        """Move the clock on, so that a step that ends now has taken as long as it was told to take, at least."""
        with self.lock:
            missing = begun.timestamp() + float(self.notes["lasts"].get(step, 0.0)) - self.time()
            self.notes["clock"] += max(0.0, missing)
            self.save()

    def machines(self, kind: str, name: str, region: str, config: Any) -> None:
        """Note of what a cluster or batch consists."""
        kept = json_format.MessageToDict(config, preserving_proto_field_name=True)
        self.notes["machines"][name] = {"kind": kind, "region": region, "config": kept}

    def event(self, kind: str, name: str, state: str) -> None:
        """Note what became of a cluster, job or batch, and when."""
        with self.lock:
            self.notes["events"].append({"at": self.time(), "kind": kind, "name": name, "state": state})
            self.save()

    def pass_gate(self, gate: str, unless: Callable[[], object] = lambda: None) -> bool:
        """Wait while a test holds a gate, unless something else happens; False if the state was closed meanwhile."""
        with self.lock:
            while gate in self.notes["held"] and not self.closed and not unless():
                self.changed.wait()
            return not self.closed

    def remembered(self, method: str, request_id: str) -> str | None:
        """What a request of that id made, if there was one: it is not made again."""
        return self.notes["request_ids"].get(f"{method}/{request_id}") if request_id else None

    def remember(self, method: str, request_id: str, name: str) -> None:
        """Note what a request of that id made."""
        if request_id:
            self.notes["request_ids"][f"{method}/{request_id}"] = name
            self.save()
