"""`flowerexp rerun`: the same run again, from MLflow alone, and what differs since."""

from __future__ import annotations

import copy
import os
import shutil

import pytest

from flowerexp import cli
from flowerexp.config import Origin, plain, typed
from flowerexp.config.again import again
from flowerexp.config.redact import redacted
from flowerexp.errors import ConfigError
from flowerexp.tracking.drift import Change, drift, here, made_with
from tests.command import Home
from tests.composing import composed
from tests.tracking import CONFIG

CHANGING = {"git commit", "git changes", "code (hash)"}  # while somebody works on the checkout


@pytest.fixture(scope="module")
def home(tmp_path_factory, photos):
    home = Home(tmp_path_factory.mktemp("home"))
    shutil.copytree(photos, home.path / "photos")
    return home


@pytest.fixture(scope="module")
def old(home):
    """A run whose folder, and the files that it prepared, are gone: MLflow is all that is left of it."""
    answer = home(
        "dataset=folder", "dataset.path=photos", "grid.reader=tfrecords_native", "caching=false", "preprocess.shards=2",
        "grid.batch_size=[2,4]", "grid.batch_number=[2]", "measure.repetitions=2",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    shutil.rmtree(home.path / "outputs")
    shutil.rmtree(home.path / "data")
    (run,) = home.logged()
    return run


def drifted(out):
    """The drift table, by what differs."""
    lines = out.partition("differs now")[2].partition("\n\n")[0].splitlines()[1:]
    return {line.partition("  ")[0]: line.partition("  ")[2].split() for line in lines}


@pytest.mark.spark
def test_runs_again_after_its_folder_is_gone_and_shows_both_side_by_side(home, old):
    home.mlflow().update_run(old.info.run_id, name="shards=16 · tfrecords_native")  # as in a sweep
    answer = home("rerun", old.info.run_id[:6])
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"running {old.info.run_id[:8]} (shards=16 · tfrecords_native) again")
    assert drifted(answer.out).keys() <= CHANGING
    new = home.logged()[-1]
    assert new.info.run_name == "shards=16 · tfrecords_native"
    assert new.data.tags["rerun_of"] == old.info.run_id
    assert new.info.status == "FINISHED"
    assert new.data.params == old.data.params
    assert new.data.tags["data_fingerprint"] == old.data.tags["data_fingerprint"]
    record = home.record()
    assert (record["rerun_of"], len(home.rows())) == (old.info.run_id, 2 * 2 * 5)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("tfrecords")]
    assert line.split()[1] == home.runs[-1].name, "which the next command takes"
    assert line.split()[-1] in ("faster", "slower", "equal", "inconclusive", "suspect")
    assert f"run       {new.info.run_id}, rerun of {old.info.run_id}" in answer.out
    assert [folder.parents[1].name for folder in home.runs] == ["outputs"]


@pytest.mark.spark
@pytest.mark.long
def test_shows_packages_and_data_that_changed_before_it_runs(home, old):
    home.mlflow().set_tag(old.info.run_id, "version.numpy", "1.0.0")
    home.mlflow().set_tag(old.info.run_id, "version.departed", "3.1")
    photo = next((home.path / "photos" / "roses").iterdir())
    before = photo.stat()
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    answer = home("rerun", old.info.run_id, "measure.repetitions=1")
    assert answer.code == 0, answer.err
    new = home.logged()[-1]
    changes = drifted(answer.out)
    assert changes["numpy"] == ["1.0.0", new.data.tags["version.numpy"]]
    assert changes["departed"] == ["3.1", "not", "installed"]
    assert changes["data"] == [old.data.tags["data_fingerprint"], new.data.tags["data_fingerprint"]]
    assert changes["data"][0] != changes["data"][1]
    assert changes.keys() <= {"numpy", "departed", "data"} | CHANGING
    assert f"not comparable: different data ({' and '.join(changes['data'])})" in answer.out
    assert "images/s" in answer.out
    assert new.data.params["measure.repetitions"] == "1"
    assert new.info.run_name == "tfrecords_native caching=false · local"


