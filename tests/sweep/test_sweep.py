"""Real sweeps: killed, lost, stopped, resumed; with real Spark and a tiny entrypoint that marks each of its starts."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command import SMALL_GRID, Home

pytestmark = pytest.mark.spark

RUNS = 8
HELD = 3  # the run in which the kill comes

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
    if str(settings["n"]) in settings["bad"].split():
        raise ValueError("made to fail")
    yield {"n": settings["n"], "value": settings["n"] ** 2}

if __name__ == "__main__":
    main(run)
'''


class Marked(Home):
    """A home with the marking entrypoint and a sweep over it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.launchers: list[subprocess.Popen[str]] = []
        (path / "marking.py").write_text(SCRIPT)
        (path / "mine" / "entrypoint").mkdir(parents=True)
        settings = {"n": 0, "held": HELD, "bad": "none", "marks": str(path / "marks"), "release": str(path / "release")}
        limits = {name: {"type": "int" if isinstance(value, int) else "text"} for name, value in settings.items()}
        config = {"name": "marking", "question": "What is marked?", "unit": "marks", "settings": settings}
        config |= {"script": str(path / "marking.py"), "limits": limits}
        (path / "mine" / "entrypoint" / "marking.yaml").write_text(json.dumps(config))
        self.arguments = ["-m", "--config-dir", str(path / "mine"), "entrypoint=marking", "sweep.order=interleaved"]
        self.arguments.append(f"entrypoint.settings.n=range({RUNS})")

    def start(self) -> subprocess.Popen[str]:
        """Start the sweep, and return when the run that is held has started."""
        process = subprocess.Popen(
            [sys.executable, "-m", "flowerexp", *self.arguments],
            cwd=self.path,
            env=self.environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.launchers.append(process)
        until(lambda: str(HELD) in self.marks or process.poll() is not None)
        # The launcher must have seen what ended before, as it has a moment later.
        until(lambda: len(self.events("finished")) == HELD)
        return process

    def close(self) -> None:
        """Leave no process behind, however a test ended."""
        for launcher in self.launchers:
            if launcher.poll() is None:
                launcher.kill()
                launcher.wait()
        for plan in self.path.glob("outputs/*/*/journal.jsonl"):
            for event in map(json.loads, plan.read_text().splitlines()):
                if event["event"] == "submitted" and alive(event["handle"]["pid"]):
                    os.killpg(event["handle"]["pid"], signal.SIGKILL)

    def release(self) -> None:
        """Let the run that is held go on."""
        (self.path / "release").touch()

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
        lines = (self.sweep / "journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] in kinds]

    def spark_pid(self) -> int:
        """The process of the job that was submitted last."""
        handle = self.events("submitted")[-1]["handle"]
        assert isinstance(handle, dict)
        return int(handle["pid"])

    def measured(self) -> dict[str, bytes]:
        """The measurements of each run that has some, to the byte."""
        found = self.sweep.glob("*/results/measurements.jsonl")
        return {path.parents[1].name: path.read_bytes() for path in found}

    def finished(self) -> Counter[str]:
        """The status of the runs in MLflow, the sweep's summary apart."""
        return Counter(run.info.status for run in self.logged() if run.data.tags.get("flowerexp.kind") != "sweep")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Marked]:
    """A home with the marking entrypoint; whatever runs in it ends with the test."""
    marked = Marked(tmp_path)
    yield marked
    marked.close()


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Is there such a process, which is no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def check_complete(home: Marked, before: dict[str, bytes]) -> None:
    """The sweep is as an undisturbed one: each run finished once, and what was measured before is as it was."""
    with (home.sweep / "runs.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["state"] for line in lines] == ["finished"] * RUNS
    assert len({line["run_key"] for line in lines}) == RUNS
    assert home.finished() == {"FINISHED": RUNS}
    after = home.measured()
    assert {name: after[name] for name in before} == before
    assert sorted(json.loads(content)["n"] for content in after.values()) == list(range(RUNS))
    summaries = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") == "sweep"]
    assert len(summaries) == 1


# That a job is found by the intent alone, `cluster/local/test_backend.py` shows too.
@pytest.mark.parametrize("noted", [1, pytest.param(0, marks=pytest.mark.long)])
def test_launcher_killed_and_its_job_found_again(home, noted):
    """Also by the intent alone: as if it was killed in the call that submits."""
    launcher = home.start()
    before = home.measured()
    assert len(before) == HELD
    launcher.kill()
    launcher.wait()
    pid = home.spark_pid()
    assert alive(pid), "the job must outlive its launcher"
    if not noted:
        journal = home.sweep / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        journal.write_text("".join(line for line in lines if json.loads(line)["event"] != "submitted"))
    home.release()
    answer = home("resume", home.sweep)
    assert answer.code == 0, answer.err
    assert len(home.events("submitted")) == noted, "the job was running: it must not be started twice"
    assert home.marks == [str(number) for number in range(RUNS)]
    check_complete(home, before)
    assert not alive(pid)


@pytest.mark.long
def test_launcher_killed_and_its_job_too(home):
    launcher = home.start()
    before = home.measured()
    launcher.kill()
    launcher.wait()
    os.killpg(home.spark_pid(), signal.SIGKILL)
    until(lambda: not alive(home.spark_pid()))
    home.release()
    answer = home("resume", home.sweep.name[-4:])
    assert answer.code == 0, answer.err
    # Nothing that had finished was started again; the run that was cut off was.
    assert Counter(home.marks) == {str(number): 1 + (number == HELD) for number in range(RUNS)}
    check_complete(home, before)


def test_spark_driver_killed_loses_one_run_which_resume_runs_again(home):
    launcher = home.start()
    before = home.measured()
    os.killpg(home.spark_pid(), signal.SIGKILL)
    _, errors = launcher.communicate(timeout=180)
    assert launcher.returncode == 1, errors
    assert home.finished() == {"FINISHED": RUNS - 1, "FAILED": 1}
    assert "flowerexp resume" in errors
    assert f"1 of {RUNS} runs failed" in errors
    home.release()
    answer = home("resume", home.sweep)
    assert answer.code == 0, answer.err
    assert Counter(home.marks) == {str(number): 1 + (number == HELD) for number in range(RUNS)}
    check_complete(home, before)


def test_a_sweep_that_runs_is_not_resumed_and_ctrl_c_stops_it_cleanly_and_names_the_command_that_goes_on(home):
    launcher = home.start()
    before = home.measured()
    refused = home("resume", home.sweep)
    assert refused.code == 1
    assert f"still running (process {launcher.pid})" in refused.err
    launcher.send_signal(signal.SIGINT)
    _, errors = launcher.communicate(timeout=180)
    assert launcher.returncode == 130
    assert f"flowerexp resume {home.sweep}" in errors
    assert "Traceback" not in errors
    assert not alive(home.spark_pid())
    home.release()
    answer = home("resume", home.sweep)
    assert answer.code == 0, answer.err
    check_complete(home, before)


@pytest.mark.long
def test_failures_stop_nothing_and_are_all_listed(home):
    home.release()
    answer = home(*home.arguments, "entrypoint.settings.bad='2 7'")
    assert answer.code == 1
    assert f"2 of {RUNS} runs failed" in answer.errors[-1]
    assert answer.err.count("made to fail") >= 2
    assert home.finished() == {"FINISHED": RUNS - 2, "FAILED": 2}
    failed = [run for run in home.logged() if run.info.status == "FAILED" and "run_key" in run.data.tags]
    for run in failed:
        assert "made to fail" in run.data.tags["flowerexp.error"]
        paths = [item.path for item in home.mlflow().list_artifacts(run.info.run_id, "job")]
        assert "job/driver.log" in paths
    # What failed on its own is not run again by a resume.
    assert home("resume", home.sweep).code == 1
    assert len(home.marks) == RUNS


@pytest.mark.long  # `orchestrate/test_lost_runs.py` shows it of a sweep whose jobs are pretended
def test_max_failures_ends_the_sweep(home):
    answer = home(*home.arguments, "entrypoint.settings.bad='0 1'", "hydra.launcher.max_failures=2")
    assert answer.code == 1
    assert "flowerexp resume" in answer.err
    assert len(home.marks) <= HELD + 1


@pytest.mark.long
def test_skip_finished_skips_what_is_in_the_store_and_says_so(tmp_path):
    home = Home(tmp_path)
    sweep = ("-m", "dataset.images=40", "grid.reader=tfrecords", *SMALL_GRID, "skip_finished=true")
    assert home(*sweep, "preprocess.quality=90").code == 0
    answer = home(*sweep, "preprocess.quality=90,80")
    assert answer.code == 0, answer.err
    assert "skipped preprocess.quality=90: finished already" in answer.err
    assert [run.data.params.get("preprocess.quality") for run in home.logged() if "run_key" in run.data.tags] == [
        "90",
        "80",
    ]


@pytest.mark.long
def test_two_clusters_and_failing_runs_through_hydras_job_machinery(tmp_path, photos):
    home = Home(tmp_path)
    broken = tmp_path / "broken"
    subprocess.run(["cp", "-r", photos, broken], check=True)
    next((broken / "tulips").iterdir()).write_bytes(b"not a photograph")
    data = f"dataset.path={photos},{broken}"
    grid = ("grid.batch_size=2", "grid.batch_number=2", "measure.repetitions=1")
    answer = home("-m", "dataset=folder", data, "cluster.cores=1,2", *grid, "grid.reader=tfrecords")
    assert answer.code == 1
    states = Counter(run.info.status for run in home.logged() if "run_key" in run.data.tags)
    assert states == {"FINISHED": 2, "FAILED": 2}
    (sweep,) = {path.parent.parent for path in tmp_path.glob("outputs/*/*/*/run.json")}
    assert len(list(sweep.glob("jobs/*"))) == 2, "a job a cluster"
    for run in sweep.glob("[0-9]*"):
        assert (run / ".hydra" / "overrides.yaml").exists()
        assert (run / "flowerexp.log").read_text()


@pytest.mark.long
def test_two_sweeps_at_once_on_a_store_that_neither_has_made(home):
    (home.path / "mlruns" / "mlflow.db").unlink()
    home.release()
    command = [sys.executable, "-m", "flowerexp", *home.arguments[:-1], "entrypoint.settings.n=0,1"]
    both = [
        subprocess.Popen(command, cwd=home.path, env=home.environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    assert home.finished() == {"FINISHED": 4}


@pytest.mark.long
def test_no_secret_of_a_sweep_reaches_the_store(home):
    home.release()
    secret = "+cluster.spark={spark.my.password:hunter2}"
    assert home(*home.arguments[:-1], "entrypoint.settings.n=0,1", secret).code == 0
    logged = [path for path in (home.path / "mlruns").rglob("*") if path.is_file()]
    # Spark hides such properties in its event log itself.
    assert len(logged) > 10
    assert not [path for path in logged if b"hunter2" in path.read_bytes()]
    written = [home.sweep / "multirun.yaml", *home.sweep.glob("*/.hydra/*.yaml")]
    assert len(written) > 4
    assert not [path for path in written if "hunter2" in path.read_text()]


@pytest.mark.long
def test_a_detached_sweep_goes_on_by_itself_and_is_followed_again(home):
    answer = home(*home.arguments, "--detach")
    assert answer.code == 0, answer.err
    assert f"detached  {RUNS} of {RUNS} runs go on by themselves" in answer.err
    assert alive(home.spark_pid()), "the job outlives the command that submitted it"
    assert not (home.sweep / "runs.csv").exists()
    attached = subprocess.Popen(
        [sys.executable, "-m", "flowerexp", "attach", str(home.sweep)],
        cwd=home.path,
        env=home.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    home.launchers.append(attached)
    until(lambda: len(home.events("finished")) == HELD)
    attached.send_signal(signal.SIGINT)
    _, said = attached.communicate(timeout=180)
    assert attached.returncode == 130
    assert "jobs that were submitted go on" in said
    assert alive(home.spark_pid()), "Ctrl-C ends what follows the job, and not the job"
    home.release()
    answer = home("attach", "last")
    assert answer.code == 0, answer.err
    assert home.finished() == {"FINISHED": RUNS}
    assert Counter(home.marks) == Counter(str(n) for n in range(RUNS)), "no run was made twice"
