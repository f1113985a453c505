"""What the screen shows of any experiment, in that one's words."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flowerexp.analysis.summary import summarise
from flowerexp.config import Config
from flowerexp.console import Screen, figure, phase_name, table
from flowerexp.experiment import Experiment, Parameter, Parts
from flowerexp.measurements.loading import from_rows
from flowerexp.plan import PlannedRun

WORDS = Experiment(
    name="count_words",
    question="How fast are words counted?",
    script="count_words.py",
    unit="words",
    parameters={
        "shape": Parameter(type="text", choices=("tree", "flat")),
        "cached": Parameter(type="bool"),
        "partitions": Parameter(type="int"),
        "skew": Parameter(type="float", label="skew of the words"),
    },
)
PLAIN = Experiment(name="job", question="How long?", script="job.py", unit="steps")


def rows(**more: Any) -> list[dict[str, Any]]:
    return [
        {
            "shape": "flat",
            "cached": cached,
            "partitions": 2000,
            "skew": skew,
            "repetition": repetition,
            "words": 1000,
            "seconds": seconds,
            **more,
        }
        for cached in (False, True)
        for skew, seconds in ((0.5, 0.25), (1.5, 2000.0))
        for repetition in (1, 2)
    ]


def shown(of: list[dict[str, Any]], experiment: Experiment) -> list[list[str]]:
    text = table(summarise(from_rows(of, experiment)).groups, experiment)
    return [line.split() for line in text.splitlines()]


def test_the_table_has_the_experiments_labels_and_unit_and_no_parts_where_there_are_none():
    lines = shown(rows(), WORDS)
    assert " ".join(lines[0]) == "shape and cached partitions skew of the words words/s min to max"
    assert lines[1] == ["flat", "cached=false", "2,000", "0.5", "4,000", "4,000", "to", "4,000"]
    assert lines[2][-5:] == ["1.5", "0.5", "0.5", "to", "0.5"]
    assert " ".join(lines[3]) == "flat cached=false, all 1 4 measured"
    assert len(lines) == 1 + 2 * 3


def test_measurements_that_were_stopped_are_counted():
    some = [row | ({"censored": True, "words": None} if row["skew"] == 1.5 else {}) for row in rows()]
    lines = shown(some, WORDS)
    assert lines[0][-1] == "stopped"
    assert lines[1][-3:] == ["0", "of", "2"]
    assert lines[2][-5:] == ["-", "-", "2", "of", "2"]
    assert lines[3][-3:] == ["2", "of", "4"]


def test_an_experiment_with_parts_has_its_word_for_the_first_one():
    parts = Parts(name="epoch", count="epochs", first_count="first_words", first_seconds="first_seconds_of_all")
    experiment = Experiment(**{**vars(PLAIN), "parameters": {"n": Parameter(type="int")}, "parts": parts})
    row = {"n": 3, "repetition": 1, "steps": 30, "seconds": 2.0, "first_words": 10, "first_seconds_of_all": 0.5}
    lines = shown([row], experiment)
    assert " ".join(lines[0]) == "series n steady steps/s steps/s min to max first epoch"
    assert lines[1][-2:] == ["500.0", "ms"]


def test_an_experiment_without_parameters_has_a_line():
    lines = shown([{"steps": 5, "seconds": 2.0, "loss": 0.25}], PLAIN)
    assert lines == [["series", "steps", "seconds", "steps/s"], ["job", "5", "2.00", "2.5"], ["loss", "0.25"]]


def test_numbers_have_three_digits_or_more():
    assert [figure(value) for value in (None, 0.012345, 9.876, 99.94, 123.4, 12345.6)] == [
        "-", "0.0123", "9.88", "99.9", "123", "12,346",
    ]  # fmt: skip


def test_phases_have_the_experiments_names_or_those_that_all_have():
    own = {"prepare": "generating rows", "list": "listing files"}
    names = ["", "list", "prepare", "measure", "cache", "measure.by_rows", "settle"]
    assert [phase_name(name, own) for name in names] == [
        "starting Spark", "listing files", "generating rows", "measuring", "caching", "averages per rows", "settle",
    ]  # fmt: skip
    assert phase_name("prepare", {}) == "preparing"


def test_a_run_of_a_sweep_is_a_line_with_its_rates_in_their_unit():
    stream = io.StringIO()
    run = PlannedRun("key", Config(entrypoint=WORDS), Path(), "", {"label": "caching=true"})
    analysis = SimpleNamespace(summary=summarise(from_rows(rows(), WORDS)))
    with Screen(stream).following(2, WORDS.phases) as listener:
        listener({"result": SimpleNamespace(run=run, analysis=analysis, error=None, started=True)})
        listener({"result": SimpleNamespace(run=run, analysis=None, error=ValueError("no room"), started=True)})
    assert stream.getvalue().splitlines() == [
        "[1/2] finished  caching=true  flat cached=false 1 words/s, flat cached=true 1 words/s",
        "[2/2] failed    caching=true: no room",
    ]


def test_why_runs_were_not_started_is_said_once_and_how_long_all_will_take_at_the_start():
    stream = io.StringIO()
    run = PlannedRun("key", Config(entrypoint=WORDS), Path(), "", {"label": "caching=true"})
    with Screen(stream).following(3, WORDS.phases, 150.0) as listener:
        for why in ("no cluster", "no cluster", "no room"):
            listener({"result": SimpleNamespace(run=run, analysis=None, error=ValueError(why), started=False)})
    assert stream.getvalue().splitlines() == [
        "time      about 2 min, by earlier runs",
        "[1/3] not started  caching=true: no cluster",
        "[2/3] not started  caching=true",
        "[3/3] not started  caching=true: no room",
    ]
