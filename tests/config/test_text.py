"""Which keys hold text, and what was typed for them: on the command line, in sweeps, and in YAML files."""

from collections.abc import Callable
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from flowerexp import app
from flowerexp.config import check
from flowerexp.config.overrides import Parser
from flowerexp.config.text import as_typed, holds_text
from flowerexp.errors import ConfigError
from flowerexp.sweep.compose import Composer
from flowerexp.sweep.grammar import expand
from flowerexp.sweep.labels import labels

pytestmark = pytest.mark.slow

composed: Callable[..., Any] = app.composed

ODD = ["2024_10", "1e3", "1_000", "007", "0x10", "0b11", "1.10", "+5", "-0", ".5", "5.", "1E5", "inf", "-Inf", "NaN",
       "true", "True", "FALSE", "yes", "no", "2024-10-01", "12.30", "99999999999999999999999999", "1e400",
       "0.1"]  # fmt: skip
"""Texts of which some parser makes something else."""
IN_YAML = [*ODD, "017", "0o17", "12:30:45", "off", "2024", "0X1F", "1_0.5"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("dataset.path", True), ("dataset.classes", True), ("gcp.region", True), ("cluster.zones", True),
        ("cluster.master.machine_type", True), ("cluster.spark.spark.app.name", True), ("cluster.labels.team", True),
        ("grid", True), ("experiment", True), ("own/group", True), ("hydra.run.dir", True),
        ("hydra.job.env_set.X", True), ("sweep.axes.dataset.path", True), ("sweep.exclude.dataset.path", True),
        ("sweep.axes.measure.seed", False), ("measure.seed", False), ("caching", False),
        ("entrypoint.settings.x", False),
        ("cluster.cores", False), ("hydra.launcher.max_clusters", False), ("nothing", False), ("dataset", True),
    ],
)  # fmt: skip
def test_which_keys_hold_text(key, text):
    assert holds_text(key) is text


def test_a_number_stays_one_where_its_text_comes_back():
    assert as_typed("dataset.path", 2024, "2024") == 2024
    assert as_typed("dataset.path", 202410, "2024_10") == "2024_10"
    assert as_typed("dataset.path", True, "true") == "true"
    assert as_typed("grid", 2024, "2024") == "2024"
    assert as_typed("measure.seed", 1000, "1_000") == 1000


