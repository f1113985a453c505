"""The table of runs, as a spreadsheet reads it."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowerexp.config import Config
from flowerexp.experiment import Experiment, Value
from flowerexp.journal.state import State
from flowerexp.plan import PlannedRun
from flowerexp.sweep import tables
from flowerexp.tracking.sweep import measured


def config_of(name: str, **changes: Any) -> Config:
    """A config of which only the experiment is known."""
    experiment = Experiment(name=name, question="How?", script="x.py", unit="pings")
    return Config(entrypoint=replace(experiment, **changes))


def write_summary(folder: Path, unit: str, groups: list[dict[str, Any]]) -> None:
    (folder / "analysis").mkdir(parents=True)
    content = {"verdict": {"state": "valid"}, "experiment": {"name": "ping", "unit": unit}, "groups": groups}
    (folder / "analysis" / "summary.json").write_text(json.dumps(content))


def test_a_column_for_what_each_series_has_measured_in_its_unit_and_for_what_the_experiment_is_about(
    tmp_path: Path,
) -> None:
    """Of two experiments in one sweep, too: each run has its own columns."""
    told = {"measurements": 3, "low": 100.0, "high": 2000.0}
    write_summary(
        tmp_path / "0", "words", [{"name": "cached", "rate": 1234.5, **told, "columns": {"x": {"median": 1}}}]
    )
    write_summary(
        tmp_path / "1", "rows", [{"name": "loss", "rate": 0.51234, **told, "columns": {"f1": {"median": 0.25}}}]
    )
    runs = [
        PlannedRun("key", config_of("words"), tmp_path / "0", "", {"label": "a=1"}),
        PlannedRun("key", config_of("rows", value=Value(name="f1")), tmp_path / "1", "", {"label": "a=2"}),
    ]
    lines = tables.write(tmp_path, runs, State())
    assert measured(dict.fromkeys(key for line in lines for key in line)) == [
        "cached words/s",
        "loss rows/s",
        "loss f1",
    ]
    head, first, second = (line.split() for line in tables.shown(lines).splitlines())
    assert head == ["run", "state", "cached", "words/s", "loss", "rows/s", "loss", "f1", "verdict", "values"]
    assert first == ["0", "not", "started", "1,234", "-", "-", "valid", "a=1"]
    assert second == ["1", "not", "started", "-", "0.512", "0.25", "valid", "a=2"]


def test_what_users_write_is_no_formula_and_numbers_stay_numbers(config, tmp_path: Path) -> None:
    labels = ["=1+1", "+a=2", "@SUM(A1)", "a=-1"]
    runs = [
        PlannedRun("key", config_of("ping"), tmp_path / f"-{number}", "", {"label": label})
        for number, label in enumerate(labels)
    ]
    state = State()
    state.runs["-0"], state.errors["-0"] = "failed", "-x is no flag"
    (tmp_path / "-1" / "analysis").mkdir(parents=True)
    (tmp_path / "-1" / "analysis" / "summary.json").write_text(
        '{"verdict": {"state": "valid"}, "experiment": {"name": "ping", "unit": "pings"}, "groups": '
        '[{"name": "=ping", "rate": -2.5, "measurements": 3, "low": -3}]}'
    )
    tables.write(tmp_path, runs, state)
    with (tmp_path / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["values"] for line in lines] == ["'=1+1", "'+a=2", "'@SUM(A1)", "a=-1"]
    assert [line["run"] for line in lines] == ["-0", "-1", "-2", "-3"]
    assert lines[0]["error"] == "'-x is no flag"
    assert (lines[1]["'=ping pings/s"], lines[1]["'=ping low"]) == ("-2.5", "-3")
