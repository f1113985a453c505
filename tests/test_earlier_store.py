"""What an earlier version has left behind is compared, run again, reported, logged and planned with as before."""

from __future__ import annotations

import json
import shutil

import pytest

from flowerexp import cli
from flowerexp.analysis.summary import summarise
from flowerexp.config import plain, recorded
from flowerexp.measurements.loading import load
from flowerexp.tracking import default_store, log_run
from flowerexp.tracking.fetch import find
from tests.command import Home
from tests.stores import unpack

pytestmark = pytest.mark.slow

ON, OFF = "9d72ce0d3c69475f9dd17437286f7c9f", "7f3005a581984d54a56721aebd7d4548"
WRITTEN = "860a6c24166a4898a147df005e2327b1"
SWEEP = "2026-11-26/06-55-36-ffef"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return unpack("before_experiments", tmp_path_factory.mktemp("store"))


@pytest.fixture
def home(packed, tmp_path, monkeypatch):
    """The home folder; what a test changes in it, the next one sees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWEREXP_HOME", str(packed))
    return packed


@pytest.fixture
def call(home, capsys):
    """Call the command in this process; returns the exit code and what was printed."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def lines_of(out):
    return [" ".join(line.split()) for line in out.splitlines()]


def test_what_it_chose_is_told_by_todays_keys(home):
    run = find(default_store(home), ON)
    assert run.config.entrypoint.question == "How fast can images be read?"
    assert run.choices["grid.reader"] == '["image_files_native","tfrecords_native"]'
    assert (run.choices["measure.repetitions"], run.choices["entrypoint.settings.page_cache"]) == ("3", "warm")
    assert len(run.measurements.firsts) == 2 * 2 * 2 * 3
    written = find(default_store(home), WRITTEN)
    assert (written.config.entrypoint.unit, written.config.grid) == ("images", {})


VERDICTS = ("faster", "slower", "equal", "inconclusive", "suspect")


def test_two_of_its_runs_are_compared(call):
    code, out, err = call("compare", ON[:8], OFF[:8])
    assert (code, err) == (0, "")
    lines = lines_of(out)
    assert "caching true false" in lines
    assert [line.split()[0] for line in lines if OFF[:8] in line and line.split()[-1] in VERDICTS] == [
        "image_files_native",
        "tfrecords_native",
    ]


def test_one_of_its_runs_is_compared_with_one_of_today(call, home, tmp_path):
    old = home / "outputs" / SWEEP / "0"
    new = shutil.copytree(old, tmp_path / "new")
    (new / "mlflow.json").unlink()
    record = json.loads((new / "run.json").read_text())
    config = recorded(record["config"])
    record |= {"config": plain(config), "files": {}}
    (new / "run.json").write_text(json.dumps(record))
    measured = load(new / "results" / "measurements.jsonl", config.entrypoint)
    (new / "analysis" / "summary.json").write_text(json.dumps(summarise(measured).plain()))
    run_id = log_run(new)
    code, out, err = call("compare", ON, run_id)
    assert (code, err) == (0, "")
    assert "differs nothing: config, code and versions are the same" in lines_of(out)
    logged = find(default_store(home), run_id)
    assert logged.metrics["tfrecords_native/images_per_second"] == pytest.approx(
        find(default_store(home), ON).metrics["tfrecords_native/images_per_second"]
    )


@pytest.fixture
def rerun(call, monkeypatch):
    """Rerun without running: returns the config that would have been run."""
    seen = []

    def run(config, folder, screen, extra):
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("flowerexp.orchestrate.run", run)

    def rerun(*arguments):
        answer = call("rerun", *arguments)
        return seen.pop() if seen else answer

    return rerun


def test_one_of_its_runs_is_run_again(rerun, home):
    config = rerun(OFF)
    old = find(default_store(home), OFF).config
    assert {name: config.grid[name] for name in old.grid} == old.grid
    assert (config.measure, config.dataset) == (old.measure, old.dataset)
    assert not config.caching
    assert old.entrypoint.settings == {"on_short": "fail", "page_cache": "warm"}
    assert old.entrypoint.settings.items() <= config.entrypoint.settings.items()
    assert config.entrypoint.parameters["reader"].choices
    assert rerun(WRITTEN).entrypoint.name == "write_shards"


def test_values_of_a_rerun_are_changed_by_todays_keys(rerun):
    config = rerun(ON, "grid.reader=tfrecords", "measure.repetitions=1", "entrypoint.settings.page_cache=cold")
    assert (config.grid["reader"], config.measure.repetitions) == (["tfrecords"], 1)
    assert config.entrypoint.settings["page_cache"] == "cold"
    for override, meant in (("reader=tfrecords", "grid.reader"), ("grid.repetitions=1", "measure.repetitions")):
        code, out, err = rerun(ON, override)
        assert (code, out) == (1, "")
        assert f"did you mean '{meant}'?" in err


@pytest.mark.spark
@pytest.mark.long
def test_a_rerun_ends_with_both_side_by_side(home):
    answer = Home(home)("rerun", ON, "grid.batch_number=[3]", "grid.reader=tfrecords_native")
    assert answer.code == 0, answer.err
    assert "images/s" in answer.out


def test_its_sweep_is_reported_again(call, home):
    code, out, err = call("report", home / "outputs" / SWEEP)
    assert (code, err) == (0, "")
    assert out.startswith(str(home / "outputs" / SWEEP / "report.html"))
    report = (home / "outputs" / SWEEP / "report.md").read_text()
    for words in ("images/s", "TFRecords", "caching", ON[:8]):
        assert words in report


def test_its_runs_are_logged_to_another_store(home, tmp_path):
    store = default_store(tmp_path)
    run = find(store, log_run(home / "outputs" / SWEEP / "1", store))
    was = find(default_store(home), OFF)
    same = {key for key in was.metrics if run.metrics.get(key) == pytest.approx(was.metrics[key])}
    assert {"tfrecords_native/images_per_second", "tfrecords_native/first_batch_seconds", "data/images"} <= same
    assert run.choices == was.choices
    assert run.params.items() <= was.choices.items()
    assert run.config == was.config


def test_a_plan_knows_how_long_its_runs_took(call):
    code, out, err = call("plan", "grid.reader=[image_files_native,tfrecords_native]")
    assert (code, err) == (0, "")
    assert "time      about " in out
