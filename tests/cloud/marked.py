"""Sweeps of a tiny entrypoint in the cloud: it marks each of its starts, and one run waits until it is let go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from flowerexp.rehearsal.cloud import Cloud
from tests.command import Answer, Home

RUNS = 3
HELD = 1  # the run in which something happens

SCRIPT = '''
"""Marks its start, and in one run waits until it is let go."""
import time
from pathlib import Path
from flowerexp.workload import main

def run(spark, config):
    """One row."""
    settings = config["entrypoint"]["settings"]
    with open(settings["marks"], "a") as marks:
        marks.write(f"{settings['n']}\\n")
    while settings["n"] == settings["held"] and not Path(settings["release"]).exists():
        time.sleep(0.05)
    yield {"n": settings["n"], "value": settings["n"] ** 2}

if __name__ == "__main__":
    main(run)
'''


def _hear_signals() -> None:
    """Hear what the tests themselves may be told to ignore, as under nohup or in a script's background."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Marked(Home):
    """A home with the marking entrypoint and a sweep over it, on a single node in the cloud.

    Args:
        path: the folder.
        cloud: where its clusters are.
        held: the run that waits until it is let go; None for none.
    """

    def __init__(self, path: Path, cloud: Cloud) -> None:
        super().__init__(path, {**cloud.environment, "GOOGLE_CLOUD_PROJECT": cloud.project})
        self.cloud = cloud
        self.launchers: list[subprocess.Popen[str]] = []
        (path / "marking.py").write_text(SCRIPT)
        (path / "mine" / "entrypoint").mkdir(parents=True)
        self.hold(None)

    def hold(self, run: int | None) -> None:
        """Let a run wait until it is let go."""
        held = -1 if run is None else run
        settings = {"n": 0, "held": held, "marks": str(self.path / "marks"), "release": str(self.path / "release")}
        limits = {name: {"type": "int" if isinstance(value, int) else "text"} for name, value in settings.items()}
        config = {"name": "marking", "question": "Which runs have started?", "unit": "marks", "limits": limits}
        config |= {"script": str(self.path / "marking.py"), "settings": settings}
        (self.path / "mine" / "entrypoint" / "marking.yaml").write_text(json.dumps(config))

    def arguments(self, *overrides: str) -> list[str]:
        """The command line of the sweep."""
        sweep = f"entrypoint.settings.n=range({RUNS})"
        place = ["sweep.order=interleaved", "cluster=single_node", "cluster.packages=image"]
        return ["-m", "--config-dir", str(self.path / "mine"), "entrypoint=marking", sweep, *place, *overrides]

    def sweeping(self, *overrides: str) -> Answer:
        """The sweep, to its end."""
        return self(*self.arguments(*overrides))

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start the sweep with a run that is held, and return when that run has started, by the journal."""
        process = self.launch(*overrides)
        until(lambda: self.started(HELD) or process.poll() is not None)
        return process

    def launch(self, *overrides: str) -> subprocess.Popen[str]:
        """Start the sweep with a run that is held."""
        self.hold(HELD)
        process = subprocess.Popen(
            [sys.executable, "-m", "flowerexp", *self.arguments(*overrides)],
            cwd=self.path,
            env=self.environment,
            preexec_fn=_hear_signals,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.launchers.append(process)
        return process

    def started(self, run: int) -> bool:
        """Has the journal seen this run start?"""
        return any(event["run"] == str(run) for event in self.events("started"))

    def release(self) -> None:
        """Let the run that is held go on."""
        (self.path / "release").touch()

    def resume(self, *arguments: str) -> Answer:
        """Resume the sweep; no run waits any more."""
        self.release()
        return self("resume", self.sweep, *arguments)

    def close(self) -> None:
        """Leave no process behind, however a test ended."""
        self.release()
        for launcher in self.launchers:
            if launcher.poll() is None:
                launcher.kill()
            launcher.communicate()

    @property
    def marks(self) -> list[str]:
        """The runs in the order in which the entrypoint started them."""
        path = self.path / "marks"
        return path.read_text().split() if path.exists() else []

    @property
    def sweep(self) -> Path:
        """The sweep's folder."""
        (plan,) = self.path.glob("outputs/*/*/plan.json")
        return plan.parent

    def events(self, *kinds: str) -> list[dict[str, object]]:
        """The journal's events of some kinds."""
        found = list(self.path.glob("outputs/*/*/journal.jsonl"))
        lines = found[0].read_text().splitlines() if found else []
        return [event for event in map(json.loads, lines) if event["event"] in kinds]

    def finished(self) -> Counter[str]:
        """The status of the runs in MLflow, the sweep's summary apart."""
        return Counter(run.info.status for run in self.logged() if run.data.tags.get("flowerexp.kind") != "sweep")


def until(true: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
