"""A run's data as MLflow's dataset input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowerexp.tracking import default_store
from flowerexp.tracking.data import input_of
from tests.tracking import CONFIG, record

pytestmark = pytest.mark.slow

STORE = default_store(Path("/home/me"))
SYNTHETIC = {"kind": "synthetic", "images": 100, "seed": 7, "classes": None}


def logged(facts: dict[str, Any] | None = None, **config: Any) -> Any:
    found = record(STORE, config=CONFIG | config)
    return input_of(found | {"facts": found["facts"] | (facts or {})})


def test_data_has_its_name_its_fingerprint_and_its_source():
    found = logged().dataset
    assert (found.name, found.digest, found.source_type) == ("photographs", "da7a", "local")
    assert json.loads(found.source) == {"uri": "/photographs"}
    assert json.loads(found.profile) == {"images": 736, "bytes": 46_000_000}


def test_generated_data_is_told_by_what_generates_it():
    found = logged(dataset=SYNTHETIC).dataset
    assert (found.name, found.source_type) == ("synthetic", "code")
    tags = json.loads(found.source)["tags"]
    assert {key: tags[f"dataset.{key}"] for key in ("kind", "images", "seed")} == {
        "kind": "synthetic", "images": "100", "seed": "7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "name", "kind", "uri"),
    [
        ({"kind": "folder", "path": "gs://bucket/flowers/"}, "flowers", "gs", "gs://bucket/flowers/"),
        ({"kind": "folder", "path": "/home/me/pictures"}, "pictures", "local", "~/pictures"),
        ({"kind": "folder", "path": "/home/meadow"}, "meadow", "local", "/home/meadow"),
        ({"kind": "folder", "path": "/x", "tfrecords": "/data/shards"}, "shards", "local", "/data/shards"),
    ],
)
def test_a_place_is_named_without_the_user_whose_folder_it_is(monkeypatch, dataset, name, kind, uri):
    monkeypatch.setenv("HOME", "/home/me")
    found = logged(dataset=dataset).dataset
    assert (found.name, found.source_type, json.loads(found.source)["uri"]) == (name, kind, uri)


def test_a_part_of_the_data_is_said_to_be_one():
    found = logged(sampling={"fraction": 0.02, "seed": 42, "on_short": "drop"}).dataset
    assert found.name == "photographs, 0.02 of it"
    assert json.loads(found.profile)["sampling_seed"] == 42


def test_without_data_or_before_it_was_listed_there_is_no_input():
    assert logged({"data_fingerprint": None}) is None
    assert logged(dataset=None, entrypoint=CONFIG["entrypoint"] | {"uses": []}) is None
