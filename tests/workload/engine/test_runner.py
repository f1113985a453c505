"""The runner: every run of a job writes its results, also if it fails."""

import errno
import hashlib
import json
import os
from types import SimpleNamespace

import pytest

from flowerexp import storage
from flowerexp.errors import ClusterError, ConfigError, DataError
from flowerexp.job import results
from flowerexp.workload import executors, report
from flowerexp.workload.engine import caching, run, runner, session
from flowerexp.workload.engine.stream import Stream

ROWS = [{"images": 3, "seconds": 0.5, "reader": "ü"}, {"images": 4, "seconds": None, "reader": "b"}]


class Results:
    """What a run left behind."""

    def __init__(self, folder):
        self.folder = folder
        self.status = json.loads((folder / "status.json").read_text())
        self.phases = json.loads((folder / "phases.json").read_text())
        self.rows = [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run entrypoints as a job's runs, one each, without Spark; returns the results of those that left any."""

    class Session:
        sparkContext = SimpleNamespace(master="local[2]", _jsc=SimpleNamespace(getPersistentRDDs=dict))

        def stop(self):
            (tmp_path / "stopped").touch()

    monkeypatch.setattr(runner, "LazySession", Session)
    monkeypatch.setattr(runner, "environment", lambda spark: {"cores": 2})
    monkeypatch.setattr(executors, "is_gone", lambda context: (tmp_path / "gone").exists())

    def job(*entrypoints, requires=None):
        runs = [
            {
                "run_key": f"key{number}",
                "token": f"token{number}",
                "config": {"number": number, "measure": {"until": None}},
                "output": str(tmp_path / str(number)),
            }
            for number in range(len(entrypoints))
        ]
        (tmp_path / "job.json").write_text(json.dumps({"requires": requires or {}, "runs": runs}))
        monkeypatch.setattr("sys.argv", ["script.py", "--job", str(tmp_path / "job.json")])
        runner.main(lambda spark, config: entrypoints[config["number"]]())
        assert (tmp_path / "stopped").exists()
        return [Results(tmp_path / str(number)) for number in range(len(entrypoints))]

    return job


def fine():
    with report.phase("measure"):
        report.fact("images", 7)
        report.note("a note")
    return ROWS


def fails_midway():
    yield ROWS[0]
    raise ZeroDivisionError("by\nzero")


def refuses():
    raise DataError("nothing to read", where="dataset.path", hint="check the path")


def finds_no_room():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/part")


def test_a_status_carries_its_attempts_token_and_hashes_of_what_was_left(job):
    def attaching():
        report.attach("a.txt", b"attached")
        return fine()

    for number, outcome in enumerate(job(attaching, fails_midway)):
        assert outcome.status["token"] == f"token{number}"
        names = ["measurements.jsonl", "phases.json", *(["attached/a.txt"] if number == 0 else [])]
        hashes = {name: hashlib.sha256((outcome.folder / name).read_bytes()).hexdigest() for name in names}
        assert outcome.status["files"] == hashes


def test_a_run_leaves_rows_phases_and_status(job, capsys):
    (outcome,) = job(fine)
    assert outcome.rows == ROWS
    assert outcome.status["state"] == "finished"
    assert (outcome.status["error"], outcome.status["run_key"]) == (None, "key0")
    assert outcome.status["facts"] == {"cores": 2, "images": 7}
    assert outcome.status["notes"] == ["a note"]
    assert outcome.status["started_at"] <= outcome.status["ended_at"]
    assert outcome.phases.keys() == {"start", "measure"}
    messages = [json.loads(line)["flowerexp"] for line in capsys.readouterr().out.splitlines()]
    assert {message["run_key"] for message in messages} == {"key0"}
    states = [(message["output"], message["state"]) for message in (messages[0], messages[-1])]
    assert states == [(str(outcome.folder), "started"), (str(outcome.folder), "finished")]


def test_each_run_starts_with_nothing_cached(job, monkeypatch):
    seen = []
    monkeypatch.setattr(caching, "clear", lambda spark: seen.append("cleared"))

    def leaves_a_cached_rdd_and_fails():
        seen.append("run")
        raise ZeroDivisionError

    def measures():
        seen.append("run")
        return ROWS

    job(leaves_a_cached_rdd_and_fails, measures)
    assert seen == ["cleared", "run", "cleared", "run"]


def test_the_status_comes_last(job, monkeypatch):
    written = []
    write = storage.write_bytes

    def note(uri, content, **more):
        written.append(uri.rpartition("/")[2])
        write(uri, content, **more)

    monkeypatch.setattr(storage, "write_bytes", note)
    job(fine)
    assert {"measurements.jsonl", "phases.json"} <= {*written[:-1]}
    assert written[-1] == "status.json"


def test_what_is_attached_lies_beside_the_results(job):
    def attaching():
        report.attach("sheet.jpg", b"picture")
        return ROWS

    (outcome,) = job(attaching)
    assert outcome.status["attached"] == ["sheet.jpg"]
    assert (outcome.folder / "attached" / "sheet.jpg").read_bytes() == b"picture"


def test_a_run_that_fails_is_recorded_and_the_next_one_runs(job, capsys):
    failed, finished = job(fails_midway, fine)
    assert failed.status["state"] == "failed"
    line = fails_midway.__code__.co_firstlineno + 2
    assert failed.status["error"] == f"ZeroDivisionError: by zero (test_runner.py, line {line}, in fails_midway)"
    assert "fails_midway" in failed.status["traceback"]
    assert failed.rows == ROWS[:1]  # what was measured before is not lost
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert (finished.status["state"], finished.rows) == ("finished", ROWS)
    assert "traceback" not in finished.status


def test_nothing_of_one_run_gets_into_the_next(job):
    finished, failed = job(fine, refuses)
    assert failed.status["facts"] == {"cores": 2}
    assert failed.status["notes"] == []
    assert failed.rows == []
    assert failed.phases.keys() == {"start"}
    assert finished.status["notes"] == ["a note"]


def test_an_error_on_purpose_keeps_its_parts(job):
    status = job(refuses)[0].status
    assert (status["error"], status["where"], status["hint"]) == ("nothing to read", "dataset.path", "check the path")


def test_an_error_of_the_operating_system_is_explained(job):
    status = job(finds_no_room)[0].status
    assert "/data/part" in status["error"]
    assert "No space left" in status["error"]
    assert "room" in status["hint"]


def gives_up():
    raise SystemExit(3)


def lacks_a_file():
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "typo.txt")


