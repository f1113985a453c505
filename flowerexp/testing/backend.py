"""What every backend promises: one job, from its submission by one process to its end under another."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import Backend, JobFiles, Submission
from flowerexp.cluster.kind import kind_of
from flowerexp.config.schema import Cluster
from flowerexp.job.follow import follow
from flowerexp.job.results import explain
from flowerexp.testing.observer import Observer

SCOPE = "2026-11-23-15-00-00-ab12-01234567"
"""The name of a sweep, as its journal would have it."""
_START_SECONDS = 300

_PROGRAM = """
import json, sys, time
from pathlib import Path
print(json.dumps({{"flowerexp": {{"done": 1, "total": 2}}}}), flush=True)
while not Path({flag!r}).exists():
    time.sleep(0.05)
print(json.dumps({{"flowerexp": {{"done": 2, "total": 2}}}}), flush=True)
raise ValueError("as planned")
"""


class BackendContract:
    """Tests of a kind's backend; give a fixture `cluster`: a config of the kind.

    The job is a script that waits for a file in a folder of this machine and then fails. A kind whose jobs run
    elsewhere overrides the fixture `flag`: a path that its driver sees, which `release` makes.
    """

    @pytest.fixture
    def flag(self, tmp_path: Path) -> Path:
        """The file that the job waits for."""
        return tmp_path / "go"

    def release(self, flag: Path) -> None:
        """Let the job go on: make the file that it waits for."""
        flag.touch()

    @pytest.fixture
    def files(self, tmp_path: Path, flag: Path) -> JobFiles:
        """What is submitted."""
        folder = tmp_path / "job"
        folder.mkdir()
        (folder / "job.json").write_text('{"runs": []}')
        (folder / "entry.py").write_text(_PROGRAM.format(flag=str(flag)))
        (folder / "flowerexp-0123.zip").write_bytes(b"PK\x05\x06" + bytes(18))
        return JobFiles(folder, folder / "entry.py", folder / "flowerexp-0123.zip", folder / "job.json", SCOPE, {})

    def test_results_have_a_place_that_every_process_knows(self, cluster: Cluster, tmp_path: Path) -> None:
        """Where a run writes follows from the config, the run's folder and the scope alone."""
        places = [kind_of(cluster).backend().output(tmp_path / name, SCOPE) for name in ("run-7", "run-7", "run-8")]
        assert places[0] == places[1] != places[2]

    def test_a_handle_is_known_before_a_job_is_submitted(self, cluster: Cluster, tmp_path: Path) -> None:
        """The journal holds it, as JSON, before the call that submits."""
        handles = [kind_of(cluster).backend().handle(tmp_path / name, SCOPE) for name in ("a", "a", "b")]
        assert json.loads(json.dumps(handles[0])) == handles[1] != handles[2]

    def test_a_job_outlives_the_process_that_submitted_it(self, cluster: Cluster, files: JobFiles, flag: Path) -> None:
        """A job is followed, found again by another process, ends under that one, and nothing is left."""
        first, second, observer = kind_of(cluster).backend(), kind_of(cluster).backend(), Observer()
        try:
            first.check()
            first.open(SCOPE, {}, observer)
            submission = first.submit(files)
            _wait_for_output(submission)
            second.open(SCOPE, {}, observer)  # as a second process would, when the first one has died
            found = _found(second, files, first.handle(files.folder, SCOPE), submission)
            self.release(flag)
            _check_end(found, files)
            assert follow(submission, lambda _: None)[0] == 1
            for ended in (submission, found):
                ended.stop()  # harmless after the end
            assert second.find(files.folder, _as_json(submission.handle)) is None
        finally:
            for backend in (second, second, first):
                backend.close(SCOPE, observer)
        assert observer.states == [] or observer.states[-1] == "deleted"


def _as_json(handle: dict[str, Any]) -> dict[str, Any]:
    """A handle as a journal returns it."""
    content: dict[str, Any] = json.loads(json.dumps(handle))
    return content


def _wait_for_output(submission: Submission) -> None:
    lines: list[str] = []
    deadline = time.monotonic() + _START_SECONDS
    while not any(line.startswith('{"flowerexp"') for line in lines):
        printed, code = submission.poll()
        lines += printed
        assert code is None, lines
        assert time.monotonic() < deadline, f"nothing was printed in {_START_SECONDS} s"


def _found(backend: Backend, files: JobFiles, intended: dict[str, Any], submission: Submission) -> Submission:
    """The running job by either handle: that of before it was submitted, and its own."""
    assert backend.arrived(intended)
    assert backend.find(files.folder, _as_json(intended)) is not None
    found = backend.find(files.folder, _as_json(submission.handle))
    assert found is not None
    return found


def _check_end(submission: Submission, files: JobFiles) -> None:
    """What the job printed arrives in order, its error is recognised, and its log is in its folder."""
    messages: list[dict[str, Any]] = []
    _, tail = follow(submission, messages.append)
    assert [message["done"] for message in messages] == [1, 2]
    assert explain(tail) == "ValueError: as planned"
    submission.collect()
    assert "as planned" in (files.folder / "driver.log").read_text()
