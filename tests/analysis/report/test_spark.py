"""What a report says of Spark's own numbers, made from known ones."""

import re

import pytest

from flowerexp.analysis.report import make_report
from flowerexp.analysis.report.gather import load
from flowerexp.analysis.report.spark import METRICS, metrics_of
from tests.analysis.report.page import Page
from tests.analysis.rows import grid
from tests.analysis.sweeps import config, write_run, write_sweep

pytestmark = pytest.mark.slow


def numbers(row, skew=1.0, spill=0):
    """What Spark says: shuffles grow with the batch size, tasks with their number."""
    return {
        "spark_jobs": 1,
        "spark_stages": 2,
        "spark_tasks": 10 * row["batch_number"],
        "shuffle_read_bytes": 1_000_000 * row["batch_size"],
        "shuffle_write_bytes": 1_000_000 * row["batch_size"],
        "spill_bytes": spill,
        "gc_seconds": 0.2,
        "task_seconds": 2.0,
        "executor_cpu_seconds": 1.5,
        "slowest_task_seconds": 0.1 * skew,
        "median_task_seconds": 0.1,
    }


def rows_of(**more):
    return [row | numbers(row, **more) for row in grid(sizes=(2, 4, 8), numbers=(3, 6), noise=0.01)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a sweep, half of whose runs are skewed and spill."""
    folder = write_sweep(tmp_path_factory.mktemp("sweep"), {"preprocess.shards": [2, 16], "repeat": [1, 2]})
    for place in range(4):
        skewed = {"skew": 8.0, "spill": 5_000_000} if place < 2 else {}
        chosen = config({"preprocess.shards": [2, 16][place // 2], "repeat": place % 2 + 1})
        write_run(folder / str(place), chosen, place, rows=rows_of(**skewed))
    return Page(make_report(folder).paths[0])


def test_skew_and_spill_are_told_with_the_cell_that_has_them(page):
    text = page.text["spark"]
    assert "the slowest one takes 8 times as long as the median one in shards 2" in text
    assert "Up to 5 MB are spilled to disk, in shards 2" in text
    assert "Tasks compute in the JVM for 75 % of their time" in text


def test_only_what_varies_is_drawn_by_each_parameter(page):
    (picture,) = re.findall(r'<section id="spark">.*?(<svg.*?</svg>)', page.source, re.DOTALL)
    for label in ("shuffled, MB", "spilled to disk, MB", "slowest task / median", "tasks", "by shards"):
        assert label in picture
    assert "GC, %" not in picture  # the same everywhere
    assert "CPU, %" not in picture


def test_medians_of_each_cell_are_in_a_table(page):
    text = page.text["spark"]
    for one in METRICS:
        assert one.label in text
    # partitions, series, size, number; shuffled, spilled, GC, skew, CPU, tasks
    assert re.search(r"2 TFRecords 8 3 8 5 10 8 75 30\b", text)
    assert re.search(r"16 image files 2 6 2 0 10 1 75 60\b", text)


def test_nothing_is_said_of_rows_without_sparks_numbers(tmp_path):
    page = Page(make_report(write_sweep(tmp_path, {"preprocess.shards": [2, 16]})).paths[0])
    assert "spark" not in page.sections


def test_a_run_of_its_own_has_the_section_and_numbers_that_are_missing_stay_out(tmp_path):
    rows = rows_of()
    for row in rows[::3]:
        for name in [*row]:
            if name.endswith(("_task_seconds", "spill_bytes")):
                del row[name]
    rows[1] = {name: value for name, value in rows[1].items() if name in grid()[0]}  # Spark did not say
    rows[2] |= {"median_task_seconds": 0.0, "slowest_task_seconds": 0.02}  # of tasks below a millisecond
    write_run(tmp_path / "run", config({}), rows=rows)
    found = metrics_of(load(tmp_path / "run"))
    assert len(found) == len(rows) - 1
    assert found["slowest task / median"].max() == pytest.approx(20)
    assert found["spilled to disk, MB"].isna().sum() == len(rows[::3])
    text = Page(make_report(tmp_path / "run").paths[0]).text["spark"]
    assert "Nothing is spilled to disk." in text
