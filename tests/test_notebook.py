"""All that the notebook did, in one command: `flowerexp -m experiment=notebook`, on the flower photographs.

Its sweep takes minutes. What its parts do is tested beside them, on a few photographs; that they also do it together,
at the notebook's own size, only here. Without the flower photographs as many generated ones stand for them.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.analysis.report.page import Page
from tests.command import PHOTOGRAPHS, Home

MINUTES = 25  # for a sweep of three or four, beside another test on two cores
pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.timeout(60 * MINUTES + 60)]

GENERATED = 736  # as many as there are flower photographs in the notebook
BATCH_SIZES, BATCH_NUMBERS, REPETITIONS = (2, 4, 6, 8), (3, 6, 12, 18), (1, 2, 3)
READERS = ("image_files", "tfrecords")
MEASUREMENTS = {*itertools.product(READERS, BATCH_SIZES, BATCH_NUMBERS, REPETITIONS)}
RUNS = {"0": (2, True), "1": (2, False), "2": (16, True), "3": (16, False)}
"""The runs' folders: into how many TFRecord files each wrote its data, and whether it cached."""
ACTIONS = 5  # on the measurement RDD: each measures every cell again where nothing is cached


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("notebook"))


@pytest.fixture(scope="module")
def images():
    """How many photographs there are."""
    return sum(1 for _ in PHOTOGRAPHS.glob("*/*.jpg")) or GENERATED


@pytest.fixture(scope="module")
def sweep(home, images):
    """The folder of the finished sweep."""
    theirs = ("dataset=folder", f"dataset.path={PHOTOGRAPHS}")
    data = theirs if PHOTOGRAPHS.is_dir() else ("dataset=synthetic", f"dataset.images={images}")
    answer = home("-m", "experiment=notebook", *data, timeout=60 * MINUTES)
    assert answer.code == 0, answer.err
    (plan,) = home.path.glob("outputs/*/*/plan.json")
    return plan.parent


@pytest.fixture(scope="module")
def page(sweep):
    return Page(sweep / "report.html")


def rows(sweep: Path, run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (sweep / run / "results" / "measurements.jsonl").read_text().splitlines()]


def test_four_runs_are_finished_in_mlflow_and_have_their_verdict(home, sweep):
    runs = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") != "sweep"]
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    values = {(int(run.data.params["preprocess.shards"]), run.data.params["caching"] == "true") for run in runs}
    assert values == {*RUNS.values()}
    assert all(run.data.tags["flowerexp.verdict"] in ("valid", "suspect") for run in runs)
    assert all(run.data.metrics[f"{reader}/images_per_second"] > 0 for run in runs for reader in READERS)


@pytest.mark.parametrize("run", RUNS)
def test_every_cell_is_measured_and_its_images_are_counted(sweep, run):
    measured = rows(sweep, run)
    keys = ("reader", "batch_size", "batch_number", "repetition")
    counts = Counter(tuple(row[key] for key in keys) for row in measured)
    assert counts == dict.fromkeys(MEASUREMENTS, 1 if RUNS[run][1] else ACTIONS)
    assert all(row["images"] == row["batch_size"] * row["batch_number"] > 0 for row in measured)
    assert all(row["batches"] == row["batch_number"] for row in measured)
    assert all(0 < row["first_batch_seconds"] <= row["seconds"] for row in measured)
    assert not any(row["neighbours"] for row in measured)


def test_data_is_written_into_two_and_into_sixteen_files(home, sweep, images):
    assert {len(one["files"]) for one in home.manifests()} == {2, 16}
    for manifest in home.manifests():
        assert len([*manifest["folder"].glob("*.tfrec")]) == len(manifest["files"])
        assert manifest["records"] == sum(file["records"] for file in manifest["files"]) == images
        assert all(file["records"] for file in manifest["files"])


def test_the_tidy_tables_hold_each_cell_and_agree(sweep):
    table, same = pd.read_csv(sweep / "cells.csv"), pd.read_parquet(sweep / "cells.parquet")
    assert [*table.columns] == [*same.columns]
    assert len(table) == len(same) == len(RUNS) * len(READERS) * len(BATCH_SIZES) * len(BATCH_NUMBERS)
    assert (table["repetitions"] == len(REPETITIONS)).all()
    assert (table["images"] == table["batch_size"] * table["batch_number"] * len(REPETITIONS)).all()
    assert (table["low"] < table["high"]).all()
    cells = table.set_index(["preprocess.shards", "caching", "reader", "batch_size", "batch_number"])["executions"]
    executed = cells.unstack("caching")
    assert (executed[False] > executed[True]).all()


def test_the_report_has_all_its_parts_and_needs_nothing_else(page):
    assert {"speed", "runs", "caching", "executors", "limits", "models", "verdicts", "again"} <= {*page.sections}
    assert "batch size × batch number" in page.text["models"], "no regression on the notebook's product"
    assert re.search(r"over [12] pairs", page.text["caching"]), "suspect runs may be left out"
    assert re.search(r"measure \d+ [\d.]+ [\d.]+ \d+%", page.text["executors"]), "no utilisation of a measuring phase"
    assert page.source.count("<svg") >= 7
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "iframe", "object"} & {*page.tags}
    assert not re.search(r"@import|url\((?!#)", page.source)


def test_the_report_names_no_machine_and_no_home(home, sweep, page):
    told = page.source + (sweep / "report.md").read_text()
    assert str(home.path) not in told
    host = rf"(?<![\w-]){re.escape(socket.gethostname())}(?![\w-])"
    assert not re.search(host, page.text["executors"] + page.text["settings"])
    assert "this machine (" in page.text["executors"]


def test_mlflow_has_the_report_and_the_tables(home, sweep):
    (run,) = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") == "sweep"]
    assert run.info.status == "FINISHED"
    logged = {item.path for item in home.mlflow().list_artifacts(run.info.run_id)}
    assert {"report.html", "report.md", "cells.csv", "cells.parquet", "runs.csv", "measurements.parquet"} <= logged
    artifact = home.mlflow().download_artifacts(run.info.run_id, "report.html")
    assert Path(artifact).read_bytes() == (sweep / "report.html").read_bytes()
