"""What is seen of a job's runs while it is followed."""

from __future__ import annotations

import json
import queue
from pathlib import Path
from typing import Any

import pytest

from flowerexp import storage
from flowerexp.orchestrate.events import Ended, Progressed, Started
from flowerexp.orchestrate.watch import Watch
from flowerexp.plan import PlannedRun

STATUS: dict[str, Any] = {"state": "finished", "error": None, "where": None, "hint": None, "facts": {}, "notes": [],
          "started_at": 1.0, "ended_at": 2.0}  # fmt: skip


class Job:
    """Two runs that write into their own folders, watched."""

    def __init__(self, config: Any, folder: Path) -> None:
        self.runs = [PlannedRun(name, config(), folder / name, "code") for name in ("a", "b")]
        self.events: queue.Queue[Any] = queue.Queue()
        self.watch = Watch({self.output(run): run for run in self.runs}, "mine", self.events)

    def output(self, run: PlannedRun) -> str:
        return str(run.folder / "results")

    def leaves(self, run: PlannedRun, token: str = "mine") -> None:
        results = Path(self.output(run))
        results.mkdir(parents=True, exist_ok=True)
        (results / "status.json").write_text(json.dumps({**STATUS, "token": token}))

    def says(self, run: PlannedRun, state: str) -> None:
        self.watch.listen({"output": self.output(run), "state": state})

    def seen(self) -> list[Any]:
        return [self.events.get_nowait() for _ in range(self.events.qsize())]


@pytest.fixture
def job(config, tmp_path):
    return Job(config, tmp_path)


def test_a_run_has_started_and_ended_when_its_job_says_so_and_its_results_are_there(job):
    first, second = job.runs
    job.says(first, "started")
    job.leaves(first)
    job.says(first, "finished")
    job.says(second, "started")
    assert job.seen() == [Started(first), Ended(first, "mine"), Started(second)]
    assert (job.watch.started, job.watch.ended) == ([first, second], [first])
    assert job.watch.remaining() == [second]


def test_results_in_a_bucket_are_brought_into_the_run_s_folder(job, bucket):
    run, output = job.runs[0], f"{bucket}/a"
    watch = Watch({output: run}, "mine", job.events)
    for name, content in (("measurements.jsonl", "{}\n"), ("phases.json", "{}"),
                          ("status.json", json.dumps({**STATUS, "token": "mine"}))):  # fmt: skip
        storage.write_bytes(f"{output}/{name}", content.encode())
    watch.listen({"output": output, "state": "finished"})
    assert job.seen() == [Ended(run, "mine")]
    names = sorted(path.name for path in (run.folder / "results").iterdir())
    assert names == ["measurements.jsonl", "phases.json", "status.json"]


def test_an_end_counts_once(job):
    first, _ = job.runs
    job.leaves(first)
    job.says(first, "finished")
    job.says(first, "finished")
    job.watch.remaining()
    assert job.seen() == [Ended(first, "mine")]


def test_results_that_were_not_announced_are_found_when_the_job_is_over(job):
    first, second = job.runs
    job.leaves(second)
    assert job.watch.remaining() == [first]
    assert job.seen() == [Ended(second, "mine")]


def test_results_of_another_attempt_are_not_those_of_this_job(job):
    first, second = job.runs
    job.leaves(first, "another's")
    job.says(first, "finished")
    assert job.watch.remaining() == [first, second]
    assert job.seen() == []
    assert any("is not of this run's attempt" in line for line in job.watch.trouble)


def test_results_that_cannot_be_read_are_missing_with_the_reason(job):
    first, second = job.runs
    job.leaves(first)
    (Path(job.output(first)) / "status.json").write_text("{")
    assert job.watch.remaining() == [first, second]
    (line,) = job.watch.trouble
    assert line.startswith(f"the results in {job.output(first)} cannot be read: ")


def test_what_concerns_no_run_is_progress(job):
    messages: list[dict[str, Any]] = [
        {"phase": "measure", "done": 1, "total": 2},
        {"output": "elsewhere", "state": "started"},
        {"output": job.output(job.runs[0]), "done": 3},
    ]
    for message in messages:
        job.watch.listen(message)
    assert job.seen() == [Progressed(message) for message in messages]
    assert job.watch.started == []


def test_each_run_gets_what_was_printed_while_it_ran(job):
    first, second = job.runs
    for run, line in ((first, "of the first"), (second, "of the second")):
        job.watch.printed += [line, "and more"]
        job.leaves(run)
        job.says(run, "finished")
    logs = [(run.folder / "job" / "driver.log").read_text() for run in job.runs]
    assert logs == ["of the first\nand more\n", "of the second\nand more\n"]


def test_a_log_that_is_there_is_kept(job):
    first, _ = job.runs
    (first.folder / "job").mkdir(parents=True)
    (first.folder / "job" / "driver.log").write_text("the job's own\n")
    job.watch.printed.append("again")
    job.leaves(first)
    job.says(first, "finished")
    assert (first.folder / "job" / "driver.log").read_text() == "the job's own\n"


def test_rows_of_lost_runs_are_kept_and_damage_to_them_is_said(job):
    first, second = job.runs
    for run, content in (
        (first, {"token": "mine", "started_at": 1.0, "facts": {}, "phases": {}, "notes": []}),
        (second, 7),
    ):
        rows = Path(job.output(run)) / "rows"
        rows.mkdir(parents=True)
        (rows.parent / "attempt.json").write_text(json.dumps(content))
        (rows / "00001.jsonl").write_text('{"images": 1, "seconds": 2.0, "attempt": 1}\n')
    job.watch.keep_rows(job.runs)
    assert (first.folder / "results" / "measurements.jsonl").exists()
    assert not (second.folder / "results" / "measurements.jsonl").exists()
    (line,) = job.watch.trouble
    assert line.startswith(f"the rows in {job.output(second)} cannot be kept: ")


def test_rows_of_runs_that_go_on_are_left_where_they_are(job):
    first, second = job.runs
    for run in job.runs:
        rows = Path(job.output(run)) / "rows"
        rows.mkdir(parents=True)
        begun = {"token": "mine", "started_at": 1.0, "facts": {}, "phases": {}, "notes": []}
        (rows.parent / "attempt.json").write_text(json.dumps(begun))
        (rows / "00001.jsonl").write_text('{"images": 1, "seconds": 2.0, "attempt": 1}\n')
    job.watch.keep_rows([second])
    assert not (first.folder / "results" / "measurements.jsonl").exists()
    assert (second.folder / "results" / "measurements.jsonl").exists()
