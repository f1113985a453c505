"""The end of a sweep, without its runs: tables, the report, and what MLflow is told."""

import json
from pathlib import Path

import pytest

from flowerexp.commands import report
from flowerexp.console import Screen
from flowerexp.errors import ConfigError
from flowerexp.journal.journal import Journal
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.run import Sweep, planned_runs
from flowerexp.tracking import Store, log_sweep
from flowerexp.tracking.client import connect
from tests.analysis.rows import READ_SPEED
from tests.analysis.sweeps import config, write_run, write_sweep

pytest_plugins = ["tests.tracking"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]


@pytest.fixture
def folder(tmp_path, local_store):
    """A sweep whose runs have all come home, and are to be logged to the test's store."""
    folder = write_sweep(tmp_path / "14-05-18-dfea", {"caching": [True, False], "repeat": [1, 2]})
    plan = json.loads((folder / "plan.json").read_text())
    plan["sweep_id"] = str(tmp_path)
    for run in plan["runs"]:
        run["config"] |= {"skip_finished": False, "tracking": vars(local_store)}
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def close(folder):
    journal = Journal(folder)
    runs = planned_runs(journal.read_plan(), folder, lambda script: "c0de")
    Sweep(journal, runs, Screen()).run(lambda result: None, Pending([]))


def summaries(folder, store: Store):
    client = connect(store)
    experiment = client.get_experiment_by_name(store.experiment)
    found = client.search_runs([experiment.experiment_id], f"tags.sweep_id = '{folder.parent}'")
    return client, found


def test_a_sweep_ends_with_its_report_and_mlflow_has_it(folder, local_store, capsys):
    close(folder)
    shown = capsys.readouterr().err
    assert f"report    {folder / 'report.html'}" in shown
    assert shown.index("folder ") < shown.index("report ")
    client, (summary,) = summaries(folder, local_store)
    logged = {artifact.path for artifact in client.list_artifacts(summary.info.run_id)}
    assert {"report.html", "report.md", "cells.csv", "cells.parquet", "runs.csv", "measurements.parquet"} <= logged
    assert "plan.json" not in logged


def test_the_summary_lasts_as_long_as_the_sweep_and_has_the_value_of_each_setting(folder, local_store):
    ends = [f'{{"event": "finished", "at": {at}, "run": "{run}"}}\n' for run, at in enumerate((110, 120, 130, 145.5))]
    (folder / "journal.jsonl").write_text('{"event": "scope", "at": 100.25, "scope": "s"}\n' + "".join(ends))
    close(folder)
    _, (summary,) = summaries(folder, local_store)
    assert (summary.info.start_time, summary.info.end_time) == (100_250, 145_500)
    found = {name: value for name, value in summary.data.metrics.items() if "caching:" in name}
    assert found.keys() == {
        f"setting/{reader} caching:{value}" for reader in ("tfrecords", "image_files") for value in ("true", "false")
    }
    runs = [
        Measurements(read_parquet(folder / str(run) / "analysis/measurements.parquet"), READ_SPEED) for run in (0, 1)
    ]
    over, under = (sum(run.firsts.by_series["tfrecords"].value[part].sum() for run in runs) for part in (0, 1))
    assert found["setting/tfrecords caching:true"] == pytest.approx(over / under)


def test_a_summary_that_is_logged_again_stays_one_and_ends_later(folder, local_store):
    close(folder)
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"event": "finished", "at": 3000000000, "run": "0"}\n')
    log_sweep(folder, local_store)
    _, (summary,) = summaries(folder, local_store)
    assert summary.info.end_time == 3_000_000_000_000


def test_a_report_that_cannot_be_made_costs_nothing_else(folder, local_store, capsys):
    (folder / "search.json").write_text("{")
    close(folder)
    shown = capsys.readouterr().err
    assert "search.json is damaged: Expecting property name" in shown
    assert f"; write it again from the journal: flowerexp resume {folder}" in shown
    client, (summary,) = summaries(folder, local_store)
    logged = {artifact.path for artifact in client.list_artifacts(summary.info.run_id)}
    assert "runs.csv" in logged
    assert "report.html" not in logged


@pytest.mark.parametrize("name", ["run.json", "analysis/summary.json", "analysis/measurements.parquet"])
def test_a_damaged_run_has_no_results_and_costs_no_other_any(folder, local_store, capsys, name):
    (folder / "1" / name).write_text("{")
    close(folder)
    shown = capsys.readouterr().err
    line = next(line for line in shown.splitlines() if line.startswith("1  "))
    assert line.split()[:4] == ["1", "damaged", "-", "-"]
    assert f"run 1 damaged: {folder / '1' / name} is damaged: " in shown
    assert f"1 of 4 runs have no results: flowerexp resume {folder}" in shown
    capsys.readouterr()
    assert report.main([str(folder)]) == 1
    assert f"flowerexp: run 1: {folder / '1' / name} is damaged: " in capsys.readouterr().err
    assert "1 with damaged files" in (folder / "report.md").read_text()


def test_an_unfinished_sweep_has_no_report_until_somebody_asks(folder, capsys):
    events = [("finished", "0"), ("started", "1"), ("lost", "1")]
    lines = [json.dumps({"event": event, "at": 1, "run": run}) for event, run in events]
    (folder / "journal.jsonl").write_text("\n".join([*lines, ""]))
    close(folder)
    assert not (folder / "report.html").exists()
    capsys.readouterr()
    assert report.main([str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(folder / "report.html")
    assert "1 failed or lost" in (folder / "report.md").read_text()


class TestCommand:
    def test_log_replaces_what_mlflow_has(self, folder, local_store, capsys):
        close(folder)
        capsys.readouterr()
        (folder / "report.html").write_text("old")
        assert report.main([str(folder), "--log"]) == 0
        client, (summary,) = summaries(folder, local_store)
        page, answer, logged = capsys.readouterr().out.splitlines()
        assert (page, logged) == (str(folder / "report.html"), f"MLflow run {summary.info.run_id}")
        assert summary.data.tags["flowerexp.answer"] == answer
        assert summary.data.tags["mlflow.note.content"].startswith(
            f"Does caching make a run faster?\n\n**{answer}**\n\n- "
        )
        path = client.download_artifacts(summary.info.run_id, "report.html")
        assert Path(path).read_bytes() == (folder / "report.html").read_bytes()

    def test_a_runs_report_lies_with_its_analysis(self, tmp_path, capsys):
        folder = write_run(tmp_path / "one", config({}))
        assert report.main([str(folder)]) == 0
        page, answer = capsys.readouterr().out.splitlines()
        assert page == str(folder / "analysis" / "report.html")
        assert answer.startswith("Choose TFRecords: ")
        with pytest.raises(ConfigError, match=r"^--log: .* is not a sweep that has ended; leave --log out"):
            report.main([str(folder), "--log"])

    def test_a_sweep_is_found_by_a_part_of_its_name(self, tmp_path, monkeypatch, capsys):
        home = tmp_path / "home"
        write_sweep(home / "outputs" / "2026-11-23" / "14-05-18-dfea", {"caching": [True, False]})
        monkeypatch.setenv("FLOWEREXP_HOME", str(home))
        assert report.main(["18-dfea"]) == 0
        with pytest.raises(ConfigError, match=r"has a run or a sweep 'nothing'; .*; the newest is 14-05-18-dfea"):
            report.main(["nothing"])
