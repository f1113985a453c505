"""The command line: what it shows, what it refuses and how, and that showing and refusing costs nothing."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import flowerexp
from flowerexp import cli
from flowerexp.commands import experiment
from flowerexp.commands.help import LISTED, page
from flowerexp.config.places import config_folder, group_options
from flowerexp.errors import DataError

pytestmark = pytest.mark.slow

HEAVY = ("tensorflow", "pyspark", "mlflow", "pandas", "sklearn", "matplotlib", "cv2", "pyarrow")


@pytest.fixture
def ran(monkeypatch):
    """The list of configs that were run: runs only note that they were called."""
    configs: list[Any] = []
    monkeypatch.setattr(experiment, "before_run", lambda *_: None)
    monkeypatch.setattr(experiment, "Task", lambda: configs.append)
    return configs


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Call the command line in this process, in an empty folder that is its home too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWEREXP_HOME", raising=False)
    monkeypatch.setattr(logging.root, "handlers", [])  # Hydra's would outlive the stream that they write to
    monkeypatch.setattr(logging.root, "level", logging.root.level)

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def process(*command, **environment):
    """Call a command in a process of its own; returns what it printed and its exit code."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("COMP_")}
    return subprocess.run(
        [sys.executable, *command], env={**inherited, **environment}, capture_output=True, text=True, check=False
    )


