"""The plan: what a run's identity depends on, and which runs share a job."""

import copy
import json
from pathlib import Path

import pytest

from flowerexp.config import plain, typed
from flowerexp.plan import PlannedRun, extended, named, plan, run_key
from flowerexp.workload.read_speed.readers import READERS

CODE = "0123456789abcdef"
TF_DATA = {"image_files", "tfrecords"}


def changed(config, path, value):
    """A copy of a config with one value changed."""
    copied = copy.deepcopy(plain(config))
    *nodes, key = path.split(".")
    node = copied
    for name in nodes:
        node = node[name]
    assert node.get(key) != value
    node[key] = value
    return typed(copied)


def with_settings(config, **settings):
    """A copy of a config whose experiment has other settings."""
    return typed({**plain(config), "entrypoint": {**plain(config)["entrypoint"], "settings": settings}})


def leaves(node, prefix=""):
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def backwards(config):
    """The same config, of which all keys were read in another order."""
    return typed(_backwards(plain(config)))


def _backwards(node):
    return {key: _backwards(node[key]) for key in reversed(node)} if isinstance(node, dict) else node


class TestRunKey:
    def test_is_the_same_for_the_same_run(self, config):
        key = run_key(config(), CODE)
        assert key == run_key(config(), CODE)
        assert len(key) == 16
        assert set(key) <= set("0123456789abcdef")

    def test_does_not_depend_on_the_order_of_keys(self, config):
        made = config()
        assert [*backwards(made).grid] != [*made.grid]
        assert run_key(backwards(made), CODE) == run_key(made, CODE)

    @pytest.mark.parametrize(
        "override",
        ["home=elsewhere", "storage.prepared=gs://b/p", "storage.generated=x", "tracking.uri=http://127.0.0.1:1",
         "tracking.experiment=other", "tracking.artifacts=null", "skip_finished=true",
         "sweep.repeats=3", "gcp.project=p", "quota=none", "budget.usd=5"],
    )  # fmt: skip
    def test_does_not_depend_on_where_things_are_kept_and_logged_nor_on_its_sweep(self, config, override):
        assert run_key(config(override), CODE) == run_key(config(), CODE)

    def test_does_not_depend_on_whose_project_a_cluster_is_in(self, config):
        one = config("cluster=four_nodes", "gcp.project=a", "gcp.subnetwork=s", "cluster.idle_delete_minutes=30")
        assert run_key(one, CODE) == run_key(config("cluster=four_nodes", "gcp.project=b"), CODE)
        assert run_key(one, CODE) != run_key(config("cluster=four_nodes", "gcp.project=a", "gcp.region=us-east1"), CODE)

    def test_changes_with_every_other_value(self, config):
        made = config("dataset=folder", "dataset.path=/photographs", "+cluster.spark.x=1")
        volatile = {"home", "storage", "tracking", "sweep", "gate", "skip_finished", "gcp", "quota", "budget"}
        volatile |= {"margin", "objective"}
        names = [name for name in leaves(plain(made)) if name.partition(".")[0] not in volatile]
        said = ["question", "value", "parameters", "products", "parts", "uses", "limits", "phases", "refuses"]
        said += ["shared", "repeatable", "needs", "simulates_bucket"]
        names = [name for name in names if not name.startswith(tuple(f"entrypoint.{one}" for one in said))]
        names = [name for name in names if not name.endswith(".kind")]  # which says what other keys there are
        assert {
            "caching",
            "repeat",
            "grid.batch_size",
            "dataset.path",
            "cluster.spark.x",
            "entrypoint.settings.page_cache",
            "measure.repetitions",
        } <= set(names)
        keys = [run_key(changed(made, name, "something else"), CODE) for name in names]
        assert len({run_key(made, CODE), *keys}) == len(names) + 1

    def test_changes_with_a_value_s_type(self, config):
        number, text = with_settings(config(), a=1), with_settings(config(), a="1")
        assert run_key(number, CODE) != run_key(text, CODE)

    def test_does_not_depend_on_how_the_experiment_is_shown_nor_on_data_that_it_does_not_use(self, config):
        shown = changed(config(), "entrypoint.question", "Really?")
        assert run_key(changed(shown, "entrypoint.phases", {}), CODE) == run_key(config(), CODE)
        assert run_key(changed(config(), "dataset.images", 3), CODE) != run_key(config(), CODE)

    def test_changes_with_the_code(self, config):
        assert run_key(config(), CODE) != run_key(config(), CODE[::-1])


def planned(*configs):
    return plan(configs, [Path(f"/outputs/{number}") for number in range(len(configs))], CODE)


