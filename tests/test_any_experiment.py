"""An experiment of a user's own, with parameters that nobody here has heard of, gets everything that ours get."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.command import Home

pytestmark = pytest.mark.spark

DECLARATION = """
defaults: [{/grid@_global_.grid: words}, _self_]
name: words
question: How fast are words counted?
script: words.py
unit: words
parameters:
  how: {choices: [map, flat], labels: {map: by line, flat: by word}}
  lines: {min: 1, unit: lines}
  partitions: {min: 1, max: 64, label: number of partitions}
products: [[lines, partitions]]
settings: {language: english, pause: 0}
limits: {language: {choices: [english, german]}, pause: {type: float, min: 0}}
"""
GRID = "{how: [map, flat], lines: [50, 100, 200], partitions: [1, 2]}"
SCRIPT = '''"""Count the words of generated lines."""
import time

from flowerexp.workload import main


def prepare(spark, config):
    settings = config["entrypoint"]["settings"]
    text = {"english": "the quick brown fox", "german": "der schnelle braune fuchs"}[settings["language"]]
    most = max(config["grid"]["lines"])
    lines = spark.sparkContext.parallelize(range(most), 2).map(lambda number: (number, f"{text} {number}"))
    return {"lines": lines, "pause": settings["pause"]}


def measure(prepared, cell):
    most, how = cell["lines"], cell["how"]
    chosen = prepared["lines"].filter(lambda line: line[0] < most).coalesce(cell["partitions"])
    time.sleep(prepared["pause"] + 0.0005 * most)
    if how == "map":
        return {"words": chosen.map(lambda line: len(line[1].split())).sum(), "letters": 26}
    return chosen.flatMap(lambda line: line[1].split()).count()


if __name__ == "__main__":
    main(measure, prepare)
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the experiment; nothing of it is in the package."""
    path = tmp_path_factory.mktemp("own")
    for group, text in (("entrypoint", DECLARATION), ("grid", GRID)):
        (path / "mine" / group).mkdir(parents=True)
        (path / "mine" / group / "words.yaml").write_text(text)
    (path / "words.py").write_text(SCRIPT)
    return Home(path)


OWN = ("--config-dir", "mine", "entrypoint=words")


@pytest.fixture(scope="module")
def sweep(home):
    """Caching on and off, over the whole grid; later tests look at what it left."""
    answer = home(*OWN, "-m", "caching=true,false", "measure.repetitions=3")
    assert answer.code == 0, answer.err
    (folder,) = [path.parent for path in home.path.glob("outputs/*/*/plan.json")]
    return answer, folder


def test_plan_counts_its_measurements_and_says_what_varies(home):
    answer = home("plan", *OWN, "-m", "caching=true,false")
    assert answer.code == 0, answer.err
    assert "72 measurements" in answer.out
    assert "words/s" in answer.out
    assert "number of partitions 1, 2" in answer.out
    assert not re.search(r"uses|dataset|image", answer.out)


def test_the_screen_speaks_its_words(home, sweep):
    answer, _ = sweep
    assert "words/s" in answer.err
    assert not re.search(r"image|batch|reader", answer.out + answer.err)


def rows_of(run):
    """The measurements in a run's folder."""
    return [json.loads(line) for line in (run / "results" / "measurements.jsonl").read_text().splitlines()]


def test_every_cell_is_measured_and_counted(sweep):
    rows = rows_of(sweep[1] / "1")
    assert len(rows) == 2 * 3 * 2 * 3
    assert all(row["words"] == 5 * row["lines"] for row in rows)
    assert {row["letters"] for row in rows if row["how"] == "map"} == {26}
    assert sorted({(row["how"], row["lines"], row["partitions"]) for row in rows})[0] == ("flat", 50, 1)
    assert all(row["spark_tasks"] >= row["partitions"] for row in rows)
    assert all(row["seconds"] > 0.0005 * row["lines"] for row in rows)


def test_mlflow_has_its_metrics_and_only_what_it_uses(home, sweep):
    runs = [run for run in home.logged() if run.data.params.get("entrypoint.name") == "words"]
    assert len(runs) == 2
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["flat/words_per_second"] > run.data.metrics["map/words_per_second"] * 0.01 > 0
        assert run.data.params["entrypoint.settings.language"] == "english"
        assert json.loads(run.data.params["grid.lines"]) == [50, 100, 200]
        unused = [key for key in run.data.params if re.match(r"dataset|sampling|preprocess|reader", key)]
        assert not unused
        assert not [key for key in [*run.data.metrics, *run.data.params] if "image" in key or "batch" in key]


def test_each_numeric_parameter_has_a_regression_with_its_interval(sweep):
    fits = json.loads((sweep[1] / "1" / "analysis" / "regression.json").read_bytes())
    found = {(fit["series"], fit["parameter"]): fit for fit in fits}
    for series in ("flat", "map"):
        for parameter in ("lines", "partitions", "lines x partitions"):
            fit = found[series, parameter]
            assert fit["low"] <= fit["slope"] <= fit["high"]
    assert {fit["value"] for fit in fits} == {"words_per_second"}


