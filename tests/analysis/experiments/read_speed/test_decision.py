"""The decision: ways with planted differences, of one run and of several."""

from __future__ import annotations

import numpy as np
import pytest

from flowerexp.analysis.conclusions.evidence import Evidence, Factor
from flowerexp.analysis.experiments.read_speed.decision import paragraphs
from flowerexp.experiment import Experiment, Parameter, Value
from flowerexp.measurements.coded import Coded

READERS = Parameter(
    type="text",
    choices=("image_files", "parquet", "lmdb"),
    labels={"image_files": "Image files", "parquet": "Parquet", "lmdb": "LMDB"},
    independent={"image_files": ("preprocess.shards",)},
)
EXPERIMENT = Experiment(
    name="read_speed",
    question="How fast?",
    script="x.py",
    unit="images",
    value=Value(name="rate"),
    parameters={"reader": READERS, "batch_size": Parameter(type="int", compare=False)},
)
PREPARING = {"image_files": 0.0, "parquet": 30.0, "lmdb": 40.0}


def evidence(rates, runs=1, noise=0.01, shards=(16.0,), repetitions=6):
    """Rows of each way (reader, shards): 100 images in as many seconds as the rate says, with noise."""
    chance = np.random.default_rng(7)
    rows = [
        (run * len(shards) + place, repetition, reader, number, rate * np.exp(noise * chance.standard_normal()))
        for run in range(runs)
        for place, number in enumerate(shards)
        for repetition in range(repetitions)
        for reader, of_shards in rates.items()
        for rate in [of_shards[place] if isinstance(of_shards, tuple) else of_shards]
    ]
    run, repetition, reader, number, rate = (np.array(column) for column in zip(*rows, strict=True))
    columns = {"reader": reader, "preprocess.shards": number, "batch_size": np.full(len(rows), 8.0)}
    coded = {name: Coded.of(column) for name, column in columns.items()}
    factors = [Factor("reader", "reader"), Factor("preprocess.shards", "shards")]
    total = int(run.max()) + 1
    return Evidence(
        EXPERIMENT, np.full(len(rows), 100.0), 100.0 / rate, run, repetition, coded, factors, None, np.arange(total)
    )


def decision(found, keys=None):
    (text,) = paragraphs(found, keys or {}, PREPARING, 1000, 0.05)
    return text


def test_the_best_of_one_run_with_the_next_best_and_when_preparing_is_earned_back():
    text = decision(evidence({"image_files": 500.0, "parquet": 2000.0, "lmdb": 1000.0}))
    assert text.startswith("Choose parquet: ")
    assert " × the next best, LMDB (95 % interval " in text
    # an epoch of 1,000 images takes 2 s instead of 0.5 s: 30 s are earned back after 20 epochs
    assert "Preparing 1,000 images takes 30 s once" in text
    assert "pays off after 20 epochs" in text or "pays off after 21 epochs" in text
    assert "against the others: 4.0" in text or "against the others: 3.9" in text
    assert "image files" in text


def test_a_best_that_needs_no_preparing_says_so():
    assert "Nothing has to be prepared." in decision(evidence({"image_files": 900.0, "parquet": 300.0, "lmdb": 200.0}))


def test_two_that_cannot_be_told_apart_are_both_named_with_what_would_tell():
    text = decision(evidence({"image_files": 500.0, "parquet": 2000.0, "lmdb": 2040.0}, noise=0.2))
    assert "Parquet" in text.partition(" cannot be told apart")[0]
    assert "LMDB" in text.partition(" cannot be told apart")[0]
    assert "Choose" not in text
    assert "would tell" in text or "very many measurements" in text


def test_two_that_differ_by_less_than_the_margin_are_called_so():
    text = decision(evidence({"image_files": 500.0, "parquet": 2000.0, "lmdb": 2000.5}, noise=0.002))
    assert "they differ by less than 5%, so take the simpler one" in text


def test_ways_of_several_runs_have_what_the_sweep_varies_in_their_names():
    rates = {"image_files": 500.0, "parquet": (1000.0, 3000.0), "lmdb": (800.0, 900.0)}
    text = decision(evidence(rates, runs=3, shards=(16.0, 256.0)), {"preprocess.shards": "shards"})
    assert text.startswith("Choose parquet, shards 256: ")
    assert "the next best, parquet, shards 16" in text
    assert text.count("LMDB, shards") == 2
    assert "image files, shards" not in text, "photographs are read as they are"


def test_without_repetitions_nothing_is_claimed():
    text = decision(evidence({"image_files": 500.0, "parquet": 2000.0, "lmdb": 1000.0}, repetitions=1))
    assert "cannot be told apart" in text
    assert "(measured once)" in text


@pytest.mark.parametrize("few", [{"image_files": 500.0, "parquet": 2000.0}, {"parquet": 5.0}])
def test_fewer_than_three_ways_are_left_to_the_sentence_about_readers(few):
    assert paragraphs(evidence(few), {}, PREPARING, 1000, 0.05) == []


def test_what_preparing_takes_is_left_out_where_it_is_not_known():
    found = evidence({"image_files": 500.0, "parquet": 2000.0, "lmdb": 1000.0})
    (text,) = paragraphs(found, {}, {"image_files": 0.0}, 1000, 0.05)
    assert "Preparing" not in text
