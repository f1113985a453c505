"""What Hydra is told of a sweep's runs: one that came to nothing has failed, so that no such sweep exits with 0."""

from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from flowerexp.errors import JobError
from flowerexp.hydra_main import _raise_failures
from flowerexp.journal.events import RunEnded, RunLost
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun
from flowerexp.sweep.launch import _in_order


@pytest.fixture
def runs(config, tmp_path):
    return [PlannedRun(str(number), config(), tmp_path / str(number), "") for number in range(4)]


def test_each_run_is_told_of_in_order(tmp_path: Path, runs):
    journal = Journal(tmp_path)
    journal.append(RunEnded(run="1", state="skipped", run_id="x", of="y"))
    journal.append(RunLost(run="3", error="the node is gone"))
    done = {name: JobReturn(status=JobStatus.COMPLETED, _return_value=name) for name in ("2", "0")}
    told = _in_order(runs, done, journal)
    assert [one.status for one in told] == [JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED]
    assert [one.return_value for one in told[:2]] == ["0", "2"]
    with pytest.raises(JobError, match="1 of 3 runs failed"):
        _raise_failures([told])


def test_runs_that_never_started_have_failed(tmp_path: Path, runs):
    with pytest.raises(JobError, match="4 of 4 runs failed"):
        _raise_failures([_in_order(runs, {}, Journal(tmp_path))])


def test_a_sweep_of_which_all_is_done_already_has_not(tmp_path: Path, runs):
    journal = Journal(tmp_path)
    for run in runs:
        journal.append(RunEnded(run=run.folder.name, state="skipped", run_id="x", of="y"))
    told = _in_order(runs, {}, journal)
    assert told == []
    _raise_failures([told])