@pytest.mark.spark
def test_a_rerun_that_fails_is_logged_and_fails(home, old):
    (home.path / "empty").mkdir()
    answer = home("rerun", old.info.run_id, f"dataset.tfrecords={home.path}/empty")
    assert answer.code == 1
    assert answer.errors == [
        line for line in answer.errors if line.startswith("flowerexp: dataset.tfrecords (command line): ")
    ]
    new = home.logged()[-1]
    assert (new.info.status, new.data.tags["rerun_of"]) == ("FAILED", old.info.run_id)
    assert f"not comparable: {home.runs[-1].name} failed: " in answer.out


@pytest.mark.spark
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["grid=wide"], "command line: grid=wide chooses a config, and a rerun keeps its own; change single values"),
        (["hydra/launcher=basic"], "hydra/launcher=basic chooses a config"),
        (["caching=true,false"], "command line: caching=true,false is a sweep over several values"),
        (["cachign=true"], "command line: unknown key cachign; did you mean 'caching'?"),
        (["reader=tfrecords"], "command line: unknown key reader; did you mean 'grid.reader'?"),
        (["grid.batchsize=[2]"], "command line: unknown key grid.batchsize; did you mean 'grid.batch_size'?"),
        (["measure.repetitions=0"], "command line: measure.repetitions=0 must be 1 or more"),
        (["grid.batch_size=[1"], "command line: 'grid.batch_size=[1' cannot be read as KEY=VALUE"),
        (["dataset.path=nowhere"], "dataset.path (command line): "),
        (["tracking.uri=sqlite:////nowhere/mlflow.db"], "there are no runs yet in /nowhere/mlflow.db"),
        (["trakcing.uri=x"], "command line: unknown key trakcing"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_one_line_and_nothing_is_run(home, old, capsys, monkeypatch, overrides, message):
    monkeypatch.setenv("FLOWEREXP_HOME", str(home.path))
    monkeypatch.setattr("flowerexp.orchestrate.run", None)
    before = len(home.logged()), home.runs
    with pytest.raises(SystemExit) as caught:
        cli.main(["rerun", old.info.run_id, *overrides])
    out, err = capsys.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert (len(home.logged()), home.runs) == before


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))
    return plain(composed([]))


def test_the_config_is_the_old_one_but_for_this_machines_places(place):
    old = plain(composed(["home=/elsewhere", "caching=false", "sweep.repeats=3", "repeat=2", "skip_finished=true"]))
    config = again(old, place, [], Origin())
    here = {key: place[key] for key in ("home", "storage", "tracking", "sweep", "skip_finished")}
    assert plain(config) == {**old, **here}
    assert (config.caching, config.repeat, config.skip_finished) == (False, 2, False)


def test_a_run_from_before_a_parameter_was_declared_has_its_default(place):
    optional = [name for name, one in place["entrypoint"]["parameters"].items() if one["default"] is not None]
    old = copy.deepcopy(place)
    for name in optional:
        del old["entrypoint"]["parameters"][name], old["grid"][name]
    config = again(old, place, [], Origin())
    assert config.entrypoint.idle(config.grid) == optional != []


@pytest.fixture
def own(place):
    """The config of a run whose experiment has settings of text and a number."""

    def own(**settings):
        old = copy.deepcopy(place)
        kinds = {key: {"type": "text"} if isinstance(one, str) else {"type": "int"} for key, one in settings.items()}
        old["entrypoint"] |= {"settings": settings, "limits": kinds}
        return plain(typed(old))

    return own


def test_overrides_are_hydras_and_values_are_not_interpolated_twice(place, own):
    old = own(pattern="${x}", place="here", count=1)
    overrides = ["entrypoint.settings.place=${home}/a", "entrypoint.settings.count=2", "measure={seed: 3}"]
    config = again(old, place, overrides, Origin())
    expected = {"pattern": "${x}", "place": f"{place['home']}/a", "count": 2}
    assert {name: config.entrypoint.settings[name] for name in old["entrypoint"]["settings"]} == expected
    assert (config.measure.seed, config.measure.repetitions) == (3, old["measure"]["repetitions"])