MISTAKES = [
    (["grid=quik"], "command line: there is no grid=quik; did you mean 'quick'?"),
    (["cluster=lokal"], "command line: there is no cluster=lokal; did you mean 'local'?"),
    (["gird=quick"], "command line: unknown key gird; did you mean 'grid'?"),
    (["grid.batchsize=3"], "unknown key grid.batchsize; did you mean 'grid.batch_size'?"),
    (["+grid.batchsize=3"], "unknown key grid.batchsize; did you mean 'grid.batch_size'?"),
    (["entrypoint.settings.page_cach=cold"], "did you mean 'entrypoint.settings.page_cache'?"),
    (["+entrypoint.settings.page_cach=cold"], "did you mean 'entrypoint.settings.page_cache'?"),
    (["+entrypoint.settings.x=1"], "unknown key entrypoint.settings.x; choose from accelerator_batch"),
    (["measure.repetition=3"], "command line: unknown key measure.repetition; did you mean 'measure.repetitions'?"),
    # A key that stands somewhere else, as these did once.
    (["reader=tfrecords"], "command line: unknown key reader; did you mean 'grid.reader'?"),
    (["+reader=tfrecords"], "command line: unknown key reader; did you mean 'grid.reader'?"),
    (["grid.repetitions=3"], "unknown key grid.repetitions; did you mean 'measure.repetitions'?"),
    (["+grid.seed=3"], "did you mean 'measure.seed'?"),
    (["grid.page_cache=cold"], "did you mean 'entrypoint.settings.page_cache'?"),
    (
        ["entrypoint=write_shards", "grid.batch_size=3"],
        "unknown key grid.batch_size; leave it out, or declare it in entrypoint.parameters",
    ),
    (["+cluster.wrokers=9"], "command line: unknown key cluster.wrokers"),
    (["++cachign=true"], "command line: unknown key cachign; did you mean 'caching'?"),
    (["~cachign"], "command line: unknown key cachign; did you mean 'caching'?"),
    (["grid.batch_size=0"], "command line: grid.batch_size=0 must be 1 or more"),
    (["grid.batch_size=[1"], "command line: 'grid.batch_size=[1' cannot be read as KEY=VALUE; quote"),
    (["dataset.path=~/a"], "command line: 'dataset.path=~/a' cannot be read as KEY=VALUE; quote"),
    (
        ["home=a=b"],
        "'home=a=b' cannot be read as KEY=VALUE; quote values that hold spaces, commas, brackets, quotes, or "
        "one of = # & ~ : ! ;: 'home=\"a=b\"'",
    ),
    (["hydra/launcher=nope"], "command line: there is no hydra/launcher=nope; choose from basic, flowerexp"),
    (
        ["cluster.spark={a:1}"],
        "command line: cluster.spark={a:1} sets keys that are not in cluster.spark; write '+",
    ),
    (["hydra.verbose=3"], "hydra.verbose: it must be true, false, or the names of loggers"),
    (["hydra.verbose=[1]"], "hydra.verbose: it must be true, false, or the names of loggers"),
    (["hydra.job.env_copy=[NO_SUCH]"], "hydra.job.env_copy: there is no environment variable 'NO_SUCH'"),
    (["+storage=local"], "command line: storage is chosen already; leave the + out: storage=OPTION"),
    (["grid=${no_resolver:1}"], "command line: grid=${no_resolver:1} does not name an option"),
    (["home='~nobody-here/x'"], "command line: home=~nobody-here/x: there is no home folder for ~nobody-here"),
    (["hydra.launcher.max_clusters=0"], "command line: hydra.launcher.max_clusters=0 must be 1 or more"),
    (["-m", "hydra.launcher.max_failures=0", "caching=true"], "hydra.launcher.max_failures=0 must be 1 or more"),
    (["-m", "sweep.repeats=1000000000"], "sweep.repeats: 1,000,000,000 runs are more than 100,000"),
    (["hydra.run.dir=${nope}"], "hydra.run.dir: Interpolation key 'nope' not found"),
    (["hydra.run.dir=${hydra:nope.x}"], "hydra.run.dir: "),
    (["home=${hydra:runtime.output_dir}"], "home: ${hydra:runtime.output_dir} has no value before the run starts"),
    (["grid.batch_size=1,2"], "is a sweep over several values; add -m to run them all, or write a list"),
    (["grid=quick,wide"], "command line: grid=quick,wide is a sweep over several values; add -m"),
    (["caching=choice(true,false)"], "is a sweep over several values; add -m"),
    # What describes a sweep would be run once, without a word.
    (["sweep.repeats=3"], "command line: sweep.repeats has no effect on a single run; add -m to run them all"),
    (["+sweep.axes.caching=[true,false]"], "command line: sweep.axes has no effect on a single run; add -m"),
    (["sweep.axes={caching: [true, false]}"], "command line: sweep.axes has no effect"),
    (["sweep.zip=[{caching: [true, false]}]"], "command line: sweep.zip has no effect on a single run; add -m"),
    (["sweep.fraction=plackett_burman"], "command line: sweep.fraction has no effect on a single run; add -m"),
    (["--detach"], "--detach: only a sweep can be detached; add -m to make it a sweep"),
    (["sweep.order=random"], "command line: sweep.order has no effect on a single run; add -m"),
    (["experiment=caching", "hydra.mode=RUN"], "conf/experiment/caching.yaml: sweep.axes: sweep.axes has no effect"),
    (["grid.batch_size={a: 1}"], "command line: grid.batch_size={a: 1}"),
    (["+measure.seed=3"], "'measure.seed'"),
    (["dataset=folder"], "conf/dataset/folder.yaml: path: dataset.path has no value; add dataset.path=VALUE"),
    (["dataset=null"], "command line: dataset=null"),
    (["experiment=nothing"], "there is no experiment=nothing"),
    (["dataset.seed=${nope}"], "command line: dataset.seed cannot be resolved: Interpolation key 'nope' not found"),
    (["home="], "command line: home= must be a word or path"),
    (["uii"], "command line: 'uii' is not a command; did you mean 'ui'?"),
    (["lgo", "outputs"], "command line: 'lgo' is not a command; did you mean 'log'?"),
    (["gird"], "command line: 'gird' is not a command; did you mean 'grid'? an override is KEY=VALUE"),
    (["xyzzy"], "command line: 'xyzzy' is not a command; commands are "),
    (["caching=true", "ui"], "command line: 'ui' is not a command here; commands come first: flowerexp ui"),
    (["-m", "grid", "quick"], "command line: 'grid' is not a command"),
    (["--config-dir", "nowhere"], "command line: --config-dir: nowhere is not a folder"),
    (["--config-name", "nothing"], "there is no config nothing"),
    (["--config-path", "conf"], "command line: flowerexp has no --config-path"),
    (["--experimental-rerun", "config.pickle"], "command line: flowerexp has no --experimental-rerun"),
    (["--nope"], "command line: unrecognized arguments: --nope"),
    (["--cfg", "nope"], "command line: argument --cfg/-c: invalid choice: 'nope'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: "".join(value)[:40])
def test_a_mistake_is_one_line_and_nothing_is_written_or_run(call, ran, tmp_path, arguments, message):
    code, out, err = call(*arguments)
    assert code == 1
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("flowerexp: ")
    assert message in err
    assert not ran
    assert not list(tmp_path.iterdir())


def test_a_sweep_over_options_is_not_told_to_be_written_as_a_list(call, ran):
    assert "list" not in call("grid=quick,wide")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grid=quick,quik"], "there is no grid=quik; did you mean 'quick'?"),
        (["cachign=true,false"], "unknown key cachign; did you mean 'caching'?"),
        (["+cachign=true,false"], "unknown key cachign; did you mean 'caching'?"),
        (["grid.batch_size=0,1"], "grid.batch_size=0 must be 1 or more"),
        (["hydra.sweep.subdir=run", "caching=true,false"], "hydra.sweep.subdir: run 0 and run 1 would share the"),
        (["hydra.sweep.subdir=${nope}", "caching=true,false"], "hydra.sweep.subdir: Interpolation key 'nope' not"),
        (["hydra.sweep.dir=${nope}", "caching=true,false"], "hydra.sweep.dir: Interpolation key 'nope' not found"),
        (["sweep.axes.caching=${nope}"], "nope"),
        (["sweep.axes.home=['${hydra:runtime.output_dir}']"], "sweep.axes.home[0]: ${hydra:runtime.output_dir} has no"),
        (["sweep.axes.+home=[a]"], "'sweep.axes.+home=[a]' cannot be read"),
    ],
)
def test_a_mistake_in_a_sweep_is_one_clear_line_too(call, monkeypatch, tmp_path, arguments, message):
    def run(*_):
        raise DataError("a run was started")

    monkeypatch.setattr("flowerexp.orchestrate.run", run)
    code, _, err = call("-m", *arguments)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["root", "root.level", "handlers.file.filename"])
