"""An experiment that nobody has heard of gets everything that a report has, in its own words."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flowerexp.analysis.report import make_report
from flowerexp.analysis.report.cells import cells
from flowerexp.analysis.report.gather import load
from flowerexp.config import plain
from flowerexp.experiment import RESERVED, Experiment, Parameter
from flowerexp.measurements import COLUMNS
from tests.analysis.report.page import Page
from tests.analysis.sweeps import config, write_sweep

pytestmark = pytest.mark.slow

COUNT = Experiment(
    name="count_words",
    question="How fast can words be counted?",
    script="count_words.py",
    unit="words",
    parameters={
        "how": Parameter(type="text", choices=("sort_first", "hash"), labels={"hash": "Hashing"}),
        "adaptive": Parameter(type="bool"),
        "partitions": Parameter(type="int", min=1),
        "skew": Parameter(type="float", min=0, label="skew of the words"),
    },
    products=(("partitions", "skew"),),
    settings={"language": "en"},
    limits={"language": Parameter(type="text")},
)


def rows(repetitions: int = 3) -> list[dict[str, Any]]:
    chance = random.Random(3)
    made = []
    for repetition in range(1, repetitions + 1):
        for how in ("sort_first", "hash"):
            for adaptive in (False, True):
                for partitions in (1, 4):
                    for skew in (0.0, 0.5):
                        count = 1000 * partitions + int(100 * skew)
                        seconds = (0.2 + count * (2e-4 if how == "hash" else 4e-4)) * chance.gauss(1, 0.03)
                        made.append(
                            {
                                "how": how,
                                "adaptive": adaptive,
                                "partitions": partitions,
                                "skew": skew,
                                "repetition": repetition,
                                "execution": 1,
                                "words": count,
                                "seconds": seconds,
                                "collisions": 7 * partitions,
                                "host": "a",
                                "neighbours": 0,
                            }
                        )
    return made


def stopped(row: dict[str, Any]) -> bool:
    """Sorting with four partitions and a skew takes too long; adaptively it does so once."""
    slow = (row["how"], row["partitions"], row["skew"]) == ("sort_first", 4, 0.5)
    return slow and (not row["adaptive"] or row["repetition"] == 1)


def own_config() -> dict[str, Any]:
    whole = config({}) | {"entrypoint": plain(COUNT)}
    whole["grid"] = {"how": ["sort_first", "hash"], "adaptive": [False, True], "partitions": [1, 4], "skew": [0.0, 0.5]}
    return {key: value for key, value in whole.items() if key not in ("dataset", "sampling", "preprocess")}


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    measured = [
        row | ({"words": None, "seconds": 9.0, "censored": True} if stopped(row) else {"censored": False})
        for row in rows()
    ]
    folder: Path = tmp_path_factory.mktemp("words")
    axes: dict[str, list[Any]] = {"grid.partitions": [1, 4], "caching": [True, False]}
    write_sweep(folder, axes, whole=own_config(), rows=measured, facts={"local": {"images": 3, "bytes": 4}})
    make_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(swept) -> Page:
    return Page(swept / "report.html")


def test_it_asks_and_tells_in_the_words_of_the_experiment(swept, page):
    assert "How does partitions change words/s, and does caching make a run faster?" in page.text["head"]
    assert (swept / "report.md").read_text().startswith("# How does `partitions` change words/s, and")
    assert re.search(
        r"\d\.\d\d × hashing against sort first with adaptive=(true|false): .*words/s \(95 %", page.text["findings"]
    )
    assert "; no run is valid, so nothing follows from it" in page.text["findings"]
    assert "No answer: none of 4 runs is valid; the first reason: 4 of 48 measurements reached" in page.text["head"]
    assert "sum of words over a sum of seconds" in page.text["verdicts"]


def test_nothing_of_another_experiment_is_in_it(page):
    own = {name: text for name, text in page.text.items() if name not in ("again",)}
    found = re.findall(r"(?i)\b\w*(?:image|reader|batch|tfrecord|photograph|page_cache|dataset)\w*", str(own))
    assert not found
    assert "limits" not in page.sections
    assert "entrypoint.settings.language en" in page.text["settings"]
    assert "collisions" in page.text["runs"]


def test_the_model_of_seconds_has_the_terms_that_there_are(page):
    head = re.search(r"how and adaptive (.*) n ", page.text["models"])
    assert head is not None
    assert "fixed, ms per word, ms" in page.text["models"]
    assert "partitions × skew of the words" in page.text["models"]


def test_what_was_stopped_is_counted_and_named_and_has_no_rate(swept, page):
    assert "16 of 192 measurements were stopped" in page.text["verdicts"]
    assert "no measurement finished in sort_first adaptive=false partitions=4 skew=0.5" in page.text["verdicts"]
    table = pd.read_csv(swept / "cells.csv")
    own = table[(table.how == "sort_first") & (table.partitions == 4) & (table["skew"] == 0.5) & (table.run == 0)]
    assert own[["adaptive", "repetitions", "censored"]].to_numpy().tolist() == [[True, 2, 1], [False, 0, 3]]
    assert own.words_per_second.isna().tolist() == [False, True]
    assert len(table) == 4 * 16
    assert {*load(swept).fair[["partitions", "skew"]].itertuples(index=False, name=None)} == {(1, 0), (1, 0.5), (4, 0)}


def test_its_table_has_a_column_for_each_parameter(swept):
    table = pd.read_csv(swept / "cells.csv")
    assert {"how", "adaptive", "partitions", "skew", "words", "words_per_second"} <= {*table.columns}
    assert {*table.how} == {"hash", "sort_first"}
    assert not [name for name in table.columns if "steady" in name or "first" in name]


def test_no_parameter_can_be_called_as_a_column_that_a_report_makes(swept):
    material = load(swept)
    own = {*COUNT.parameters, COUNT.count, COUNT.rate, f"median_{COUNT.rate}", "grid.partitions", "caching"}
    assert {*COLUMNS} <= RESERVED
    made = {*material.rows, *material.timed, *cells(material)} - own
    assert made <= RESERVED