class TestOnTheCommandLine:
    @pytest.mark.parametrize("text", [*ODD, "2024", "a", "a-1"])
    def test_text_is_what_was_typed(self, text):
        made = composed(["dataset=folder", f"dataset.path=/x/{text}", f"dataset.classes=[{text},z]",
                             f"+cluster.spark.x.y={text}", f"cluster.name={text}",
                             f"tracking={{experiment:{text}}}"])  # fmt: skip
        assert made.dataset.path == f"/x/{text}"
        assert made.dataset.classes == (text, "z")
        assert str(made.cluster.spark["x.y"]) == text
        assert made.cluster.name == text
        assert made.tracking.experiment == text

    @pytest.mark.parametrize("text", ODD)
    def test_what_is_made_of_it_has_the_text_too(self, text, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        made = composed([f"home={text}"])
        assert made.home == str(tmp_path / text)
        assert made.storage.prepared == str(tmp_path / text / "data/prepared")

    def test_numbers_and_truth_values_are_read_as_ever(self):
        made = composed(["dataset.images=1_000", "sampling.fraction=1e-2", "caching=FALSE", "grid.batch_size=[1_0]"])
        assert (made.dataset.images, made.sampling.fraction, made.caching) == (1000, 0.01, False)
        assert made.grid["batch_size"] == [10]

    def test_null_is_no_text_unless_it_is_quoted(self):
        with pytest.raises(ConfigError, match=r"quote it: 'tracking\.experiment=\"null\"'"):
            composed(["tracking.experiment=null"])
        assert composed(["tracking.experiment='null'"]).tracking.experiment == "null"
        assert composed(["dataset.tfrecords=null"]).dataset.tfrecords is None

    def test_hydra_s_own_folders(self):
        config = app.create().compose_config("config", ["hydra.run.dir=2024_10", "hydra.job.name=1e3"], RunMode.RUN)
        assert (config.hydra.run.dir, config.hydra.job.name) == ("2024_10", "1e3")

    def test_arguments_of_functions_stay_numbers(self):
        parse = Parser.create().parse_override
        assert [*parse("dataset.path=range(2_020,2023)").sweep_iterator()] == [2020, 2021, 2022]
        assert [*parse("dataset.path=sort(2_2,2_1,reverse=false)").sweep_iterator()] == ["2_1", "2_2"]
        assert [*parse("dataset.path=choice(1e3,'x')").sweep_string_iterator()] == ["1e3", "x"]


@pytest.fixture
def application(tmp_path):
    """An application with configs of the user's own, and a function that writes one."""

    def write(name, text):
        path = tmp_path / "own" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    (tmp_path / "own").mkdir()
    yield app.create(str(tmp_path / "own")), write
    GlobalHydra.instance().clear()


def checked(application, *overrides) -> Any:
    config = application.compose_config("config", list(overrides), RunMode.RUN)
    return check(app.without_hydra(config), app.origin_of(config))


class TestInFiles:
    @pytest.mark.parametrize("text", IN_YAML)
    def test_text_is_what_was_written(self, application, text):
        own, write = application
        write("dataset/mine", f"defaults: [folder]\npath: &it {text}\nclasses: [{text}, z]\ntfrecords: *it\n")
        write("experiment/mine", f"# @package _global_\ntracking: {{experiment: {text}}}\nhome: {text}\n")
        made = checked(own, "dataset=mine", "experiment=mine")
        assert made.dataset.classes == (text, "z")
        assert made.dataset.path.rpartition("/")[2] == text
        assert made.dataset.tfrecords.rpartition("/")[2] == text
        assert made.tracking.experiment == text
        assert made.home.rpartition("/")[2] == text

    def test_merged_mappings_and_open_ones(self, application):
        own, write = application
        write("experiment/mine", "# @package _global_\ncluster:\n"
              "  spark: &both {spark.app.name: 2024_10, spark.cores: 2}\n"
              "tracking: {<<: {experiment: 1_0}}\n")  # fmt: skip
        made = checked(own, "experiment=mine")
        assert made.tracking.experiment == "1_0"
        assert made.cluster.spark == {"spark.app.name": "2024_10", "spark.cores": 2}

    def test_numbers_are_read_as_ever(self, application):
        own, write = application
        write("measure/mine", "defaults: [quick]\nseed: 1_000\n")
        assert checked(own, "measure=mine").measure.seed == 1000

    def test_options_whose_names_are_numbers(self, application):
        own, write = application
        write("measure/2024_10", "defaults: [quick]\nseed: 7\n")
        assert checked(own, "measure=2024_10").measure.seed == 7

    def test_in_a_source_that_cannot_be_read_again_it_is_refused(self, application, monkeypatch):
        own, write = application
        write("dataset/mine", "defaults: [folder]\npath: 2024_10\n")
        monkeypatch.setattr("flowerexp.config.loader._texts", lambda *_: None)
        with pytest.raises(ConfigError, match=r"dataset/mine: dataset\.path=202410 is text.*put it into quotes there"):
            checked(own, "dataset=mine")


class TestInSweeps:
    def runs(self, own, *overrides) -> Any:
        master = own.compose_config("config", list(overrides), RunMode.MULTIRUN)
        task: Any = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        found = expand(task, master.sweep, own.config_loader)
        composer = Composer(own, "config", master)
        configs = [composer.compose(run) for run in found]
        return [check(one.config, one.origin) for one in configs], labels(found)

    @pytest.mark.parametrize(
        "typed",
        ["dataset.path=2024_10,2024_11,202410,true,1e3", "dataset.path=choice(2024_10,2024_11,202410,true,1e3)",
         "sweep.axes.dataset.path=[2024_10,2024_11,202410,true,1e3]",
         "sweep.axes={dataset.path:'2024_10,2024_11,202410,true,1e3'}",
         "sweep.zip=[{dataset.path:[2024_10,2024_11,202410,true,1e3]}]"],
    )  # fmt: skip
    def test_values_and_labels_are_what_was_typed(self, application, typed):
        configs, told = self.runs(application[0], "dataset=folder", typed)
        names = ["2024_10", "2024_11", "202410", "true", "1e3"]
        assert [config.dataset.path.rpartition("/")[2] for config in configs] == names
        assert told == [{"dataset.path": name} for name in names]

    def test_of_a_file(self, application):
        own, write = application
        write("experiment/mine", "# @package _global_\nhydra: {mode: MULTIRUN}\nsweep:\n"
              "  axes: {dataset.path: [2024_10, 2024_11, 7]}\n  exclude: [{dataset.path: 2024_11}]\n")  # fmt: skip
        configs, told = self.runs(own, "dataset=folder", "experiment=mine")
        assert [config.dataset.path.rpartition("/")[2] for config in configs] == ["2024_10", "7"]
        assert told == [{"dataset.path": "2024_10"}, {"dataset.path": "7"}]

    def test_a_number_is_excluded_by_its_text(self, application):
        typed = ("dataset.path=2024_10,202410", "sweep.exclude=[{dataset.path:202410}]")
        assert self.runs(application[0], "dataset=folder", *typed)[0][0].dataset.path.endswith("2024_10")

    def test_truth_values_of_other_keys_are_labelled_as_in_yaml(self, application):
        assert self.runs(application[0], "caching=TRUE,False")[1] == [{"caching": "true"}, {"caching": "false"}]