def test_logging_that_cannot_be_set_up_is_one_line(call, ran, key):
    code, _, err = call(f"hydra.job_logging.{key}=/no/such")
    assert code == 1
    assert err.startswith("flowerexp: hydra.job_logging: Unable to configure ")
    assert err.count("\n") == 1
    assert not ran


@pytest.fixture(params=["before its folder is made", "when it runs"])
def instead(request, monkeypatch):
    """Let a function be called in the place of what happens before a run, or of the run."""

    def instead(function):
        before = request.param.startswith("before")
        monkeypatch.setattr(experiment, "before_run", function if before else lambda *_: None)
        monkeypatch.setattr(experiment, "Task", lambda: function)

    return instead


def test_what_a_run_says_of_its_failure_is_one_line(call, instead):
    def fail(*_):
        raise DataError("no photographs in here", where="dataset.path", hint="check the path")

    instead(fail)
    code, _, err = call("caching=false")
    assert (code, err) == (1, "flowerexp: dataset.path: no photographs in here; check the path\n")


def test_ctrl_c_ends_with_130(call, instead):
    def interrupt(*_):
        raise KeyboardInterrupt

    instead(interrupt)
    assert call("caching=false")[0] == 130


def test_a_mistake_of_ours_keeps_its_traceback(call, instead):
    def fail(*_):
        raise ZeroDivisionError

    instead(fail)
    with pytest.raises(ZeroDivisionError):
        cli.main([])


