"""A run is collected: its results are read, analysed and written down, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowerexp import index, records, tracking
from flowerexp.analysis.report.gather import load
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import AbortedError, DataError, JobError, MachineError, QuotaError
from flowerexp.job.results import JobEnd
from flowerexp.orchestrate import collect, collect_run
from flowerexp.plan import PlannedRun
from tests.analysis.rows import grid

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]

STATUS = {"token": "t", "state": "finished", "error": None, "where": None, "hint": None, "facts": {"cores": 2},
          "notes": ["a note"], "started_at": 100.0, "ended_at": 103.5}  # fmt: skip


@pytest.fixture
def run(config, tmp_path):
    made = PlannedRun("key", config(), tmp_path / "run", "code", {"name": "a run", "sweep_id": "s"})
    made.folder.mkdir()
    return made


def leave(run: PlannedRun, rows: list[dict[str, Any]] | None = None, **status: Any) -> None:
    """What a job leaves of a run."""
    results = run.folder / "results"
    results.mkdir(exist_ok=True)
    (results / "phases.json").write_text(json.dumps({"measure": 3.0}))
    (results / "measurements.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows or grid()))
    (results / "status.json").write_text(json.dumps({**STATUS, **status}))


def recorded(run: PlannedRun) -> dict[str, Any]:
    return records.of_run(run.folder)


def test_a_run_that_finished_is_analysed_and_recorded_with_all_its_files(run):
    leave(run)
    result = collect_run(run, 50.0, JobEnd("t"))
    assert (result.run, result.error, result.retry, result.run_id) == (run, None, False, None)
    assert result.analysis is not None
    record = recorded(run)
    assert (record["state"], record["started_at"], record["ended_at"]) == ("finished", 100.0, 103.5)
    assert (record["name"], record["sweep_id"], record["run_key"]) == ("a run", "s", "key")
    assert record["facts"]["cores"] == 2
    assert "a note" in record["notes"]
    assert record["verdict"]["state"] == result.analysis.verdict.state
    assert record["phases"] == {"measure": 3.0}
    assert record["entrypoint"] == "read_speed"
    assert record["tracking"] == record["config"]["tracking"]
    assert record["facts"]["measurements"] == len(grid())
    assert "attempts" not in record["facts"]
    listed = {"results/status.json", "results/measurements.jsonl", "analysis/summary.json"}
    assert listed <= set(record["files"])
    for name in listed:
        assert records.digest(run.folder / name) == record["files"][name]


def test_what_the_time_of_a_run_costs_is_a_fact_where_its_cluster_has_a_price(config, tmp_path, run):
    leave(run)
    collect_run(run, 50.0, JobEnd("t"))
    assert "cost/usd" not in recorded(run)["facts"], "this machine costs nothing"
    made = config("gcp.project=mine", "quota=none", "cluster=single_node")
    paid = PlannedRun("key", made, tmp_path / "paid", "code")
    paid.folder.mkdir()
    leave(paid)
    collect_run(paid, 50.0, JobEnd("t"))
    facts = recorded(paid)["facts"]
    assert facts["cost/cluster_seconds"] == 3.5
    rate = kind_of(made.cluster).rate(Prices.load())
    assert rate is not None
    assert facts["cost/usd"] == pytest.approx(rate.total * 3.5 / 3600)


def test_measurements_of_which_none_counts_make_a_failed_run(run):
    leave(run, [{**row, "images": 0} for row in grid()])
    result = collect_run(run, 50.0, JobEnd("t"))
    assert isinstance(result.error, DataError)
    assert recorded(run)["state"] == "failed"
    assert recorded(run)["verdict"]["state"] == "invalid"


def test_the_error_of_the_run_comes_before_what_is_wrong_with_its_rows(run):
    leave(run, [{**row, "images": 0} for row in grid()], state="failed", error="it ran out of data", where="dataset")
    result = collect_run(run, 50.0, JobEnd("t"))
    assert isinstance(result.error, JobError)
    assert str(result.error) == "dataset: it ran out of data"


def test_damaged_rows_fail_the_run_and_stay_in_its_folder(run):
    leave(run)
    path = run.folder / "results" / "measurements.jsonl"
    path.write_text("{\n")
    result = collect_run(run, 50.0, JobEnd("t"))
    assert isinstance(result.error, DataError)
    assert not result.retry
    assert path.read_text() == "{\n"


def test_a_machine_that_cannot_analyse_lets_the_run_be_made_again(run, monkeypatch):
    def full(*_: Any) -> None:
        raise MachineError("no room")

    monkeypatch.setattr("flowerexp.analysis.analyse", full)
    leave(run)
    result = collect_run(run, 50.0, JobEnd("t"))
    assert (str(result.error), result.retry) == ("no room", True)
    assert recorded(run)["error"] == "no room"


def test_a_record_that_cannot_be_written_lets_the_run_be_made_again(run, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "run.json")

    monkeypatch.setattr(collect, "record", full)
    leave(run)
    result = collect_run(run, 50.0, JobEnd("t"))
    assert isinstance(result.error, MachineError)
    assert "No space left on device" in str(result.error)
    assert result.retry


def test_a_run_that_was_stopped_says_that_and_not_that_its_results_are_missing(run):
    stopped = AbortedError("it was stopped after 9 s, since it can no longer win")
    result = collect_run(run, 50.0, JobEnd("t", 143, ["Error: terminated"]), stopped)
    assert result.error is stopped
    assert not result.retry
    assert (result.outcome.state, result.outcome.error, result.outcome.retry) == ("failed", str(stopped), False)
    record = recorded(run)
    assert (record["state"], record["error"]) == ("failed", str(stopped))
    assert record["started_at"] == 50.0, "it has no start of its own"


def test_a_run_without_results_points_to_the_log_of_its_job(run):
    (run.folder / "job").mkdir()
    (run.folder / "job" / "driver.log").write_text("no Java\n")
    result = collect_run(run, 50.0, JobEnd("t", 1, ["Error: no Java"]))
    assert str(result.error).endswith(f"Error: no Java; see {run.folder / 'job' / 'driver.log'}")
    assert result.retry


def test_what_to_do_comes_from_the_run_where_it_knows(run):
    (run.folder / "job").mkdir()
    (run.folder / "job" / "driver.log").write_text("no room\n")
    for known in ({"hint": "take another"}, {"where": "dataset"}):
        leave(run, None, state="failed", error="no", **known)
        error = collect_run(run, 50.0, JobEnd("t")).error
        assert error is not None
        assert (error.where, error.hint) == (known.get("where"), known.get("hint"))


def test_a_refusal_is_passed_on_with_where_and_what_to_do(run):
    refusal = QuotaError("too large", where="quota", hint="take fewer")
    outcome = collect_run(run, 50.0, JobEnd(), refusal).outcome
    assert (outcome.error, outcome.where, outcome.hint) == ("too large", "quota", "take fewer")


def test_only_files_that_are_a_run_s_own_are_recorded(run):
    leave(run)
    results = run.folder / "results"
    (results / "attached").mkdir()
    for name in ("attached/plot.png", ".hidden", "z.txt"):
        (results / name).write_text(name)
    collect_run(run, 50.0, JobEnd("t"))
    listed = [name for name in recorded(run)["files"] if name.startswith("results/")]
    assert listed == [f"results/{name}" for name in (
        "attached/plot.png", "measurements.jsonl", "phases.json", "status.json", "z.txt")]  # fmt: skip


def test_what_a_run_that_did_not_end_has_measured_is_said(run):
    leave(run)
    (run.folder / "results" / "status.json").unlink()
    begun = {"token": "t", "started_at": 90.0, "facts": {"cores": 2}, "phases": {}, "notes": []}
    (run.folder / "results" / "attempt.json").write_text(json.dumps(begun))
    result = collect_run(run, 50.0, JobEnd("t", 137, ["Killed"]))
    record = recorded(run)
    assert record["notes"] == [
        f"unfinished: {len(grid())} of {run.measurements} measurements were made before it ended"
    ]
    assert record["started_at"] == 90.0
    assert record["ended_at"] >= 90.0
    assert "cost/cluster_seconds" not in record["facts"], "it is not known when it ended"
    assert result.retry


def test_a_run_without_measurements_has_no_analysis(run):
    leave(run)
    (run.folder / "results" / "measurements.jsonl").unlink()
    result = collect_run(run, 50.0, JobEnd("t"))
    assert result.analysis is None
    assert recorded(run)["verdict"] is None
    assert "measurements" not in recorded(run)["facts"]


def test_what_a_cluster_can_reach_is_a_fact_unless_its_prices_cannot_be_read_any_more(config, tmp_path):
    made = config("gcp.project=mine", "quota=none", "cluster=single_node")
    run = PlannedRun("key", made, tmp_path / "paid", "code")
    run.folder.mkdir()
    leave(run)
    collect_run(run, 50.0, JobEnd("t"))
    assert recorded(run)["facts"]["limit/vcpus"] == 8
    lost = replace(made, budget=replace(made.budget, prices=str(tmp_path / "removed.yaml")))
    assert collect_run(replace(run, config=lost), 50.0, JobEnd("t")).error is None
    facts = recorded(run)["facts"]
    assert not any(name.startswith(("limit/", "cost/")) for name in facts)


def test_attempts_and_what_they_measured_are_said(run):
    rows = [{**row, "attempt": 1 if place < 5 else 2} for place, row in enumerate(grid())]
    del rows[0]["attempt"]  # of a version that knew no attempts
    leave(run, rows)
    collect_run(run, 50.0, JobEnd("t"))
    record = recorded(run)
    assert (record["facts"]["attempts"], record["facts"]["measurements_before"]) == (2, 5)
    assert f"its measurements are those of 2 attempts: 5, {len(rows) - 5}" in record["notes"]


def test_rows_of_earlier_attempts_go_once_the_run_has_ended_for_good(run):
    earlier = run.folder / "earlier"
    for retry, kept in ((True, True), (False, False)):
        earlier.mkdir(exist_ok=True)
        (earlier / "00001.jsonl").write_text("{}\n")
        leave(run, state="failed", error="no", retry=retry)
        collect_run(run, 50.0, JobEnd("t"))
        assert earlier.exists() == kept


def test_the_record_of_a_run_that_is_about_to_start_is_one_that_runs(run):
    collect.record(run, 7.0, {})
    record = recorded(run)
    assert (record["state"], record["started_at"], record["ended_at"]) == ("running", 7.0, None)
    assert record["facts"]["code_hash"] == "code"
    assert (record["sweep_id"], record["error"], record["verdict"]) == ("s", None, None)
    collect.record(replace(run, extra={}), 7.0, {})
    assert recorded(run)["sweep_id"] is None, "a single run belongs to no sweep"
    assert Path(record["config"]["home"]).is_absolute()


class TestLog:
    @pytest.fixture
    def given(self, monkeypatch):
        """What MLflow was given: the folder and the store of each run."""
        given: list[tuple[Path, Any]] = []

        def log_run(folder, store):
            given.append((folder, store))
            return "run-id"

        monkeypatch.setattr(tracking, "log_run", log_run)
        return given

    def test_a_finished_run_is_in_mlflow_and_in_the_index(self, run, given):
        leave(run, facts={"cores": 2, "data_fingerprint": "f"})
        collect_run(run, 50.0, JobEnd("t"))
        assert collect.log(run) == "run-id"
        assert given == [(run.folder, tracking.Store.of(run.config.tracking))]
        (found,) = [index.load(run.config).find("key", "f")]
        assert found == index.Finished(
            run_key="key",
            data_fingerprint="f",
            run_id="run-id",
            folder=str(run.folder),
            seconds=3.5,
            measurements=len(grid()),
            cluster=index.cluster_hash(run.config.cluster),
            entrypoint="read_speed",
            at=103.5,
        )

    def test_only_the_measurements_of_its_own_time_count_for_later_estimates(self, run, given):
        leave(run, [{**row, "attempt": 1 if place < 5 else 2} for place, row in enumerate(grid())], facts={})
        collect_run(run, 50.0, JobEnd("t"))
        collect.log(run)
        found = index.load(run.config).find("key", None)
        assert found is not None
        assert found.measurements == len(grid()) - 5

    def test_a_failed_run_is_in_mlflow_alone(self, run, given):
        leave(run, state="failed", error="no")
        collect_run(run, 50.0, JobEnd("t"))
        assert collect.log(run) == "run-id"
        assert not index.load(run.config).knows("key")

    def test_an_index_that_cannot_be_written_is_one_line(self, run, given):
        leave(run)
        collect_run(run, 50.0, JobEnd("t"))
        Path(run.config.home, "mlruns").write_text("a file in its place")
        with pytest.raises(MachineError, match=r"^writing the index of finished runs .* failed: "):
            collect.log(run)


def test_each_result_is_hashed_once(run, monkeypatch):
    leave(run)
    results = run.folder / "results"
    files = {name: records.digest(results / name) for name in ("measurements.jsonl", "phases.json")}
    leave(run, files=files)
    hashed: list[str] = []
    digest = records.digest

    def counted(path):
        hashed.append(path.name)
        return digest(path)

    monkeypatch.setattr(records, "digest", counted)
    collect_run(run, 50.0, JobEnd("t"))
    assert sorted(set(hashed)) == sorted(hashed)
    assert files.items() <= {Path(name).name: each for name, each in recorded(run)["files"].items()}.items()
    hashed.clear()
    load(run.folder)  # as the report does
    assert "measurements.jsonl" in hashed
    assert sorted(set(hashed)) == sorted(hashed)
