"""Clusters and jobs that are pretended: what a batch does with them is written down, and nothing is started."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from flowerexp.cluster import ExistingCluster
from flowerexp.errors import ClusterError, StoppedError

PLACE = ("gcp.project=mine", "quota=none")


class Job:
    """A job that has run: each of its runs has results, but those that the world says are lost."""

    def __init__(self, world, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        hanging = [one for one in runs if world.hanging or Path(one["output"]).parent.name in world.hung]
        self.world, self.ended, self.lines = world, not hanging, []
        for one in runs:
            self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "started"}}))
            folder = Path(one["output"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "phases.json").write_text("{}")
            status = {"state": "finished", "facts": {}, "notes": [], "started_at": 1, "ended_at": 2}
            status["token"] = one["token"]
            (folder / "measurements.jsonl").write_text("{}\n")
            if one not in hanging:
                (folder / "status.json").write_text(json.dumps({**status, "error": None, "where": None, "hint": None}))
                self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "finished"}}))
        self.handle = {"job": files.folder.name}

    def poll(self):
        lines, self.lines = self.lines, []
        if not self.ended:
            self.world.working.set()
            self.ended = self.world.gone.is_set()
        return lines, 0 if self.ended else None

    def stop(self):
        self.ended = True

    def collect(self):
        self.world.events.append("collect")
        if self.world.stuck:
            raise ClusterError("its log is gone")


class Dying(Job):
    """A job that dies in the second of its runs, or before that."""

    def __init__(self, world, files, before=False):
        super().__init__(world, files)
        for one in json.loads(files.job.read_bytes())["runs"][1:]:
            (Path(one["output"]) / "status.json").unlink()
        self.lines = [*self.lines[: 2 if before else 3], "Killed"]


class Dead:
    """A job that ends before it has done anything."""

    def __init__(self):
        self.handle: dict[str, Any] = {}

    def poll(self):
        return ["Error: no Java"], 1

    def stop(self):
        pass

    def collect(self):
        pass


class Cluster(ExistingCluster):
    on_this_host = False

    def __init__(self, world, config):
        self.world, self.name = world, config.name

    def output(self, folder, scope):
        self.world.scopes.add(scope)
        return super().output(folder, scope)

    def open(self, scope, requires, observer):
        self.world.scopes.add(scope)
        observer.notify("creating", {"name": self.name})
        self.world.open.add(self.name)
        self.world.together.add(frozenset(self.world.open))
        self.world.requires = requires
        self.world.events.append(f"open {self.name}")
        for name, event in self.world.waits.items():
            event.set() if name == self.name else event.wait(20)
        if self.world.refusal:
            raise self.world.refusal
        while self.world.slow and not observer.stopping:
            self.world.working.set()
        if self.world.slow:
            raise StoppedError("stopped")
        observer.notify("running", {"name": self.name}, "in another zone")

    def submit(self, files):
        self.world.events.append(f"submit {self.name}")
        if self.world.bug:
            raise self.world.bug
        if self.world.dead:
            return Dead()
        return Job(self.world, files)

    def close(self, scope, observer):
        self.world.scopes.add(scope)
        self.world.events.append(f"close {self.name}")
        self.world.open.discard(self.name)
        if self.world.stuck:
            raise ClusterError("it may still be there")
        observer.notify("deleted", {"name": self.name})


class World:
    def __init__(self):
        self.events, self.open, self.together, self.scopes = [], set(), set(), set()
        self.waits: dict[str, threading.Event] = {}
        self.refusal = self.bug = None
        self.slow = self.stuck = self.hanging = self.dead = False
        self.hung: set[str] = set()  # the runs that hang, by their names
        self.working, self.gone = threading.Event(), threading.Event()  # a job hangs; jobs that hang end


class Notes:
    """A recorder that keeps what it is told."""

    def __init__(self):
        self.states, self.lost_runs, self.begun, self.done, self.in_mlflow = [], {}, [], [], []
        self.clusters: list[Any] = []

    def cluster(self, state, config, handle):
        self.states.append((handle["name"], state))
        self.clusters.append(config)

    def submitted(self, runs, folder, handle):
        self.states.append(("job", "submitted"))
        self.job = {"runs": [run.folder.name for run in runs], "folder": folder, "handle": handle}

    def submitting(self, runs, folder, handle):
        self.states.append(("job", "submitting"))
        self.intended = {"runs": [run.folder.name for run in runs], "folder": folder, "handle": handle}

    def started(self, run):
        self.begun.append(run.folder.name)

    def ended(self, result):
        self.done.append(result.run.folder.name)

    def logged(self, result):
        self.in_mlflow.append(result.run.folder.name)

    def lost(self, run, reason):
        self.lost_runs[run.folder.name] = reason
