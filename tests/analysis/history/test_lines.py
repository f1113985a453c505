"""Lines of runs: what is joined and what is not, and how they are shown on the screen, on a page and in files."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from flowerexp.analysis.history import files, table
from flowerexp.analysis.history.lines import Line, Metric, Observed, Place, lines
from flowerexp.analysis.history.page import html

FIRST = datetime(2026, 3, 1, 12)
METRIC = Metric("tfrecords/steady_images_per_second", "images/s", "higher")


def run(day: float, value: float, verdict: str = "valid", **changes) -> Observed:
    started = (FIRST + timedelta(days=day)).timestamp()
    made: dict[str, Any] = {
        "run_id": f"run-{day}-{value}",
        "started_at": started,
        "sitting_at": started,
        "value": value,
    }
    made |= {"verdict": verdict, "commit": f"c{int(day):02d}" * 10, "dirty": False, "code": f"h{int(day)}"}
    return Observed(**made | changes)


def line_of(*runs: Observed, metric: Metric = METRIC, machine: str = "alpha", **choices: str) -> Line:
    place = Place("read_speed", machine, {"caching": "false", **choices})
    (made,) = lines([(place, metric, one) for one in runs])
    return made


def stepped(metric: Metric = METRIC, **changes) -> Line:
    """Ten days of about 100, then ten of about 80."""
    noise = np.random.default_rng(6).normal(0, 0.01, 20)
    return line_of(
        *(run(day, (100 if day < 10 else 80) * np.exp(noise[day]), **changes) for day in range(20)), metric=metric
    )


def test_runs_of_one_code_on_one_day_are_a_point_and_others_are_not():
    line = line_of(
        run(0.0, 100),
        run(0.1, 121),
        run(0.2, 90, commit="other"),
        run(0.3, 90, dirty=True),
        run(0.3, 90, code="other"),
        run(0.4, 10, verdict="suspect"),
        run(1.0, 90, commit="c00" * 10, code="h0"),
    )
    assert [len(point.runs) for point in line.points] == [2, 1, 1, 1, 1, 1]
    assert line.points[0].value == pytest.approx(110)
    assert [point.commit for point in line.points[1:3]] == ["other", "c00c00c0*"]
    assert len(line.used) == 5


def test_a_run_without_git_is_known_by_its_code():
    assert line_of(run(0, 1, commit="", code="abcdefgh")).points[0].commit == "code abcdef"


def test_machines_metrics_and_configurations_are_lines_of_their_own():
    place = Place("read_speed", "alpha", {"caching": "false"})
    others = [Place("read_speed", "beta", place.choices), Place("read_speed", "alpha", {"caching": "true"})]
    one = run(0, 1)
    found = lines([(place, METRIC, one), *((other, METRIC, one) for other in others), (place, Metric("a/b"), one)])
    assert len(found) == 4


def test_levels_do_not_depend_on_what_is_suspect():
    clean = stepped()
    runs = [one for point in clean.points for one in point.runs]
    dirty = line_of(*runs, *(run(day + 0.5, 5, verdict="suspect") for day in (3, 9, 15)))
    assert dirty.levels == clean.levels
    (change,) = dirty.changes
    assert (change.before.date, change.after.date) == ("2026-03-10", "2026-03-11")
    assert "·" in table.sparkline(dirty)


def test_a_change_says_where_how_much_how_sure_and_what_else_changed():
    (change,) = (line := stepped()).changes
    words = table.change(line, change)
    assert words.startswith("between c09c09c0 (2026-03-10) and c10c10c1 (2026-03-11): ")
    low, high = map(float, re.findall(r"x \(([\d.]+) to ([\d.]+)\)", words)[0])
    assert low < 0.8 < high
    assert words.endswith(", worse; nothing else that is recorded changed")
    seconds = stepped(metric=Metric("a/seconds", "s", "lower"))
    assert ", better;" in table.change(seconds, seconds.changes[0])
    unknown = stepped(metric=Metric("a/seconds", "s"))
    assert ", down;" in table.change(unknown, unknown.changes[0])
    still = stepped(commit="c" * 40, code="h")
    assert "the code is the same" in table.change(still, still.changes[0])


def test_a_point_has_the_interval_of_its_line_or_of_its_own_runs():
    line = stepped()
    interval = line.interval(line.points[0])
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 100 < interval.high
    pair = line_of(run(0, 100), run(0.1, 102), run(1, 101))
    own, alone = (pair.interval(point) for point in pair.points)
    assert own.low is not None
    assert own.low < 100
    assert alone.low is None
    assert line_of(run(0, 0), run(0.1, 0)).interval(line_of(run(0, 0), run(0.1, 0)).points[0]).low is None


@pytest.mark.parametrize(
    ("values", "conclusion"),
    [
        ([1, 2, 3], "too few points to look for changes: 6 that are not suspect are needed, 3 on each side"),
        ([0, 1, 2, 3, 4, 5], "changes were not looked for: a value is not positive, so there are no ratios"),
        ([10, 11, 10.5, 10.4, 10.6, 10.2], "no change found in 6 points"),
    ],
)
def test_a_line_says_why_it_has_no_change(values, conclusion):
    line = line_of(*(run(day, value) for day, value in enumerate(values)))
    assert line.conclusion == conclusion
    assert conclusion in table.text([line])
    assert files.as_csv([line]).count("\n") == len(values) + 1


def test_the_screen_shows_the_latest_points_and_counts_the_others():
    long = line_of(*(run(day, 100 + day % 3) for day in range(100)))
    out = table.text([long, line_of(run(0, 7), caching="true")])
    assert "(70 earlier points are in --csv, --json and --html)" in out
    assert out.count("2026-") == table.MOST_ROWS + 1
    assert len(table.sparkline(long)) <= 60
    assert "lines of a single point" in out
    assert "with caching=true" in out.splitlines()[-1]


def test_what_is_left_out_is_counted_by_reason():
    assert table.left_out({"failed": 2, "not ended": 1}) == "left out  3 runs: 2 failed, 1 not ended"
    assert table.left_out({}) == ""


def test_json_and_csv_hold_all_points_with_levels_and_changes():
    line = stepped()
    content = json.loads(files.as_json([line], {"failed": 1}))
    (whole,) = content["lines"]
    assert content["left_out"] == {"failed": 1}
    assert len(whole["points"]) == 20
    assert whole["configuration"] == {"caching": "false"}
    (change,) = whole["changes"]
    assert change["before"]["commit"] == "c09" * 10
    assert change["ratio"]["low"] < 0.8 < change["ratio"]["high"]
    rows = list(csv.DictReader(io.StringIO(files.as_csv([line]))))
    assert [row["changed"] for row in rows].index("True") == 10
    assert [float(row["level"]) for row in rows] == pytest.approx([100] * 10 + [80] * 10, rel=0.02)
    assert float(rows[3]["low"]) < float(rows[3]["value"]) < float(rows[3]["high"])


def test_a_cell_of_csv_is_no_formula():
    row = files.as_csv([line_of(run(0, 1, commit="=1+1"), machine="=cmd|x")]).splitlines()[1]
    assert row.split(",")[1] == "'=cmd|x"
    assert "'=1+1" in row


def test_the_page_has_a_picture_for_each_line_names_changes_and_needs_nothing_else():
    some = [stepped(), line_of(run(0, 5), run(1, 6), machine="<script>"), line_of(run(0, 7), machine="beta")]
    page = html(some, {"failed": 3}, "sqlite:///mlruns/mlflow.db")
    assert page.count("<svg ") == 2
    assert page.count("between c09c09c0 (2026-03-10) and c10c10c1 (2026-03-11)") == 2, "as a finding and with its line"
    assert ">c10c10c1</text>" in re.sub(r"\s*(<!--.*?-->)\s*", "", page)
    assert "left out  3 runs: 3 failed" in page
    assert "<script>" not in page
    assert "prefers-color-scheme: dark" in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]+"', page)
    assert not re.findall(r"@import|url\((?!#)", page)


def test_a_page_of_nothing_is_a_page():
    assert "0 runs" in html([], {}, "sqlite:///x")