class TestGrouping:
    def test_runs_of_one_cluster_and_script_share_a_job(self, config):
        first, second, other = config(), config("caching=false"), config("cluster.cores=1")
        made = planned(first, other, second)
        assert [[run.config for run in job.runs] for job in made.jobs] == [[first, second], [other]]
        assert [job.cluster for job in made.jobs] == [first.cluster, other.cluster]
        assert [run.folder.name for run in made.runs] == ["0", "2", "1"]
        assert {run.code_hash for run in made.runs} == {CODE}

    def test_scripts_differ_and_so_do_jobs(self, config):
        made = planned(config("entrypoint=write_shards"), config())
        assert [job.script for job in made.jobs] == ["spark_entry/write_shards.py", "spark_entry/read_speed.py"]

    def test_an_entrypoint_s_settings_do_not_part_runs(self, config):
        assert len(planned(config("entrypoint.settings.page_cache=cold"), config()).jobs) == 1

    def test_the_order_of_keys_does_not_part_runs(self, config):
        assert len(planned(config(), backwards(config())).jobs) == 1

    def test_nothing_to_plan(self):
        assert planned().jobs == []

    def test_each_run_needs_its_folder(self, config):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            plan([config()], [], CODE)

    def test_runs_carry_their_keys(self, config):
        made = planned(config(), config("caching=false"))
        assert [run.run_key for run in made.runs] == [run_key(run.config, CODE) for run in made.runs]


@pytest.mark.parametrize(
    ("overrides", "measurements"),
    [
        (["grid=quick"], 2 * 9 * 3),
        (["grid=notebook"], 2 * 16 * 3),
        (["grid=notebook", "grid.reader=tfrecords"], 16 * 3),
        (["grid=quick", f"grid.reader=[{','.join(READERS)}]"], len(READERS) * 9 * 3),
        (["grid.batch_size=1", "grid.batch_number=1", "measure.repetitions=1", "grid.reader=image_files"], 1),
        (["entrypoint=write_shards"], 0),
    ],
)
def test_measurements_are_counted_before_any_is_made(config, overrides, measurements):
    assert planned(config(*overrides)).runs[0].measurements == measurements


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "read_speed caching=true · local"),
        (["grid.reader=tfrecords", "caching=false"], "tfrecords caching=false · local"),
        (["entrypoint=write_shards"], "write_shards · local"),
    ],
)
def test_a_name_says_what_distinguishes_a_run(config, overrides, name):
    assert planned(config(*overrides)).runs[0].name == name


def test_a_sweep_s_names_say_what_it_varies_and_its_keys_do_not(config):
    alone = [run for value in (2, 16) for run in planned(config(f"preprocess.shards={value}")).runs]
    runs = named(alone, [{"preprocess.shards": "2"}, {"preprocess.shards": "16"}])
    assert [run.name for run in runs] == [f"shards={value} · read_speed" for value in (2, 16)]
    assert [run.run_key for run in runs] == [run.run_key for run in alone]
    assert named(alone[:1], [{"preprocess.shards": "2"}])[0].name == "read_speed caching=true · local"


@pytest.mark.parametrize(
    ("differs", "varied"),
    [
        ({"caching": "true", "preprocess.shards": "16", "repeat": "2"}, "caching=true shards=16"),
        ({"cluster": "four_nodes"}, "cluster=four_nodes"),
        ({"measure.seed": "1", "sampling.seed": "2", "repeat": "3"}, "measure.seed=1 sampling.seed=2"),
        ({"dataset.path": "/" + 40 * "x"}, f"path=/{26 * 'x'}..."),
    ],
)
def test_a_name_begins_with_what_is_varied_and_stays_short(config, differs, varied):
    (run,) = planned(config()).runs
    assert extended(run, differs) == f"{varied} · read_speed"


def test_what_a_name_has_said_is_not_said_again(config):
    (run,) = planned(config("grid.reader=tfrecords")).runs
    assert extended(run, {"grid.reader": "tfrecords"}) == "reader=tfrecords · read_speed"
    assert extended(run, {"caching": "true"}) == "caching=true · tfrecords"
    assert extended(run, {"repeat": "2"}) == run.name  # the same but for chance


def test_a_plan_can_be_written_down(config):
    written = json.dumps([plain(run.config) for run in planned(config()).runs])
    assert [typed(one) for one in json.loads(written)] == [config()]


class TestRequires:
    @pytest.mark.parametrize("reader", READERS)
    def test_tensorflow_is_asked_for_by_the_readers_that_import_it(self, config, tmp_path, reader):
        requires = PlannedRun("key", config(f"grid.reader={reader}"), tmp_path, CODE).requires
        assert ("tensorflow" in requires) == (reader in TF_DATA)
        assert requires["cv2"].startswith("opencv-python-headless==")

    def test_one_reader_is_enough(self, config, tmp_path):
        made = config("grid.reader=[tfrecords_native,tfrecords]")
        assert "tensorflow" in PlannedRun("key", made, tmp_path, CODE).requires

    def test_an_entrypoint_s_own_stay_whatever_the_reader(self, config, tmp_path):
        made = config("+entrypoint.requires.petals='petals==1.0'", "grid.reader=tfrecords_native")
        assert PlannedRun("key", made, tmp_path, CODE).requires["petals"] == "petals==1.0"

    def test_to_write_is_not_to_read(self, config, tmp_path):
        made = config("entrypoint=write_shards")
        assert "tensorflow" not in PlannedRun("key", made, tmp_path, CODE).requires
