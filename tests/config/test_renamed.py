"""Old names are understood wherever a key can be named: typed, in files, in sweeps, and in what runs have recorded."""

from pathlib import Path

import pytest

from flowerexp import app
from flowerexp.config import Origin, plain, recorded
from flowerexp.config.renamed import today
from flowerexp.errors import ConfigError
from flowerexp.sweep.grammar import expand
from tests.composing import composed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("preprocess.partitions=4", "preprocess.shards=4"),
        ("++preprocess.partitions=4", "++preprocess.shards=4"),
        ("preprocess.partitions", "preprocess.shards"),
        ("preprocess.partitions_of_mine=4", "preprocess.partitions_of_mine=4"),
        ("dataset.path=preprocess.partitions", "dataset.path=preprocess.partitions"),
        ("spark.sql.shuffle.partitions=4", "spark.sql.shuffle.partitions=4"),
    ],
)
def test_keys_and_overrides(old, new):
    assert today(old) == new


@pytest.mark.parametrize("typed", ["preprocess.partitions=4", "preprocess={partitions:4}"])
def test_on_the_command_line(typed):
    for config in (app.composed([typed]), composed([typed])):
        assert plain(config)["preprocess"]["shards"] == 4


def test_a_refusal_knows_where_it_was_typed():
    with pytest.raises(ConfigError, match=r"^command line: preprocess.shards=0 must be 1 or more$"):
        composed(["preprocess.partitions=0"])
    assert Origin(["preprocess.partitions=0"]).of("preprocess.shards") == "command line"


def test_in_a_file_of_a_user(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    content = "# @package _global_\npreprocess: {partitions: 5}\nsweep: {axes: {preprocess.partitions: [1, 2]}}\n"
    (tmp_path / "experiment/mine.yaml").write_text(content)
    assert plain(app.composed(["experiment=mine"], tmp_path))["preprocess"]["shards"] == 5


def test_in_a_sweep():
    loader = app.create().config_loader
    assert expand(["preprocess.partitions=2,16"], {}, loader) == [["preprocess.shards=2"], ["preprocess.shards=16"]]
    rules = {"axes": {"preprocess.partitions": [2, 4]}, "exclude": [{"preprocess.partitions": 2}]}
    assert expand([], rules, loader) == [["preprocess.shards=4"]]


def test_an_experiment_by_its_old_name():
    old, new = (composed([f"entrypoint={name}"]) for name in ("write_tfrecords", "write_shards"))
    assert old.entrypoint == new.entrypoint
    assert old.entrypoint.name == "write_shards"


def test_in_what_a_run_has_recorded():
    config = plain(composed(["entrypoint=write_shards", "preprocess.shards=7"]))
    was = {key: value for key, value in config["preprocess"].items() if key in ("target_size", "quality", "exact")}
    old = {**config, "preprocess": {"partitions": 7, **was}}
    old["entrypoint"] = {**config["entrypoint"], "name": "write_tfrecords", "script": "spark_entry/write_tfrecords.py"}
    assert recorded(old) == recorded(config)
    assert old["preprocess"]["partitions"] == 7