class TestRun:
    def test_a_change_of_directory_changes_no_path(self, call, monkeypatch, tmp_path):
        seen = []

        def run(config, folder, screen):
            seen.append((config, folder, Path.cwd()))
            raise DataError("seen")

        monkeypatch.setattr(experiment, "before_run", lambda *_: None)
        monkeypatch.setattr("flowerexp.orchestrate.run", run)
        assert call("hydra.job.chdir=true", "dataset=folder", "dataset.path=photographs")[0] == 1
        ((config, folder, where),) = seen
        assert config.home == str(tmp_path)
        assert config.dataset.path == str(tmp_path / "photographs")
        assert config.tracking.uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
        assert folder.is_relative_to(tmp_path / "outputs")
        assert where == tmp_path

    def test_gets_the_composed_config_and_a_folder_of_its_own_below_home(self, call, ran, tmp_path):
        for _ in range(2):
            code, _, err = call("home=there", "grid=notebook", "caching=false")
            assert (code, err) == (0, "")
        assert [config.grid.batch_size for config in ran] == [[2, 4, 6, 8]] * 2
        assert not ran[0].caching
        folders = list((tmp_path / "there" / "outputs").glob("*/*"))
        assert len(folders) == 2
        assert {path.name for path in tmp_path.iterdir()} == {"there"}

    def test_flowerexp_home_is_the_default_home(self, call, ran, tmp_path, monkeypatch):
        monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path / "mine"))
        assert call("caching=false")[0] == 0
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["outputs"]

    def test_configs_of_the_users_own(self, call, ran, tmp_path):
        (tmp_path / "own" / "grid").mkdir(parents=True)
        (tmp_path / "own" / "grid" / "mine.yaml").write_text("defaults: [quick]\nbatch_size: [7]\n")
        (tmp_path / "own" / "experiment").mkdir()
        (tmp_path / "own" / "experiment" / "cold.yaml").write_text(
            "# @package _global_\nentrypoint: {settings: {page_cache: cold}}\n"
        )
        assert call("--config-dir", "own", "grid=mine", "experiment=cold")[0] == 0
        assert (ran[0].grid.batch_size, ran[0].entrypoint.settings.page_cache, ran[0].measure.repetitions) == (
            [7],
            "cold",
            3,
        )

    @pytest.mark.parametrize("held", ["taken/run.json", "taken/plan.json", "taken/results/x", "plan.json"])
    @pytest.mark.parametrize("folder", ["taken", "${hydra:job.name}/../taken"])
    def test_a_folder_that_is_taken_is_refused_and_left_as_it_is(self, call, ran, tmp_path, held, folder):
        (tmp_path / held).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / held).write_text("somebody else's")
        code, _, err = call(f"hydra.run.dir='{tmp_path}/{folder}'", f"home={tmp_path}/home")
        assert code == 1
        assert err.count("\n") == 1
        assert "; set another hydra.run.dir, or " in err
        assert ran == []
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / held]

    @pytest.mark.parametrize("held", ["taken/run.json", "taken/plan.json", "plan.json"])
    @pytest.mark.parametrize("search", [[], ["hydra/sweeper=cluster_search"]])
    def test_so_it_is_for_a_sweep_and_a_search(self, call, tmp_path, held, search):
        (tmp_path / held).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / held).write_text("somebody else's")
        sweep = ("-m", *search, f"hydra.sweep.dir={tmp_path}/taken", f"home={tmp_path}/home", "cluster.cores=1,2")
        code, _, err = call(*sweep)
        assert code == 1
        assert "; set another hydra.sweep.dir, or " in err
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / held]

    def test_overrides_may_stand_before_and_after_flags(self, call, ran):
        assert call("measure=thorough", "-m", "caching=true,false")[0] == 0
        assert [(config.measure.repetitions, config.caching) for config in ran] == [(10, True), (10, False)]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["grid=notebook", "sampling=smoke"],
        ["dataset=folder", "dataset.path=gs://bucket/a b", "dataset.classes=[a,'b c']"],
        ["+cluster.spark={spark.task.cpus: 2}", "~measure.seed", "++caching=false"],
        ["storage.prepared=${home}/elsewhere", "entrypoint=write_shards", "preprocess.target_size=[1,2]"],
        ["cluster.cores=null", "+unknown.key=3", "sampling.fraction=1e-3"],
    ],
    ids=lambda overrides: " ".join(overrides)[:40],
)
def test_cfg_shows_what_hydra_itself_composes(call, ran, overrides):
    from hydra import compose, initialize_config_dir

    code, out, _ = call("--cfg", "job", *overrides)
    with initialize_config_dir(config_dir=str(config_folder()), version_base=None):
        expected = compose("config", overrides)
    assert code == 0
    assert out.strip() == OmegaConf.to_yaml(expected).strip()
    assert not ran


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["--cfg", "all"], ["--info"], ["--info", "defaults"],
                                       ["--hydra-help"], ["--version"], ["--help"]], ids=" ".join)  # fmt: skip
