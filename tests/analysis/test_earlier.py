import json

import pytest

from flowerexp import records
from flowerexp.analysis.earlier import find_summary, key_today
from flowerexp.errors import DataError

CELL = {"at": {"batch_size": 2}, "images": 6, "images_per_second": 3.0, "min_images_per_second": 2.0}
GROUP = {"name": "tfrecords", "measurements": 1, "images": 6, "timed_images": 5, "images_per_second": 3.0}


def summary(path, **content):
    path.write_text(json.dumps(content))
    return find_summary(path)


def test_a_summary_of_an_earlier_version_has_todays_names(tmp_path):
    group = GROUP | {"first_batch_seconds": None, "columns": {"images": {"n": 1, "median": 2}}, "cells": [CELL]}
    found = summary(tmp_path / "summary.json", verdict={"state": "valid"}, groups=[group])
    assert found == {
        "experiment": {"name": "read_speed", "unit": "images", "value": "images_per_second"},
        "verdict": {"state": "valid"},
        "groups": [
            {
                "name": "tfrecords",
                "measurements": 1,
                "count": 6,
                "timed_count": 5,
                "rate": 3.0,
                "value": 3.0,
                "first_seconds": None,
                "columns": {"images": {"n": 1, "median": 2}},
                "cells": [{"at": {"batch_size": 2}, "count": 6, "rate": 3.0, "min_rate": 2.0}],
            }
        ],
    }


def test_a_summary_of_this_version_is_read_as_it_is(tmp_path):
    path = tmp_path / "summary.json"
    whole = {
        "experiment": {"name": "sort", "unit": "images_per_second", "value": "loss"},
        "groups": [{"name": "sort", "measurements": 2, "value": 0.5, "rate": None, "images": 3}],
    }
    records.write(path, whole)
    assert find_summary(path) == whole


@pytest.mark.parametrize("groups", [None, 3, [3], [{"name": "a"}]])
def test_a_damaged_one_is_named(tmp_path, groups):
    with pytest.raises(DataError, match=r"summary\.json is damaged: groups"):
        summary(tmp_path / "summary.json", groups=groups)


def test_no_file_is_no_summary(tmp_path):
    assert find_summary(tmp_path / "summary.json") is None


def test_keys_of_an_earlier_config_have_todays_names():
    earlier = {"grid": {"seed": 1}, "reader": "tfrecords"}
    assert key_today("grid.concurrency", earlier) == "measure.concurrency"
    assert key_today("reader", earlier) == "grid.reader"
    assert key_today("grid.batch_size", earlier) == "grid.batch_size"
    assert key_today("grid.seed", {"measure": {}}) == "grid.seed", "of an experiment that has a parameter `seed`"