def test_a_hidden_secret_must_be_given_again(place, own):
    old = redacted(own(password="hunter2", url="http://me:pw@host/a"))
    overrides = ["entrypoint.settings.password=hunter3", "entrypoint.settings.url=http://host/a"]
    for place_of_it, missing in enumerate(("password", "url")):
        with pytest.raises(ConfigError) as caught:
            again(old, place, overrides[:place_of_it], Origin())
        key = f"entrypoint.settings.{missing}"
        assert f"{key} was a secret, which MLflow does not keep; give it again: {key}=VALUE" in str(caught.value)
    config = again(old, place, overrides, Origin())
    settings = config.entrypoint.settings
    assert (settings["password"], settings["url"]) == ("hunter3", "http://host/a")


def test_a_hidden_service_account_must_be_given_again_too(place):
    old = redacted(plain(composed(["cluster=four_nodes", "gcp.project=mine", "quota=none",
                                   "gcp.service_account=me@mine.iam.gserviceaccount.com"])))  # fmt: skip
    with pytest.raises(ConfigError, match=r"service_account was a secret.*give it again: cluster\.service_account="):
        again(old, place, [], Origin())


def test_a_key_that_flowerexp_no_longer_has_is_named(place):
    old = copy.deepcopy(place)
    old["grid"]["colour"] = ["red"]
    with pytest.raises(ConfigError, match=r"unknown key grid\.colour"):
        again(old, place, [], Origin())
    assert again(old, place, ["~grid.colour"], Origin()) == again(place, place, [], Origin())


def test_what_is_here_is_what_a_run_records(place, tmp_path):
    """The names of a run's tags and of what is found here without a run are the same."""
    now = here(typed(place))
    assert {"code (hash)", "Spark", "Java", "Python", "host", "platform", "cores", "numpy", "pyspark"} <= now.keys()
    assert drift(now, now) == []
    assert "data" in now, "generated photographs are known by their config"
    place["dataset"] = {"kind": "folder", "path": str(tmp_path / "nowhere")}
    assert "data" not in here(typed(place)), "a folder that is not there cannot be listed"


def test_drift_counts_what_came_or_went_but_not_what_only_one_side_knows():
    then = made_with({"version.gone": "1", "java": "17.0.1", "host": "a", "spark_master": "local[2]"})
    assert then == {"gone": "1", "Java": "17.0.1", "host": "a"}
    now = {"Java": "21.0.4", "come": "2", "data": "f", "cores": "4"}
    assert drift(then, now) == [
        Change("Java", "17.0.1", "21.0.4"),
        Change("cores", "not recorded", "4"),
        Change("come", "not installed", "2"),
        Change("gone", "1", "not installed"),
    ]


def test_the_record_of_a_run_names_the_one_that_it_repeats():
    from flowerexp.tracking.content import tags

    record = {"run_key": "k", "facts": {}, "rerun_of": "abc", "config": CONFIG}
    assert tags(record)["rerun_of"] == "abc"
    assert "rerun_of" not in tags(record | {"rerun_of": None})


class TestSimulatedBucket:
    """How fast a bucket is said to be is a part of what is measured; where data is kept is not."""

    def test_is_that_of_the_run_at_this_machines_places(self, tmp_path):
        old = plain(composed([f"home={tmp_path}/old", "storage.latency_ms=20"]))
        here = plain(composed([f"home={tmp_path}/new"]))
        made = again(old, here, [], Origin())
        assert made.storage.latency_ms == 20
        assert made.storage.prepared == here["storage"]["prepared"]
        assert again(old, here, ["storage.latency_ms=5"], Origin()).storage.latency_ms == 5

    def test_another_option_for_storage_is_taken_whole(self, tmp_path):
        here = plain(composed([f"home={tmp_path}", "storage=simulated_bucket"]))
        old = plain(composed([f"home={tmp_path}"]))
        assert again(old, here, [], Origin(overrides=["storage=simulated_bucket"])).storage.latency_ms == 30
        assert again(old, here, [], Origin()).storage.simulated is None
