"""The outcome of a run, also where there is none."""

import hashlib
import json
from pathlib import Path

import pytest

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.job.results import JobEnd, Outcome, explain, fetch, is_there, read_outcome

STATUS = {
    "run_key": "k",
    "token": "t",
    "state": "finished",
    "error": None,
    "where": None,
    "hint": None,
    "started_at": 1.5,
    "ended_at": 2.5,
    "facts": {"images": 7},
    "notes": ["note"],
}


@pytest.fixture
def results(tmp_path):
    """Write what an entrypoint leaves behind; returns its folder."""

    def write(status=None, phases=None):
        for name, content in (("status", status), ("phases", phases)):
            if content is not None:
                (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return write


def test_a_run_that_finished(results):
    outcome = read_outcome(results(STATUS, {"measure": 3.5}), JobEnd("t", 0, []))
    assert outcome == Outcome("finished", None, None, None, {"images": 7}, {"measure": 3.5}, ["note"], 1.5, 2.5)


def test_a_run_that_failed_says_why_where_and_what_to_do(results):
    failed = {**STATUS, "state": "failed", "error": "no image", "where": "dataset.path", "hint": "check"}
    outcome = read_outcome(results(failed, {}), JobEnd("t", 0, ["Error: another"]))
    assert (outcome.state, outcome.error, outcome.where, outcome.hint) == (
        "failed",
        "no image",
        "dataset.path",
        "check",
    )


@pytest.mark.parametrize("phases", [None, {"list": 1.0}])
def test_a_job_that_ended_without_results_says_its_exit_code_and_the_likely_cause(results, phases):
    end = JobEnd("t", 137, ["WARN all is well", "java.lang.OutOfMemoryError: heap", "bye"])
    outcome = read_outcome(results(None, phases), end)
    assert outcome.state == "failed"
    assert outcome.error == ("the Spark job ended without results (exit code 137): java.lang.OutOfMemoryError: heap")


def test_results_of_a_folder_that_is_not_there(tmp_path):
    assert read_outcome(tmp_path / "nowhere", JobEnd("t", 1, [])).state == "failed"


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ([], "it printed nothing"),
        (["one", "  two "], "two"),
        (["ImportError: No module named 'x'", "log4j says good bye"], "ImportError: No module named 'x'"),
        (["first Error", "second Error", "end"], "second Error"),
        (["OSError: No space left on device", "\tat java.io.Exception.throw"], "OSError: No space left on device"),
        (["Exception: " + "x" * 1000], "Exception: " + "x" * 289),
    ],
)  # fmt: skip
def test_the_last_line_that_names_an_error_explains_an_end(tail, line):
    assert explain(tail) == line


def test_what_an_entrypoint_has_attached_comes_home_and_nothing_goes_elsewhere(tmp_path):
    output = f"memory://{tmp_path.name}-results"
    files = {"measurements.jsonl": b"{}", "phases.json": b"{}", "attached/a.jpg": b"picture"}
    files["status.json"] = json.dumps({**STATUS, "attached": ["a.jpg", "../escaped"]}).encode()
    for name, content in files.items():
        storage.write_bytes(storage.join(output, name), content)
    fetch(output, tmp_path / "results", "t")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {f"results/{name}" for name in files}
    assert (tmp_path / "results/attached/a.jpg").read_bytes() == b"picture"


def test_results_of_another_attempt_are_none(results, tmp_path):
    folder = results(STATUS, {})
    for token in ("other", None, ""):
        assert not is_there(str(folder), token)
        outcome = read_outcome(folder, JobEnd(token, 1, ["Error: no Java"]))
        assert (outcome.state, outcome.retry) == ("failed", True)
        assert outcome.error == "the Spark job ended without results (exit code 1): Error: no Java"
    (folder / "status.json").write_text(json.dumps({key: value for key, value in STATUS.items() if key != "token"}))
    assert not is_there(str(folder), None)
    with pytest.raises(DataError, match="not of this run's attempt"):
        fetch(str(folder), tmp_path / "own", "other")


