"""What comes home: a run's outcome, also where there is none."""

import json

import pytest

from flowerexp import storage
from flowerexp.job.results import Outcome, explain, fetch, read_outcome

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
    outcome = read_outcome(results(STATUS, {"measure": 3.5}), "t", 0, [])
    assert outcome == Outcome("finished", None, None, None, {"images": 7}, {"measure": 3.5}, ["note"], 1.5, 2.5)


def test_a_run_that_failed_says_why_where_and_what_to_do(results):
    failed = {**STATUS, "state": "failed", "error": "no image", "where": "dataset.path", "hint": "check"}
    outcome = read_outcome(results(failed, {}), "t", 0, ["Error: another"])
    assert (outcome.state, outcome.error, outcome.where, outcome.hint) == (
        "failed",
        "no image",
        "dataset.path",
        "check",
    )


@pytest.mark.parametrize("phases", [None, {"list": 1.0}])
def test_a_job_that_ended_without_results_says_its_exit_code_and_the_likely_cause(results, phases):
    outcome = read_outcome(
        results(None, phases), "t", 137, ["WARN all is well", "java.lang.OutOfMemoryError: heap", "bye"]
    )
    assert outcome.state == "failed"
    assert outcome.error == ("the Spark job ended without results (exit code 137): java.lang.OutOfMemoryError: heap")


def test_results_of_a_folder_that_is_not_there(tmp_path):
    assert read_outcome(tmp_path / "nowhere", "t", 1, []).state == "failed"


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