def test_showing_writes_and_runs_nothing(call, ran, tmp_path, arguments):
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert out
    assert not ran
    assert not list(tmp_path.iterdir())


class TestHelp:
    def test_shows_groups_examples_commands_and_where_results_go(self, call):
        _, out, _ = call("--help")
        for group, options in ((name, found) for name, found in group_options().items() if name not in LISTED):
            line = re.search(rf"^  {group} +(.*)$", out, re.MULTILINE)
            assert line
            assert [option.rstrip("*") for option in line[1].split(", ")] == options
            assert line[1].count("*") <= 1
        for chosen in ("local*", "synthetic*", "quick*", "full*", "read_speed*"):
            assert chosen in out
        for word in ("examples:", "where results go:", "outputs/", "mlruns/", "FLOWEREXP_HOME", *cli.COMMANDS):
            assert word in out
        assert max(map(len, out.splitlines())) <= 130

    def test_lists_the_experiments_with_their_questions_and_the_sweeps_of_them(self, call):
        _, out, _ = call("--help")
        for name in group_options()["entrypoint"]:
            content = OmegaConf.load(config_folder() / "entrypoint" / f"{name}.yaml")
            assert re.search(rf"^  {name}\*? +{re.escape(content.question)}$", out, re.MULTILINE)
        for name in group_options()["experiment"]:
            line = re.search(rf"^  {name} +(.+)$", out.partition("ready-made sweeps")[2], re.MULTILINE)
            assert line
            first = (config_folder() / "experiment" / f"{name}.yaml").read_text().splitlines()[1]
            assert first.removeprefix("# ").startswith(line[1][:30])

    def test_lists_those_of_the_users_own_folder_too(self, call, tmp_path):
        for name, content in (
            ("entrypoint/mine", "question: >\n  How long\n  is it?\n"),
            ("entrypoint/broken", "question: [\n"),
            ("experiment/nightly", "# @package _global_\n# Is it slower\n# than last night? By how much?\n"),
        ):
            (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "own" / f"{name}.yaml").write_text(content)
        _, out, _ = call("--config-dir", "own", "--help")
        assert re.search(r"^  mine +How long is it\?$", out, re.MULTILINE)
        assert re.search(r"^  broken$", out, re.MULTILINE)
        assert re.search(r"^  nightly +Is it slower than last night\?$", out, re.MULTILINE)
        assert out == call("--help", "--config-dir=own")[1]

    def test_the_examples_are_right(self, call, ran):
        _, out, _ = call("--help")
        examples = re.findall(r"^  flowerexp(?: (.*?))?(?:  +.*)?$", out.partition("examples:")[2], re.MULTILINE)
        assert len(examples) >= 3
        for example in examples:
            assert call(*example.split())[0] == 0
        assert len(ran) >= len(examples)

    @pytest.mark.parametrize("arguments", [["-h"], ["help"], ["grid=wide", "--help"], ["-m", "-h"]], ids=" ".join)
    def test_wherever_it_is_asked_for(self, call, ran, arguments):
        assert call(*arguments) == call("--help")
        assert not ran

    def test_does_not_compose(self, call, monkeypatch):
        monkeypatch.setattr(cli, "_run", lambda *_: pytest.fail("composed"))
        monkeypatch.setitem(sys.modules, "hydra", None)
        assert call("--help")[0] == 0

    @pytest.mark.parametrize("command", cli.COMMANDS)
    def test_of_a_command_is_its_own(self, call, command):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert out.startswith(f"usage: flowerexp {command}")


