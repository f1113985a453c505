"""A user's script in a separate process, killed while it measures, and continued."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowerexp.cluster import java
from tests.workload.engine.tiny import config

pytestmark = pytest.mark.spark

SCRIPT = '''
"""Counts."""
from pathlib import Path
import time

from flowerexp.workload import main


class Prepared:
    """What only this script defines."""

    def __init__(self, folder):
        self.folder = Path(folder)


def prepare(spark, config):
    return Prepared(config["folder"])


def measure(prepared, cell):
    with (prepared.folder / "measured").open("a") as file:
        file.write(f"{cell['size']} {cell.repetition}\\n")
    while cell["size"] == 3 and not (prepared.folder / "go").exists():
        time.sleep(0.01)
    return {"things": cell["size"]}


if __name__ == "__main__":
    main(measure, prepare)
'''


@pytest.fixture
def start(tmp_path):
    """Start the script on a run; `earlier` are folders of rows."""
    (tmp_path / "script.py").write_text(SCRIPT)
    processes = []

    def start(where, output, earlier=()):
        made = {**config({"size": [1, 2, 3]}, where, repetitions=2), "folder": str(tmp_path)}
        run = {"run_key": "key", "token": "token", "config": made, "output": str(tmp_path / output)}
        (tmp_path / "job.json").write_text(json.dumps({"runs": [{**run, "earlier": list(earlier)}]}))
        environment = {**os.environ, "JAVA_HOME": str(java.find().home), "PYSPARK_PYTHON": sys.executable}
        submit = "--master local[1] --conf spark.ui.enabled=false pyspark-shell"
        environment |= {"PYSPARK_SUBMIT_ARGS": submit, "PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, str(tmp_path / "script.py"), "--job", str(tmp_path / "job.json")]
        log = (tmp_path / f"{output}.log").open("wb")
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rows_in(folder):
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def until(condition, process):
    """Wait for something that a process does."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("where", ["driver", pytest.param("executor", marks=pytest.mark.long)])
def test_a_run_that_is_killed_leaves_its_rows_and_the_next_attempt_makes_the_others(start, tmp_path, where):
    first = start(where, "first")
    measured = tmp_path / "measured"
    until(lambda: measured.exists() and measured.read_text().splitlines()[-1].startswith("3"), first)
    before = [tuple(map(int, line.split())) for line in measured.read_text().splitlines()[:-1]]
    rows = tmp_path / "first" / "rows"
    until(lambda: len(rows_in(rows)) == len(before), first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert [(row["size"], row["repetition"]) for row in rows_in(rows)] == before
    assert not (tmp_path / "first" / "measurements.jsonl").exists()

    (tmp_path / "go").touch()
    measured.unlink()
    (rows / "00099.jsonl").write_text('{"size": 1, "repet')
    assert start(where, "second", [str(rows)]).wait() == 0
    status = json.loads((tmp_path / "second" / "status.json").read_text())
    assert status["state"] == "finished"
    assert any("00099.jsonl" in note for note in status["notes"])
    again = [tuple(map(int, line.split())) for line in measured.read_text().splitlines()]
    assert sorted(before + again) == [(size, repetition) for size in (1, 2, 3) for repetition in (1, 2)]
    found = rows_in(tmp_path / "second")
    assert [row["order"] for row in found] == list(range(6))
    by_attempt: dict[int, set[tuple[int, int]]] = {}
    for row in found:
        by_attempt.setdefault(row["attempt"], set()).add((row["size"], row["repetition"]))
    assert by_attempt == {2: set(again), **({1: set(before)} if before else {})}
    assert {row["attempt"] for row in rows_in(tmp_path / "second" / "rows")} == {2}
