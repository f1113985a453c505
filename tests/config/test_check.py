"""The check of a composed config: what is refused, and in which words; what is right passes unchanged."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from flowerexp.config import Origin, check, plain
from flowerexp.errors import ConfigError
from tests.composing import composed

FOLDER = ("dataset=folder", "dataset.path=/photographs")


def refusal(*overrides):
    """The message for a config that is refused; it is one line and names the command line."""
    with pytest.raises(ConfigError) as caught:
        composed(overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("prefix", ["", "+", "++"])
@pytest.mark.parametrize(
    ("mistyped", "hint"),
    [
        ("cachign=true", "did you mean 'caching'?"),
        ("expermient=caching", "did you mean 'experiment'?"),
        ("gird=quick", "did you mean 'grid'?"),
        ("grid.batchsize=4", "did you mean 'grid.batch_size'?"),
        ("cluster.wrokers=9", "did you mean"),
        ("dataset.imgaes=9", "did you mean 'dataset.images'?"),
        ("sampling.fractoin=0.5", "did you mean 'sampling.fraction'?"),
        ("preprocess.qualty=90", "did you mean 'preprocess.quality'?"),
        ("entrypoint.scirpt=x.py", "did you mean 'entrypoint.script'?"),
        ("storage.prepard=x", "did you mean 'storage.prepared'?"),
        ("tracking.url=x", "did you mean 'tracking.uri'?"),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(prefix, mistyped, hint):
    key = mistyped.partition("=")[0]
    message = refusal(prefix + mistyped)
    assert message.startswith(f"command line: unknown key {key};")
    assert hint in message


def test_a_key_of_another_kind_of_data_set_is_unknown():
    assert refusal("+dataset.path=/photographs").startswith("command line: unknown key dataset.path;")
    assert refusal(*FOLDER, "+dataset.images=9").startswith("command line: unknown key dataset.images;")


def test_what_spark_has_of_its_own_is_open():
    assert composed(["+cluster.spark={spark.task.cpus: 2}"]).cluster.spark == {"spark.task.cpus": 2}


def test_sparks_properties_are_set_by_their_names():
    typed = ["cluster.spark.spark.speculation=true", "cluster.spark.spark.speculation.interval=100ms",
             "+cluster.spark.spark.app.name=a:b", "cluster.spark.spark.empty="]  # fmt: skip
    assert composed(typed).cluster.spark == {
        "spark.speculation": "true", "spark.speculation.interval": "100ms", "spark.app.name": "a:b", "spark.empty": "",
    }  # fmt: skip
    assert refusal("cluster.spark.x=[1").startswith("command line: 'cluster.spark.x=[1' cannot be read as KEY=VALUE")


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("caching=1", "true or false"),
        ("caching=yes", "true or false"),
        ("caching=null", "true or false"),
        ("preprocess.exact=[true]", "true or false"),
        ("measure.repetitions=true", "a whole number"),
        ("measure.repetitions=3.0", "a whole number"),
        ("measure.repetitions=three", "a whole number"),
        ("measure.repetitions=null", "a whole number"),
        ("measure.repetitions=[3]", "a whole number"),
        ("grid.batch_size=2.5", "a whole number"),
        ("grid.batch_size=[2,four]", "a whole number"),
        ("grid.batch_size=[2,[4]]", "a whole number"),
        ("grid.batch_size=null", "a whole number"),
        ("sampling.fraction=half", "a number"),
        ("sampling.fraction=true", "a number"),
        ("home=[a]", "a word or path"),
        ("cluster.spark=3", "a group of keys"),
        ("cluster.cores=0", "1 or more"),
        ("cluster.cores=many", "a whole number"),
        ("grid.batch_size=0", "1 or more"),
        ("grid.batch_size=[4,-1]", "1 or more"),
        ("grid.batch_number=0", "1 or more"),
        ("measure.repetitions=0", "1 or more"),
        ("measure.concurrency=0", "1 or more"),
        ("measure.seed=-1", "0 or more"),
        ("dataset.images=0", "1 or more"),
        ("dataset.images=10000001", "at most 10,000,000"),
        ("sampling.fraction=0", "more than 0"),
        ("sampling.fraction=-0.5", "more than 0"),
        ("sampling.fraction=1.01", "at most 1"),
        ("sampling.fraction=nan", "more than 0"),
        ("sampling.fraction=inf", "at most 1"),
        ("preprocess.quality=101", "at most 100"),
        ("preprocess.shards=0", "1 or more"),
        ("preprocess.target_size=192", "a list of 2"),
        ("preprocess.target_size=[192,192,3]", "a list of 2"),
        ("preprocess.target_size=[192,0]", "1 or more"),
        ("grid.batch_size=[]", "a list of at least one"),
        ("grid.batch_size=[4,4]", "a list without repetitions"),
        ("grid.reader=[tfrecords,tfrecords]", "a list without repetitions"),
        ("dataset.classes=[]", "a list of at least one"),
        ("dataset.classes=[a,a]", "a list without repetitions"),
    ],
)
def test_a_wrong_value_is_refused(override, wanted):
    key = override.partition("=")[0]
    message = refusal(override)
    assert message.startswith(f"command line: {key}=")
    assert message.endswith(f"must be {wanted}")


def test_a_word_that_means_nothing_must_be_quoted():
    message = refusal("home=null")
    assert (
        message == """command line: home=null must be a word or path; if you mean the word, quote it: 'home="null"'"""
    )


def test_a_wrong_value_that_is_another_key_s_is_that_key_s():
    message = refusal("cluster=four_nodes", "gcp.project=p", "gcp.region=us-central1-a")
    assert message.startswith("command line: gcp.region=us-central1-a must be a region")


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        (
            "grid.reader=tfrecord",
            "lmdb_native, image_files_cached, tfrecords_cached; did you mean 'tfrecords'?",
        ),
        ("entrypoint.settings.on_short=dorp", "one of fail, drop; did you mean 'drop'?"),
        ("entrypoint.settings.page_cache=hot", "one of warm, cold, as_found"),
        ("dataset.on_error=skpi", "one of fail, skip; did you mean 'skip'?"),
        ("cluster.memory=3", "write 512m or 2g"),
        ("cluster.memory=1gb", "write 512m or 2g"),
        ("dataset.kind=bucket", "choose from folder, synthetic"),
        ("cluster.kind=lokal", "did you mean 'local'?"),
    ],
)
def test_a_wrong_choice_comes_with_the_right_ones(override, hint):
    assert hint in refusal(override)


@pytest.mark.parametrize(
    ("overrides", "where", "hint"),
    [
        (["dataset=folder"], "conf/dataset/folder.yaml: path", "add dataset.path=VALUE to the command line"),
        (["dataset.images=???"], "command line", "add dataset.images=VALUE"),
        (["~caching"], "caching", "caching=VALUE"),
        (["~dataset"], "dataset", "dataset=VALUE"),
        (["~grid.batch_size"], "grid.batch_size", "grid.batch_size=VALUE"),
    ],
)
def test_what_is_missing_is_named(overrides, where, hint):
    message = refusal(*overrides)
    assert where in message
    assert hint in message


@pytest.mark.parametrize("missing", ["nope", "oc.env:FLOWEREXP_NO_SUCH_VARIABLE"])
@pytest.mark.parametrize("key", ["home", "storage.prepared", "dataset.seed", "grid.batch_size"])
def test_an_interpolation_that_leads_nowhere_names_what_it_looked_for(key, missing):
    message = refusal(f"{key}=${{{missing}}}")
    assert "cannot be resolved" in message
    assert missing.removeprefix("oc.env:") in message
    assert key in message or key == "home"  # the first key that is made of home


def test_an_interpolation_that_leads_somewhere_is_resolved(config):
    assert config("dataset.seed=${measure.repetitions}", "measure.repetitions=7").dataset.seed == 7


def test_a_reader_that_cannot_turn_photographs_is_refused_before_anything_starts(config):
    with pytest.raises(
        ConfigError, match=r"orientation=exif does not go with grid.reader=image_files: .*=image_files_native"
    ) as caught:
        config("preprocess.orientation=exif", "grid.reader=[tfrecords,image_files]")
    assert "command line" in str(caught.value)
    for more in (["grid.reader=image_files_native"], ["grid.reader=tfrecords"], ["entrypoint=write_shards"]):
        assert config("preprocess.orientation=exif", *more).preprocess.orientation == "exif"


class TestWhatIsRight:
    def test_passes_unchanged(self, tmp_path, config):
        whole = plain(config("grid=notebook", "cluster.cores=2", "dataset.classes=[a]", "+cluster.spark={spark.x: 1}"))
        whole["storage"]["prepared"] = "gs://bucket/prepared"
        assert plain(check(OmegaConf.create(whole))) == whole

    def test_a_config_from_before_clouds_still_is_one(self, config):
        whole = {key: value for key, value in plain(config()).items() if key not in ("gcp", "quota", "budget")}
        del whole["cluster"]["name"]
        made = check(OmegaConf.create(whole))
        assert made.cluster.name == "local"
        assert made.quota.source == "none"

    def test_a_single_value_becomes_a_list_of_one(self, config):
        made = config("grid.batch_size=4", "grid.reader=tfrecords", "dataset.classes=roses")
        assert (made.grid["batch_size"], made.grid["reader"], made.dataset.classes) == ([4], ["tfrecords"], ("roses",))

    def test_whole_numbers_are_numbers_and_numbers_may_name_folders(self, config):
        made = config("sampling.fraction=1", "dataset.classes=[2023,2024]")
        assert isinstance(made.sampling.fraction, float)
        assert made.dataset.classes == ("2023", "2024")

    def test_optional_values_may_be_null_and_left_out(self, config):
        made = config("cluster.cores=null", "~measure.seed", "~cluster.memory")
        assert made.cluster.cores is None
        assert made.measure.seed == 0
        assert made.cluster.memory == "1g"

    def test_the_limits_themselves_are_allowed(self, config):
        made = config("sampling.fraction=1.0", "preprocess.quality=100", "grid.batch_size=1", "measure.seed=0")
        assert (made.preprocess.quality, made.grid["batch_size"]) == (100, [1])

    def test_the_defaults_of_a_default_do_not_leak_from_one_config_to_the_next(self, config):
        config("~cluster.spark").cluster.spark["spark.task.cpus"] = "2"
        assert config("~cluster.spark").cluster.spark == {}


@pytest.mark.parametrize("option", ["synthetic", "flowers", "folder"])
def test_each_kind_of_data_set_has_the_keys_of_its_kind(config, option):
    path = ["dataset.path=photographs"] if option == "folder" else []
    dataset = plain(config(f"dataset={option}", *path).dataset)
    assert ("images" in dataset) == (option == "synthetic")
    assert dataset.get("path") == {"folder": str(Path("photographs").absolute()), "flowers": "gs://flowers-public"}.get(
        option
    )


@pytest.mark.parametrize(
    "group",
    [
        "grid",
        "measure",
        "cluster",
        "sampling",
        "entrypoint",
        "tracking",
        "dataset",
        "storage",
        "gcp",
        "quota",
        "budget",
    ],
)
def test_every_shipped_option_is_right(config, group):
    from flowerexp.config.places import group_options

    for option in group_options()[group]:
        wanted = {
            "dataset=folder": ["dataset.path=x"],
            "cluster=spark_master": ["cluster.master=spark://host:7077"],
            "grid=aggregate": ["entrypoint=aggregate"],
            "grid=train": ["entrypoint=train"],
        }
        chosen = f"{group}={option}"
        assert config(chosen, "gcp.project=mine", *wanted.get(chosen, []))


def test_a_cluster_in_the_cloud_wants_a_project_and_keeps_data_in_its_bucket(config, monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(ConfigError, match=r"gcp/default\.yaml: project: gcp\.project=null.*gcp\.project=ID"):
        config("cluster=four_nodes")
    made = config("cluster=four_nodes", "gcp.project=mine", "gcp.region=europe-west1")
    assert made.storage.prepared == "gs://mine-flowerexp/flowerexp/data/prepared"
    assert (made.cluster.region, made.cluster.workers.count) == ("europe-west1", 3)


def test_smoke_drops_cells_that_are_too_large(config):
    assert config("sampling=smoke", "grid=notebook").entrypoint.settings["on_short"] == "drop"
    assert config("sampling=smoke", "entrypoint.settings.on_short=fail").entrypoint.settings["on_short"] == "fail"


class TestFolders:
    def test_are_absolute_wherever_the_command_is_called(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        made: Any = composed(
            ["home=here", "dataset=folder", "dataset.path=../photographs", "dataset.tfrecords=records"]
        )
        home = tmp_path / "here"
        assert made.home == str(home)
        assert made.storage.folders == {"generated": f"{home}/data/generated", "prepared": f"{home}/data/prepared"}
        assert made.tracking.uri == f"sqlite:///{home}/mlruns/mlflow.db"
        assert made.tracking.artifacts == f"{home}/mlruns/artifacts"
        assert Path(made.dataset.path).is_absolute()
        assert Path(made.dataset.path).resolve() == tmp_path.parent / "photographs"
        assert made.dataset.tfrecords == str(tmp_path / "records")

    def test_uris_stay(self, config):
        made = config("dataset.tfrecords=gs://b/t", "storage.prepared=gs://b/p", "tracking.uri=http://127.0.0.1:1")
        assert made.dataset.tfrecords == "gs://b/t"
        assert made.storage.prepared == "gs://b/p"
        assert made.tracking.uri == "http://127.0.0.1:1"

    def test_the_users_home_is_meant_by_a_tilde(self, config, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert config("dataset=folder", "dataset.path='~/photographs'").dataset.path == f"{tmp_path}/photographs"


def test_without_an_origin_the_message_still_names_the_key():
    config = OmegaConf.create(plain(composed([])))
    config.grid.batchsize = 3
    with pytest.raises(ConfigError, match=r"^config: grid\.batchsize: unknown key grid\.batchsize; did you mean"):
        check(config, Origin())