def test_results_of_another_attempt_are_not_fetched_from_a_bucket(bucket, tmp_path):
    output = f"{bucket}/runs/0"
    for name in ("measurements.jsonl", "phases.json"):
        storage.write_bytes(storage.join(output, name), b"{}")
    storage.write_bytes(storage.join(output, "status.json"), json.dumps(STATUS).encode())
    assert is_there(output, "t")
    with pytest.raises(DataError, match="not of this run's attempt"):
        fetch(output, tmp_path / "results", "other")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("retry", [True, False, None])
def test_a_failed_run_says_whether_something_else_is_to_blame(results, retry):
    said = {} if retry is None else {"retry": retry}
    outcome = read_outcome(results({**STATUS, "state": "failed", "error": "killed", **said}, {}), JobEnd("t", 0, []))
    assert outcome.retry is bool(retry)


@pytest.mark.parametrize("name", ["measurements.jsonl", "phases.json", "attached/a.jpg"])
@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_files_that_are_not_as_the_job_wrote_them_are_no_results(results, tmp_path, name, how):
    files = {"measurements.jsonl": b"{}\n", "phases.json": b"{}", "attached/a.jpg": b"picture"}
    for each, content in files.items():
        storage.write_bytes(str(tmp_path / each), content)
    hashes = {each: hashlib.sha256(content).hexdigest() for each, content in files.items()}
    folder = results({**STATUS, "files": hashes})
    assert read_outcome(folder, JobEnd("t", 0, [])).error is None
    (folder / name).unlink() if how == "removed" else (folder / name).write_bytes(b"")
    outcome = read_outcome(folder, JobEnd("t", 0, []))
    assert (outcome.state, outcome.retry) == ("failed", True)
    assert str(folder / name) in str(outcome.error)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"token": "t", "state": 7}'])
def test_a_damaged_status_is_one_line(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    outcome = read_outcome(tmp_path, JobEnd("t", 0, []))
    assert (outcome.state, outcome.retry) == ("failed", True)
    assert str(outcome.error).startswith(f"{tmp_path / 'status.json'} is damaged: ")


def test_the_status_of_a_run_is_fetched_last_so_that_what_is_there_is_whole(bucket, tmp_path, monkeypatch):
    output, written = f"{bucket}/run", []
    status = {**STATUS, "attached": ["sheet.jpg"]}
    for name in ("measurements.jsonl", "phases.json", "attached/sheet.jpg"):
        storage.write_bytes(f"{output}/{name}", b"{}")
    storage.write_bytes(f"{output}/status.json", json.dumps(status).encode())
    write = storage.write_bytes

    def noted(path, content):
        written.append(Path(path).relative_to(tmp_path).as_posix())
        write(path, content)

    monkeypatch.setattr(storage, "write_bytes", noted)
    fetch(output, tmp_path, "t")
    assert written == ["measurements.jsonl", "phases.json", "attached/sheet.jpg", "status.json"]
    assert read_outcome(tmp_path, JobEnd("t")).error is None


def test_trouble_in_fetching_explains_missing_results_before_what_the_job_printed(tmp_path):
    end = JobEnd("t", 0, ["Error: something else"], ["the results in gs://b/r cannot be fetched: no permission"])
    assert str(read_outcome(tmp_path, end).error).endswith(": the results in gs://b/r cannot be fetched: no permission")


def test_a_script_that_never_calls_main_is_told_so(tmp_path):
    outcome = read_outcome(tmp_path, JobEnd("t", 0, ["bye"]))
    assert (outcome.state, outcome.where, outcome.retry) == ("failed", "entrypoint.script", False)
    assert outcome.error == "the script ended without a call of flowerexp.workload.main, which measures"
    assert outcome.hint == 'end it with: if __name__ == "__main__": main(measure, prepare)'
    assert "exit code 1" in str(read_outcome(tmp_path, JobEnd("t", 1, ["bye"])).error)
    assert "no answer" in str(read_outcome(tmp_path, JobEnd("t", 0, [], ["no answer"])).error)