def test_the_report_asks_its_question_and_pairs_caching(home, sweep):
    _, folder = sweep
    text = (folder / "report.md").read_text()
    assert "caching" in text
    assert "words/s" in text
    assert "number of partitions" in text
    assert not re.search(r"(?i)\bimages?\b|photograph|reader\b|batch size|tfrecord", text)
    assert "dataset" not in text
    with (folder / "cells.csv").open() as file:
        head = next(csv.reader(file))
    assert {"how", "lines", "partitions", "words_per_second"} <= set(head)


def test_compare_rates_its_runs(home, sweep):
    first, second = [run.info.run_id for run in home.logged() if run.data.params.get("entrypoint.name") == "words"]
    answer = home("compare", first, second)
    assert answer.code == 0, answer.err
    assert "words/s" in answer.out
    assert "95 % interval" in answer.out
    assert "images" not in answer.out


@pytest.mark.long
def test_a_run_is_rerun_with_another_value(home, sweep):
    run = next(run for run in home.logged() if run.data.params.get("entrypoint.name") == "words")
    answer = home("rerun", run.info.run_id, "grid.lines=[40]", "measure.repetitions=2")
    assert answer.code == 0, answer.err
    assert {row["lines"] for row in home.rows()} == {40}
    assert "rerun of" in answer.out


@pytest.mark.long
def test_its_cheapest_cluster_is_searched_for(home):
    answer = home(
        *OWN, "-m", "hydra/sweeper=cluster_search", "cluster.cores=1,2", "measure.repetitions=1",
        "hydra.sweeper.usd_per_vcpu_hour=0.05",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    (path,) = home.path.glob("outputs/*/*/search.json")
    found = json.loads(path.read_bytes())
    assert found["recommendation"]["winner"] in {"cores=1", "cores=2"}
    assert "images" not in (path.parent / "report.md").read_text()


@pytest.mark.long
def test_rows_that_were_measured_before_a_kill_stay(home):
    slow = ("measure.repetitions=2", "entrypoint.settings.pause=0.5", "-m", "caching=true")
    arguments = [sys.executable, "-m", "flowerexp", *OWN, *slow]
    known = {*home.path.glob("outputs/*/*/plan.json")}
    started = subprocess.Popen(
        arguments, cwd=home.path, env=home.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        rows = _wait_for_rows(home, known, started, 5)
    finally:
        for pid in _children(started.pid):
            os.kill(pid, signal.SIGKILL)
        started.wait()
    (plan,) = {*home.path.glob("outputs/*/*/plan.json")} - known
    answer = home("resume", plan.parent)
    assert answer.code == 0, answer.err
    found = rows_of(plan.parent / "0")
    assert len(found) == 2 * 3 * 2 * 2
    earlier = {(row["started_at"], row["order"]) for row in rows}
    assert earlier <= {(row["started_at"], row["order"]) for row in found}
    assert {row["attempt"] for row in found} == {1, 2}


def _wait_for_rows(home, known, started, count):
    """The rows of the run that was started, once there are so many."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and started.poll() is None:
        for plan in {*home.path.glob("outputs/*/*/plan.json")} - known:
            parts = sorted(plan.parent.rglob("rows/**/*.jsonl"))
            rows = [json.loads(line) for part in parts for line in io.StringIO(part.read_text())]
            if len(rows) >= count:
                return rows
        time.sleep(0.05)
    raise AssertionError("no rows were written while the run went on")


def _children(pid):
    """A process and all that it started, also in sessions of their own: the launcher first."""
    import psutil

    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


KNOWN = """
name: known
question: How long does it sleep?
script: known.py
unit: naps
parameters:
  naps: {min: 1}
  deep: {type: bool}
"""
SLEEPING = """
import time

from flowerexp.workload import main


def prepare(spark, config):
    return None


def measure(prepared, cell):
    started = time.perf_counter()
    time.sleep(0.02 + (0.0008 if cell["deep"] else 0.0004) * cell["naps"])
    return {"naps": cell["naps"], "slept": time.perf_counter() - started}


main(measure, prepare)
"""


@pytest.mark.long  # `analysis/test_timing.py` fits the same model to rows whose seconds are computed
def test_known_seconds_are_given_back(home):
    """A measurement sleeps as long as its parameters say: the model of seconds finds what they say."""
    (home.path / "mine" / "entrypoint" / "known.yaml").write_text(KNOWN)
    (home.path / "known.py").write_text(SLEEPING)
    grid = ("grid.naps=[50,100,200,400]", "grid.deep=[false,true]", "measure.repetitions=5")
    answer = home("--config-dir", "mine", "entrypoint=known", *grid)
    assert answer.code == 0, answer.err
    models = {one["series"]: one["terms"] for one in json.loads((home.runs[-1] / "analysis/timing.json").read_bytes())}
    for series, deep in (("deep=false", False), ("deep=true", True)):
        rows = [row for row in home.rows() if row["deep"] is deep]
        naps, slept = (np.array([row[name] for row in rows]) for name in ("naps", "slept"))
        # Nobody wakes too early, and on a busy machine everybody late: what was slept is known, and asked for no more.
        assert (slept >= 0.02 + (0.0008 if deep else 0.0004) * naps).all()
        each = np.polyfit(naps, slept, 1, w=1 / slept)[0]
        term = models[series]["per_unit"]
        assert 0.98 * term["low"] <= each <= 1.02 * term["high"]
        assert term["value"] == pytest.approx(each, rel=0.1)
