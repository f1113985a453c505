"""The table of runs, as a spreadsheet reads it."""

import csv
from pathlib import Path

from flowerexp.journal import State
from flowerexp.plan import PlannedRun
from flowerexp.sweep import tables


def test_what_users_write_is_no_formula_and_numbers_stay_numbers(config, tmp_path: Path) -> None:
    labels = ["=1+1", "+a=2", "@SUM(A1)", "a=-1"]
    runs = [
        PlannedRun("key", config(), tmp_path / f"-{number}", "", {"label": label})
        for number, label in enumerate(labels)
    ]
    state = State()
    state.runs["-0"], state.errors["-0"] = "failed", "-x is no flag"
    (tmp_path / "-1" / "analysis").mkdir(parents=True)
    (tmp_path / "-1" / "analysis" / "summary.json").write_text(
        '{"verdict": {"state": "valid"}, "groups": '
        '[{"name": "=ping", "images_per_second": -2.5, "measurements": 3, "low": -3}]}'
    )
    tables.write(tmp_path, runs, state)
    with (tmp_path / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["values"] for line in lines] == ["'=1+1", "'+a=2", "'@SUM(A1)", "a=-1"]
    assert [line["run"] for line in lines] == ["-0", "-1", "-2", "-3"]
    assert lines[0]["error"] == "'-x is no flag"
    assert (lines[1]["'=ping images/s"], lines[1]["'=ping low"]) == ("-2.5", "-3")
