"""The descriptions at the top of MLflow's pages of a run and of a sweep's summary."""

from __future__ import annotations

from typing import Any

import pytest

from flowerexp.tracking import default_store
from flowerexp.tracking.describe import NOTE, TAG_LENGTH, of_run, of_sweep
from tests.tracking import CONFIG, record

PAGE = "#/experiments/7/runs/1d"
QUESTION = "How fast can images be read?"


@pytest.fixture
def described(tmp_path):
    """The parts of the description of a run."""

    def describe(rows: int = 8, **changes: Any) -> list[str]:
        return of_run(record(default_store(tmp_path), **changes), tmp_path, PAGE, rows).split("\n\n")

    return describe


def test_a_run_has_its_question_and_why_it_is_suspect(described):
    assert described() == [QUESTION, "Suspect: one; two"]
    assert described(verdict={"state": "valid", "reasons": []}) == [QUESTION]


def test_a_reason_that_the_answer_gives_is_not_given_again(described):
    assert described(answer="No answer: one; two") == [QUESTION, "**No answer: one; two**"]
    assert described(answer="Choose a < b", verdict=None) == [QUESTION, "**Choose a &lt; b**"]


def test_a_failed_run_says_why(described):
    assert described(error="Spark ran out of memory", verdict=None) == [QUESTION, "Failed: Spark ran out of memory"]


@pytest.mark.parametrize(
    ("pictures", "shown"), [([], None), (["a.png", "b.png"], "a"), (["a.png", "rates.png"], "rates")]
)
def test_a_run_links_to_one_picture_whatever_the_port_of_the_pages_is(described, tmp_path, pictures, shown):
    (tmp_path / "analysis").mkdir()
    for name in pictures:
        (tmp_path / "analysis" / name).touch()
    address = f"{PAGE}/artifacts/analysis/{shown}.png?workflowType=machine_learning"
    assert described()[2:] == ([f"[A picture of what was measured]({address})"] if shown else [])


def test_a_table_of_the_first_measurements_says_so_and_where_all_are(described):
    assert described(rows=1000) == described()
    (said,) = described(rows=1001)[2:]
    assert said.startswith("The table of measurements shows the first 1,000 of 1,001. [All of them")
    assert f"({PAGE}/artifacts/analysis/measurements.parquet?" in said


def test_a_sweep_without_a_report_has_its_questions(tmp_path):
    plan = {"runs": [{"config": CONFIG}, {"config": CONFIG}]}
    assert of_sweep(tmp_path, plan, PAGE) == {NOTE: QUESTION}


def test_a_long_description_is_cut(described):
    assert len("\n\n".join(described(answer="x" * 9000))) == TAG_LENGTH