def test_version_is_ours(call):
    assert flowerexp.__version__ in call("--version")[1]


def test_the_module_is_the_command():
    answer = process("-m", "flowerexp", "--help")
    assert answer.returncode == 0
    assert answer.stdout == page() + "\n"
    assert answer.stderr == ""


@pytest.fixture
def completions(call, monkeypatch):
    """Ask for what a line can be completed to, as bash does."""

    def completions(line):
        monkeypatch.setenv("COMP_LINE", line)
        code, out, err = call("-sc", "query=bash")
        assert (code, err) == (0, "")
        return out.split()

    return completions


TFRECORDS = ["tfrecords", "tfrecords_native", "tfrecords_cached"]
GRIDS = [f"grid={name}" for name in ("formats", "notebook", "quick", "train", "wide")]
PARAMETERS = ["accelerator", "batch_number", "batch_size", "prefetch", "reader", "shuffle", "workers"]
SETTINGS = ["accelerator_batch", "accelerator_step_ms", "accelerator_usd_hour", "on_short", "page_cache", "steps"]


class TestCompletion:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("flowerexp u", ["ui"]),
            ("flowerexp lo", ["log"]),
            ("flowerexp gri", ["grid.", "grid="]),
            ("flowerexp grid=", ["grid=aggregate", *GRIDS]),
            ("flowerexp grid=n", ["grid=notebook"]),
            ("flowerexp dataset=folder dataset.pa", ["dataset.path="]),
            ("flowerexp -m gri", ["grid.", "grid="]),
            ("flowerexp --cfg job gri", ["grid.", "grid="]),
            ("flowerexp ui tracking.u", ["tracking.uri="]),
            ("flowerexp ui --port 5001 tracking.u", ["tracking.uri="]),
            ("flowerexp ui grid=n", ["grid=notebook"]),
            ("flowerexp entrypoint=wr", ["entrypoint=write_shards"]),
            ("flowerexp grid.", [f"grid.{name}=" for name in PARAMETERS]),
            ("flowerexp plan grid.re", ["grid.reader="]),
            ("flowerexp grid.reader=tf", [f"grid.reader={name}" for name in TFRECORDS]),
            ("flowerexp grid.reader=[image_files,tf", [f"grid.reader=[image_files,{name}" for name in TFRECORDS]),
            ("flowerexp -m grid.reader=tfrecords,tf", [f"grid.reader=tfrecords,{name}" for name in TFRECORDS[1:]]),
            ("flowerexp grid=notebook grid.batch_size=", ["grid.batch_size=[2,4,6,8]"]),
            ("flowerexp grid.nope=", []),
            ("flowerexp entrypoint=write_shards grid.", []),
            ("flowerexp entrypoint.settings.", [f"entrypoint.settings.{name}=" for name in SETTINGS]),
            ("flowerexp entrypoint.settings.page_cache=c", ["entrypoint.settings.page_cache=cold"]),
            ("flowerexp caching=", ["caching=true", "caching=false"]),
            ("flowerexp -m sweep.axes.caching=true,", ["sweep.axes.caching=true,false"]),
            ("flowerexp measure.storage_level=D", ["measure.storage_level=DISK_ONLY"]),
            ("flowerexp dataset.on_error=", ["dataset.on_error=fail", "dataset.on_error=skip"]),
            ("flowerexp measure.until=", ["measure.until=null"]),
            ("flowerexp sampling.fraction=", ["sampling.fraction=1.0"]),
            ("flowerexp preprocess.target_size=", ["preprocess.target_size=[192,192]"]),
            ("flowerexp reader=", []),
            ("flowerexp cleanup --", ["--bucket", "--dry-run", "--everyone", "--help"]),
            ("flowerexp resume --ch", ["--changed-code", "--changed-data"]),
            ("flowerexp --conf", ["--config-dir", "--config-name"]),
        ],
    )
    def test_of_what_is_being_typed(self, completions, line, expected):
        assert completions(line) == expected

    def test_of_nothing_yet_offers_commands_and_groups(self, completions):
        offered = completions("flowerexp ")
        assert {*cli.COMMANDS, "grid=", "dataset="} <= set(offered)

    def test_of_an_experiment_of_the_users_own(self, completions, tmp_path):
        (tmp_path / "entrypoint").mkdir()
        (tmp_path / "entrypoint" / "mine.yaml").write_text(
            "name: mine\nquestion: How?\nscript: mine.py\nunit: rows\n"
            "parameters: {broadcast: {type: bool}, rows: {min: 1}}\n"
        )
        chosen = f"flowerexp --config-dir {tmp_path} entrypoint=mine"
        assert completions(chosen) == ["entrypoint=mine"]
        assert completions(f"{chosen} grid.") == ["grid.broadcast=", "grid.rows="]
        assert completions(f"{chosen} grid.broadcast=") == ["grid.broadcast=true", "grid.broadcast=false"]

    @pytest.mark.parametrize("command", ["resume", "report"])
    def test_of_a_command_that_takes_a_sweep(self, completions, tmp_path, command):
        for name in ("2026-11-25/10-00-00-aaaa", "2026-11-26/10-00-00-bbbb"):
            (tmp_path / "outputs" / name).mkdir(parents=True)
            (tmp_path / "outputs" / name / "plan.json").touch()
        newest, oldest = "outputs/2026-11-26/10-00-00-bbbb", "outputs/2026-11-25/10-00-00-aaaa"
        assert completions(f"flowerexp {command} ") == [newest, oldest]
        assert completions(f"flowerexp {command} outputs/2026-11-25") == [oldest]

    def test_commands_are_offered_in_the_first_place_only(self, completions):
        for line in ("flowerexp grid=quick ", "flowerexp ui "):
            assert not set(cli.COMMANDS) & set(completions(line))

    def test_can_be_installed(self, call):
        code, out, _ = call("-sc", "install=bash")
        assert code == 0
        assert "complete " in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--help"], ""),
        (["--cfg", "job"], ""),
        (["grid.batchsize=3"], ""),
        (["-sc", "query=bash"], "flowerexp gri"),
    ],
)
def test_nothing_heavy_is_imported(arguments, line):
    program = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([name for name in {HEAVY} if name in sys.modules])))
from flowerexp.cli import main
main()
"""
    answer = process("-c", program, *arguments, **({"COMP_LINE": line} if line else {}))
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def test_a_reader_that_goes_away_is_no_traceback():
    command = subprocess.Popen(
        [sys.executable, "-m", "flowerexp", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout
    command.stdout.close()
    assert command.stderr
    with command.stderr as stream:
        assert b"Traceback" not in stream.read()
    command.wait()


def test_the_shipped_folder_is_the_checkouts():
    assert config_folder() == Path(flowerexp.__file__).parents[1] / "conf" or config_folder().parent.name == "flowerexp"
