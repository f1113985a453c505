"""The folders of a sweep's runs: one for each, found to be so before anything starts."""

from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from flowerexp import app
from flowerexp.errors import ConfigError
from flowerexp.journal.journal import Journal
from flowerexp.sweep import launch
from flowerexp.sweep.around import Around
from flowerexp.sweep.compose import Composer
from flowerexp.sweep.folders import check_names
from flowerexp.sweep.grammar import expand

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]


@pytest.fixture
def planned():
    """The planned runs of a command line's sweep."""

    def planned(*overrides, first=0, folder=Path("/sweep")):
        application = app.create()
        master = application.compose_config("config", list(overrides), RunMode.MULTIRUN)
        task: Any = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        composer = Composer(application, "config", master)
        runs, around = expand(task, master.sweep, application.config_loader), Around(master, folder)
        made = [launch._made(composer.compose(run), master, around, number) for number, run in enumerate(runs)]
        return launch._runs(made, folder, first)

    yield planned
    GlobalHydra.instance().clear()


def test_each_run_s_folder_is_named_by_its_own_config(planned):
    runs = planned("hydra.sweep.subdir='cache-${caching}-${preprocess.shards}-${hydra:job.num}'",
                   "caching=true,false", "preprocess.shards=2,4")  # fmt: skip
    for number, run in enumerate(runs):
        config = run.config
        assert run.folder == Path(f"/sweep/cache-{config.caching}-{config.preprocess.shards}-{number}")
        assert run.label == f"caching={str(config.caching).lower()} preprocess.shards={config.preprocess.shards}"


@pytest.mark.parametrize(
    ("subdir", "said"),
    [
        ("run", "run 0 and run 1 would share the folder run"),
        ("2024_10", "run 0 and run 1 would share the folder 2024_10"),
        ("'cache-${caching}'", "run 0 and run 2 would share the folder cache-True"),
        ("'${hydra:job.num}/x'", "run 0 would have the folder '0/x', and each run needs a folder of its own"),
        ("'..'", "run 0 would have the folder '..', and each run needs"),
        ("/tmp/x", "run 0 would have the folder '/tmp/x', and each run needs"),
        ("''", "run 0 would have the folder '', which cannot be a name"),
        ("plan.json", "run 0 would have the folder 'plan.json', which belongs to the sweep itself"),
        ("jobs", "which belongs to the sweep itself"),
        ("'.x${hydra:job.num}'", "which belongs to the sweep itself"),
        (f"'{'x' * 260}'", "which is longer than 255 bytes"),
    ],
)
def test_what_runs_would_share_is_refused(planned, subdir, said):
    with pytest.raises(ConfigError) as caught:
        planned(f"hydra.sweep.subdir={subdir}", "caching=true,false", "sweep.repeats=2")
    message = str(caught.value)
    assert message.startswith("hydra.sweep.subdir: ")
    assert said in message
    assert message.endswith("write one that differs between the runs, such as ${hydra:job.num}")
    assert "\n" not in message


def test_folders_of_earlier_batches_count(planned):
    check_names(["2", "3"], 2, ["0", "1"])
    with pytest.raises(ConfigError, match="an earlier run and run 3 would share the folder 1"):
        check_names(["2", "1"], 2, ["0", "1"])


def test_a_later_batch_has_the_id_of_the_first_whatever_day_it_is(planned, tmp_path):
    first = planned("hydra.sweep.dir=" + str(tmp_path), folder=tmp_path)
    Journal(tmp_path).write_plan({"sweep_id": "2020-02-29-mine", "max_clusters": 1, "max_failures": None}, first, [[]])
    (later,) = planned(first=1, folder=tmp_path)
    assert later.extra["sweep_id"] == "2020-02-29-mine"
    assert first[0].extra["sweep_id"].endswith(f"-{tmp_path.name}")


def test_no_secret_names_a_folder(planned):
    (run,) = planned("hydra.sweep.subdir='${hydra:job.override_dirname}'", "+cluster.spark.my.password=hunter2")
    assert "hunter2" not in run.folder.name
    assert "my.password=" in run.folder.name


def test_a_change_of_directory_is_left_out(planned):
    application = app.create()
    master = application.compose_config("config", ["hydra.job.chdir=true"], RunMode.MULTIRUN)
    composed = Composer(application, "config", master).compose([])
    assert Around(master, Path("/sweep")).run(composed.config, composed.origin, 0, []).hydra.job.chdir is False
    assert master.hydra.job.chdir is True