@pytest.mark.parametrize(
    ("entrypoint", "kind", "blame", "retry"),
    [
        (fine, None, None, False),
        (refuses, "DataError", "run", False),
        (fails_midway, "JobError", "run", False),
        (lacks_a_file, "JobError", "run", False),
        (gives_up, "JobError", "run", False),
        (finds_no_room, "MachineError", "machine", True),
    ],
)
def test_the_status_says_whether_the_machine_is_to_blame(job, entrypoint, kind, blame, retry):
    status = job(entrypoint)[0].status
    assert (status.get("class"), status["blame"], status["retry"]) == (kind, blame, retry)


def test_whatever_fails_after_spark_was_shut_down_is_made_again(job, tmp_path):
    (tmp_path / "gone").touch()
    for outcome in job(fails_midway, refuses):
        assert (outcome.status["class"], outcome.status["retry"]) == ("MachineError", True)
        assert outcome.status["error"].startswith("Spark was shut down (")


@pytest.mark.parametrize("entrypoint", [list, lambda: iter(())], ids=["list", "iterator"])
def test_no_rows_have_failed(job, entrypoint):
    status = job(entrypoint)[0].status
    assert (status["state"], status["error"]) == ("failed", "the entrypoint returned no rows")


@pytest.mark.parametrize("row", [{"images": object()}, {"images": b"3"}, {(1, 2): 3}], ids=["object", "bytes", "key"])
def test_rows_that_cannot_be_written_fail_their_run_alone(job, row):
    failed, finished = job(lambda: [ROWS[0], row], fine)
    assert failed.status["state"] == "failed"
    assert "TypeError" in failed.status["error"]
    assert failed.rows == ROWS[:1]
    assert finished.rows == ROWS


