"""The id of a sweep, in its journal from the first line, and the jobs that were about to be submitted."""

from __future__ import annotations

import json
import re
import socket

import pytest

from flowerexp.journal import JOURNAL
from flowerexp.journal.events import JobIntended, JobSubmitted, RunEnded
from flowerexp.journal.journal import Journal


def test_it_is_the_first_line_and_stays_whatever_becomes_of_the_folder_and_the_host(tmp_path, monkeypatch):
    folder = tmp_path / "12-00-00-ab12"
    folder.mkdir()
    with Journal(folder).held():
        Journal(folder).append(RunEnded(run="0", state="skipped"))
    first = json.loads((folder / JOURNAL).read_text().splitlines()[0])
    scope = first["scope"]
    assert re.fullmatch("[0-9a-f]{16}", scope)
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    moved = folder.rename(tmp_path / "moved")
    with Journal(moved).held():
        assert Journal(moved).scope() == scope
    assert (moved / JOURNAL).read_text().count('"event":"scope"') == 1


def test_two_folders_have_two(tmp_path):
    assert Journal(tmp_path).known_scope() is None
    (tmp_path / "other").mkdir()
    assert Journal(tmp_path).scope() != Journal(tmp_path / "other").scope()


@pytest.mark.parametrize("line", ["", "{", "[1]", '"scope"', '{"scope": 7}', '{"handle": 3}', "\udcff"])
def test_a_first_line_that_was_damaged_is_made_up_for_by_what_was_told_of_the_cluster(tmp_path, line):
    told = json.dumps({"event": "cluster", "handle": {"name": "four-nodes-1", "scope": "0123456789abcdef"}})
    (tmp_path / JOURNAL).write_bytes(f"{line}\n{told}\n".encode(errors="surrogateescape"))
    assert Journal(tmp_path).scope() == "0123456789abcdef"


def test_a_job_is_intended_until_it_is_submitted_or_its_runs_are_in_a_later_one(tmp_path):
    journal = Journal(tmp_path)
    for folder, runs in (("jobs/1-0", ("0", "1")), ("jobs/1-1", ("2",)), ("jobs/2-0", ("1",))):
        journal.append(JobIntended(folder=folder, handle={}, runs=runs))
    assert list(journal.read().intended) == ["jobs/1-1", "jobs/2-0"]
    journal.append(JobSubmitted(folder="jobs/2-0", handle={}, runs=("1",)))
    journal.append(JobSubmitted(folder="jobs/3-0", handle={}, runs=("3",)))  # of whose intention the line is damaged
    state = journal.read()
    assert (list(state.intended), [job.folder for job in state.jobs]) == (["jobs/1-1"], ["jobs/2-0", "jobs/3-0"])
