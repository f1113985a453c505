"""The table of runs, as a spreadsheet reads it."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet

from flowerexp.config import Config
from flowerexp.experiment import Experiment, Value
from flowerexp.journal.journal import Journal
from flowerexp.journal.state import State
from flowerexp.plan import PlannedRun
from flowerexp.sweep import tables
from flowerexp.tracking.sweep import measured
from tests.analysis.sweeps import write_sweep


def config_of(base: Config, name: str, **changes: Any) -> Config:
    """A config with another experiment."""
    experiment = Experiment(name=name, question="How?", script="x.py", unit="pings")
    return replace(base, entrypoint=replace(experiment, **changes), grid={})


def written(folder: Path, runs: list[PlannedRun], state: State | None = None) -> list[dict[str, Any]]:
    Journal(folder).write_plan({"sweep_id": "s", "max_clusters": 1, "max_failures": None}, runs, [[] for _ in runs])
    return tables.write(folder, state or State())


def write_summary(folder: Path, unit: str, value: str, groups: list[dict[str, Any]]) -> None:
    (folder / "analysis").mkdir(parents=True)
    content = {
        "verdict": {"state": "valid"},
        "experiment": {"name": "ping", "unit": unit, "value": value},
        "groups": groups,
    }
    (folder / "analysis" / "summary.json").write_text(json.dumps(content))


def test_a_column_for_what_each_series_has_measured_in_its_unit_and_for_what_the_experiment_is_about(
    config, tmp_path: Path
) -> None:
    """Of two experiments in one sweep, too: each run has its own columns."""
    told = {"measurements": 3, "low": 100.0, "high": 2000.0}
    write_summary(
        tmp_path / "0",
        "words",
        "words_per_second",
        [{"name": "cached", "value": 1234.5, "rate": 1234.5, **told, "columns": {"x": {"median": 1}}}],
    )
    write_summary(
        tmp_path / "1",
        "rows",
        "f1",
        [{"name": "loss", "value": 0.25, "rate": 0.51234, **told, "columns": {"f1": {"median": 0.25}}}],
    )
    runs = [
        PlannedRun("key", config_of(config(), "words"), tmp_path / "0", "", {"label": "a=1", "name": "a"}),
        PlannedRun(
            "key",
            config_of(config(), "rows", value=Value(name="f1")),
            tmp_path / "1",
            "",
            {"label": "a=2", "name": "b"},
        ),
    ]
    lines = written(tmp_path, runs)
    assert measured(dict.fromkeys(key for line in lines for key in line)) == [
        "cached words/s",
        "loss f1",
        "loss rows/s",
    ]
    head, first, second, *_ = (line.split() for line in tables.shown(lines, tmp_path).splitlines())
    assert head == ["run", "state", "cached", "words/s", "loss", "f1", "loss", "rows/s", "verdict", "values"]
    assert first == ["0", "not", "started", "1,234", "-", "-", "-", "a=1"]
    assert second == ["1", "not", "started", "-", "0.25", "0.512", "-", "a=2"]


def test_what_users_write_is_no_formula_and_numbers_stay_numbers(config, tmp_path: Path) -> None:
    labels = ["=1+1", "+a=2", "@SUM(A1)", "a=-1"]
    runs = [
        PlannedRun("key", config_of(config(), "ping"), tmp_path / f"-{number}", "", {"label": label, "name": label})
        for number, label in enumerate(labels)
    ]
    state = State()
    state.runs["-0"], state.errors["-0"] = "failed", "-x is no flag"
    (tmp_path / "-1" / "analysis").mkdir(parents=True)
    (tmp_path / "-1" / "analysis" / "summary.json").write_text(
        '{"verdict": {"state": "valid"}, "experiment": {"name": "ping", "unit": "pings"}, "groups": '
        '[{"name": "=ping", "rate": -2.5, "measurements": 3, "low": -3}]}'
    )
    written(tmp_path, runs, state)
    with (tmp_path / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["values"] for line in lines] == ["'=1+1", "'+a=2", "'@SUM(A1)", "a=-1"]
    assert [line["run"] for line in lines] == ["-0", "-1", "-2", "-3"]
    assert lines[0]["error"] == "'-x is no flag"
    assert (lines[1]["'=ping pings/s"], lines[1]["'=ping low"]) == ("-2.5", "-3")


def test_what_a_sweep_varies_is_a_typed_column_of_each_table(tmp_path: Path) -> None:
    """A whole number, a truth value and a text; in CSV, in Parquet, and beside each measurement."""
    folder = write_sweep(tmp_path, {"preprocess.shards": [2, 16], "caching": [True, False], "cluster": ["a", "b"]})
    lines = tables.write(folder, Journal(folder).read())
    swept = ["preprocess.shards", "caching", "cluster"]
    assert [lines[5][name] for name in swept] == [16, True, "b"]
    for name in (tables.RUNS_TYPED, tables.MEASUREMENTS):
        schema = pyarrow.parquet.read_schema(folder / name)
        assert [str(schema.field(key).type) for key in swept] == ["int64", "bool", "string"]
    rows = pyarrow.parquet.read_table(folder / tables.MEASUREMENTS).to_pylist()
    assert {(row["run"], *(row[key] for key in swept)) for row in rows} == {
        (line["run"], *(line[key] for key in swept)) for line in lines
    }
    assert all(row["images_per_second"] == row["images"] / row["seconds"] for row in rows)
    with (folder / "runs.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["preprocess.shards"] == "2"
    assert (lines[0]["seconds"], lines[0]["preparing_seconds"]) == (5.0, 1.0), "preparing stands apart"
