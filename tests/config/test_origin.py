"""Where a value was set: the command line, or a file and its key."""

from pathlib import Path

import pytest

from flowerexp import app
from flowerexp.config import Origin, check
from flowerexp.errors import ConfigError


def refusal(folder, *overrides):
    """What is said of a config that is made of a folder of the user's own and the shipped ones."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    try:
        config = app.create(str(folder)).compose_config("config", list(overrides), RunMode.RUN)
        with pytest.raises(ConfigError) as caught:
            check(app.without_hydra(config), app.origin_of(config))
    finally:
        GlobalHydra.instance().clear()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def own(tmp_path):
    """A function that writes a config of the user's own; their folder is `own`."""
    folder = tmp_path / "own"
    folder.mkdir()

    def write(name, text):
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return folder

    return write


class TestOwnFiles:
    def test_a_wrong_value_names_file_and_key(self, own):
        folder = own("grid/mine", "defaults: [quick]\nbatch_size: [2, 0]\n")
        assert refusal(folder, "grid=mine").startswith("own/grid/mine.yaml: batch_size: grid.batch_size=0 must be")

    def test_an_unknown_key_names_file_and_key(self, own):
        folder = own("grid/mine", "defaults: [quick]\nbatchsize: [2]\n")
        assert refusal(folder, "grid=mine") == (
            "own/grid/mine.yaml: batchsize: unknown key grid.batchsize; did you mean 'grid.batch_size'?"
        )

    def test_a_value_of_the_file_that_it_is_based_on_names_that_one(self, own):
        own("measure/base", "defaults: [quick]\nrepetitions: 0\n")
        folder = own("measure/mine", "defaults: [base]\nseed: 2\n")
        assert refusal(folder, "measure=mine").startswith("own/measure/base.yaml: repetitions: measure.repetitions=0")

    def test_a_file_that_stands_before_a_shipped_one_of_the_same_name(self, own):
        folder = own("sampling/full", "fraction: 2\nseed: 0\n")
        assert refusal(folder).startswith("own/sampling/full.yaml: fraction: sampling.fraction=2.0")

    def test_an_experiment_that_sets_it(self, own):
        folder = own("experiment/caching", "# @package _global_\nmeasure:\n  seed: -1\n")
        assert refusal(folder, "experiment=caching").startswith(
            "own/experiment/caching.yaml: measure.seed: measure.seed=-1 must be"
        )

    def test_an_experiment_that_mistypes_a_key(self, own):
        folder = own("experiment/caching", "# @package _global_\ncachign: true\n")
        message = refusal(folder, "experiment=caching")
        assert message == "own/experiment/caching.yaml: cachign: unknown key cachign; did you mean 'caching'?"

    def test_the_command_line_wins_over_a_file(self, own):
        folder = own("grid/mine", "defaults: [quick]\nbatch_size: [2, 0]\n")
        assert refusal(folder, "grid=mine", "grid.batch_size=[-1]").startswith("command line: grid.batch_size=-1")


@pytest.mark.parametrize(
    ("override", "key", "place"),
    [
        ("grid.batch_size=[0]", "grid.batch_size", "command line"),
        ("++grid.batch_size=[0]", "grid.batch_size", "command line"),
        ("~measure.seed", "measure.seed", "command line"),
        ("grid={batch_size: 0}", "grid.batch_size", "config: grid.batch_size"),
        ("preprocess={quality: 0}", "preprocess.quality", "command line"),
        ("+cluster.spark.a.b=1", "cluster.spark", "command line"),
        ("grid=quick", "grid.batch_size", "config: grid.batch_size"),
        ("grid.batch_size_of_another=1", "grid.batch_size", "config: grid.batch_size"),
        ("hydra/launcher=basic", "hydra", "config: hydra"),
    ],
)
def test_an_override_is_the_origin_of_its_key_and_of_what_is_below_it(override, key, place):
    assert Origin(overrides=[override], choices={"grid": "quick"}).of(key) == place


def test_files_that_cannot_be_read_are_passed_over(tmp_path):
    (tmp_path / "config.yaml").write_text("a: [1\n")
    origin = Origin(choices={"grid": "quick"}, folders=[tmp_path, Path("/there/is/no/such/folder")])
    assert origin.of("measure.seed") == "config: measure.seed"


def test_shipped_files_are_named_from_the_checkout_or_package(config):
    with pytest.raises(ConfigError, match=r"^conf/dataset/folder\.yaml: path: dataset\.path has no value"):
        config("dataset=folder")