def test_a_fact_that_cannot_be_written_does_not_cost_the_results(job, tmp_path):
    def run():
        report.fact("folder", tmp_path)
        return ROWS

    (outcome,) = job(run)
    assert outcome.status["facts"]["folder"] == str(tmp_path)


def test_an_entrypoint_that_measures_by_itself_has_no_rounds(tmp_path):
    started: list[str] = []
    entry = {"config": {"measure": {"until": 0.05}}}

    def measures(spark, config):
        started.append("started")
        return [{}]

    with pytest.raises(ConfigError, match=r"^measure\.until: this entrypoint measures everything by itself"):
        list(run.of_generator(measures)(None, entry, Stream(str(tmp_path), keep=False)))
    assert started == []


def test_results_that_cannot_be_written_fail_the_process(job, tmp_path):
    (tmp_path / "0").write_text("a file in the place of the folder")
    with pytest.raises(OSError, match="0"):
        job(fine)
    assert (tmp_path / "stopped").exists()


REQUIRES = {"json": "any"}


class TestReady:
    """On a cluster, executors are waited for and looked at before the first run, once."""

    @pytest.fixture
    def cluster(self, monkeypatch):
        calls = []
        monkeypatch.setattr(executors, "in_driver", lambda _: False)
        monkeypatch.setattr(executors, "wait", lambda _: calls.append("wait"))
        monkeypatch.setattr(executors, "check_imports", lambda _, requires: calls.append(requires))
        return calls

    def test_once_for_all_runs(self, job, cluster):
        assert {outcome.status["state"] for outcome in job(fine, fine, requires=REQUIRES)} == {"finished"}
        assert cluster == ["wait", {"json": "any"}]

    @pytest.mark.parametrize("what", ["wait", "check_imports"])
    def test_a_cluster_that_cannot_be_used_fails_every_run_before_it_starts(self, job, cluster, monkeypatch, what):
        def refuse(*_):
            raise ClusterError("cv2 cannot be imported on worker-1", where="cluster", hint="install it")

        started = []
        monkeypatch.setattr(executors, what, refuse)
        for outcome in job(lambda: started.append(1), lambda: started.append(2), requires=REQUIRES):
            assert outcome.status["state"] == "failed"
            assert outcome.status["error"] == "cv2 cannot be imported on worker-1"
            assert (outcome.status["where"], outcome.status["hint"]) == ("cluster", "install it")
            assert outcome.status["facts"] == {"cores": 2}
        assert started == []

    def test_executors_that_are_threads_of_the_driver_are_not_waited_for(self, job, cluster, monkeypatch):
        monkeypatch.setattr(executors, "in_driver", lambda _: True)
        job(fine, requires=REQUIRES)
        assert cluster == [REQUIRES]

    def test_nothing_is_asked_where_nothing_is_required(self, job, cluster):
        job(fine)
        assert cluster == ["wait"]


def test_a_driver_that_cannot_read_its_job_says_what_it_lacks(monkeypatch):
    def read(uri):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(storage, "read_bytes", read)
    monkeypatch.setattr("sys.argv", ["script.py", "--job", "gs://bucket/job.json"])
    with pytest.raises(SystemExit) as caught:
        runner.main(lambda *_: [])
    explained = results.explain(["Traceback (most recent call last):", str(caught.value), "26/11/23 INFO: stopped"])
    assert "Please install gcsfs" in explained
    assert "lacks a module" in explained
    assert "gs://bucket/job.json" in explained


def test_a_job_file_is_wanted(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["script.py"])
    with pytest.raises(SystemExit):
        runner.main(lambda *_: [])
    assert "--job" in capsys.readouterr().err


@pytest.mark.spark
def test_the_environment_is_told(spark):
    facts = session.environment(spark)
    assert (facts["executors"], facts["cores"], facts["spark_master"]) == (1, 2, "local[2]")
    assert facts["spark"] == spark.version
    assert int(str(facts["java"]).partition(".")[0]) >= 17
    json.dumps(facts)
