"""What is chosen to be shown of a sweep; that MLflow shows it, test_browser.py sees."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from flowerexp.tracking.sweep import varied
from flowerexp.tracking.view import query_of, tag_of, view
from tests.tracking import CONFIG, EXPERIMENT

SETTINGS = "entrypoint.settings"


def plan(*configs):
    return {"runs": [{"config": CONFIG | config} for config in configs]}


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("caching", [True, False], ["caching"]),
        ("measure", [{"seed": 1, "repetitions": 2}, {"seed": 2, "repetitions": 2}], ["measure.seed"]),
        ("grid", [{"rows": [2], "words": [3]}, {"rows": [2], "words": [4]}], ["grid.words"]),
        # Of what is said about an experiment, nothing is a choice.
        ("entrypoint", [EXPERIMENT, EXPERIMENT | {"question": "How?"}], []),
        ("entrypoint", [EXPERIMENT, EXPERIMENT | {"settings": {"page_cache": "cold"}}], [f"{SETTINGS}.page_cache"]),
        ("entrypoint", [EXPERIMENT, EXPERIMENT | {"name": "other", "settings": {"fresh": 1}}], ["entrypoint.name"]),
        # A cluster is told by its name, unless that is the same.
        ("cluster", [{"name": "a", "workers": 4}, {"name": "b", "workers": 8}], ["cluster.name"]),
        ("cluster", [{"name": "a", "workers": 4}, {"name": "a", "workers": 8}], ["cluster.workers"]),
        ("home", ["/here", "/there"], []),
        ("gcp", [{"project": "mine"}, {"project": "yours"}], []),
    ],
)
def test_what_a_sweep_varied_are_the_params_in_which_its_runs_differ(key, values, expected):
    assert varied(plan(*({key: value} for value in values))) == expected


def test_a_view_says_which_runs_and_columns():
    made = json.loads(view("14-05-18-dfea", 7, "tags.sweep_id = 's'", ["caching"], ["tfrecords/images_per_second"]))
    assert (made["name"], made["createdAt"]) == ("14-05-18-dfea", 7)
    state = json.loads(made["state"])
    assert state["searchFilter"] == "tags.sweep_id = 's'"
    assert state["selectedColumns"] == [
        "metrics.`tfrecords/images_per_second`", "params.`caching`", "tags.`flowerexp.verdict`",
    ]  # fmt: skip


def test_any_sweep_has_a_tag_that_mlflow_takes_and_a_page_that_finds_it():
    assert tag_of("2026-11-23-a b/c=1,2") == "mlflow.sharedViewState.2026-11-23-a_b_c_1_2"
    assert query_of("2026-11-23-a b").endswith("viewStateShareKey=2026-11-23-a_b")


def test_a_long_sweep_id_is_cut_in_the_tag_and_in_the_address_alike():
    """MLflow refuses a tag whose name has more than 250 characters."""
    tag = tag_of(f"{'a' * 300}/b")
    assert len(tag) <= 250
    assert parse_qs(query_of(f"{'a' * 300}/b"))["viewStateShareKey"] == [tag.removeprefix("mlflow.sharedViewState.")]
