"""What a user may name is found in one way, in folders and in MLflow; what fits several is refused with a list."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flowerexp import cli
from flowerexp.errors import ConfigError, DataError, TrackingError
from flowerexp.journal.journal import Journal
from flowerexp.lookup.names import find, folder_of
from flowerexp.lookup.place import Place, split
from flowerexp.lookup.saved import FolderRun, name_of
from flowerexp.sweep import tables
from flowerexp.tracking import log_run, log_sweep
from flowerexp.tracking.client import connect
from tests.analysis.sweeps import write_sweep
from tests.tracking import write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a sweep of two runs, then a single run."""
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))
    write_sweep(tmp_path / "outputs/2026-11-26/10-00-00-aaaa", {"caching": [True, False]})
    return tmp_path


@pytest.fixture
def single(home: Path, local_store) -> Path:
    return write_run(home / "outputs/2026-11-26/11-00-00-bbbb", local_store)


def test_of_two_that_began_in_the_same_second_the_last_is_the_one_written_last(home):
    first, second = (home / f"outputs/2026-11-26/12-00-00-{end}" for end in ("ffff", "0000"))
    write_sweep(first, {"caching": [True]})
    write_sweep(second, {"caching": [True]})
    for folder, seconds in ((first, 1000), (second, 1001)):
        os.utime(folder / "plan.json", (seconds, seconds))
    assert find("last", Place()).folder == second
    os.utime(second / "plan.json", (999, 999))
    assert find("last", Place()).folder == first


@pytest.fixture
def place(local_store) -> Place:
    return Place([f"tracking.uri={local_store.uri}"])


def sweep_of(home: Path) -> Path:
    return home / "outputs/2026-11-26/10-00-00-aaaa"


@pytest.mark.parametrize("word", ["10-00-00-aaaa", "10-00-00", "2026-11-26-10", "outputs/2026-11-26/10-00-00-aaaa"])
def test_a_sweep_is_its_folder_or_a_part_of_its_name(home, single, word, monkeypatch):
    monkeypatch.chdir(home)
    found = find(word, Place())
    assert (found.kind, found.folder, found.name) == ("sweep", sweep_of(home), "10-00-00-aaaa")


@pytest.mark.parametrize("word", ["10-00-00-aaaa/1", "10-00/1", "outputs/2026-11-26/10-00-00-aaaa/1", "last/1"])
def test_a_run_of_a_sweep_is_named_behind_a_slash_without_mlflow(home, word, monkeypatch):
    monkeypatch.chdir(home)
    found = find(word, Place(), "run")
    assert isinstance(found.run, FolderRun)
    assert (found.folder, found.name, found.run.config.caching) == (sweep_of(home) / "1", "10-00-00-aaaa/1", False)


def test_last_is_the_newest_and_the_newest_sweep_where_a_sweep_is_wanted(home, single):
    assert find("last", Place()).folder == single
    assert find("last", Place(), "sweep").folder == sweep_of(home)


def test_a_name_that_a_command_prints_is_one_that_commands_take(home, single, tmp_path_factory):
    elsewhere = write_sweep(tmp_path_factory.mktemp("elsewhere") / "sweep", {"caching": [True, False]})
    for folder in (sweep_of(home), sweep_of(home) / "0", single, elsewhere, elsewhere / "1"):
        assert find(name_of(folder), Place()).folder == folder


def test_what_fits_several_is_refused_with_the_candidates(home, single):
    with pytest.raises(ConfigError) as caught:
        find("2026-11-26", Place())
    assert str(caught.value) == (
        "command line: '2026-11-26' fits 2 runs or sweeps; name one: 10-00-00-aaaa (sweep), 11-00-00-bbbb (run)"
    )


def test_a_run_in_mlflow_is_found_by_its_id_its_name_and_its_folder(home, single, place, local_store):
    run_id = log_run(single, local_store)
    by_id = find(run_id[:9], place)
    assert (by_id.run.run_id, by_id.name) == (run_id, run_id[:8])
    assert folder_of(by_id, Place([*place.overrides, f"home={home}"])) == single
    assert find("11-00-00-bbbb", place).run.run_id == run_id
    connect(local_store).update_run(run_id, name="a name of mine caching=off")
    assert find("a name of mine caching=off", place).run.run_id == run_id
    shutil.rmtree(single)
    with pytest.raises(DataError, match=r"the folder of run .* is not here"):
        folder_of(find(run_id, place), place)


def test_a_sweep_whose_folder_is_gone_is_found_in_mlflow_and_so_are_its_runs(home, place, local_store):
    folder = sweep_of(home)
    plan = folder / "plan.json"
    plan.write_text(plan.read_text().replace('"sweep_id": "x"', '"sweep_id": "2026-11-26-10-00-00-aaaa"'))
    tables.write(folder, Journal(folder).read())
    log_sweep(folder, local_store)
    record = folder / "1/run.json"
    record.write_text(record.read_text().replace('"name"', '"sweep_id": "2026-11-26-10-00-00-aaaa", "name"', 1))
    (folder / "1/results").mkdir()
    (folder / "1/results/measurements.jsonl").touch()
    run_id = log_run(folder / "1", local_store)
    shutil.rmtree(home / "outputs")
    assert find("10-00-00-aaaa", place).kind == "sweep"
    assert find("10-00-00-aaaa/1", place).run.run_id == run_id
    with pytest.raises(ConfigError, match="has no run 9"):
        find("10-00-00-aaaa/9", place)


@pytest.mark.parametrize(
    ("word", "wanted", "problem"),
    [
        ("10-00-00-aaaa", "run", "is a sweep and not a run; name one of its runs: 10-00-00-aaaa/0 (caching=true), "),
        ("11-00-00-bbbb", "sweep", "is a run and not a sweep"),
        ("10-00-00-aaaa/7", "run", "has no run 7; it has 10-00-00-aaaa/0 (caching=true), 10-00-00-aaaa/1"),
        ("abcd1234", None, "there are no runs yet in"),
        ("nothing such", None, "nor MLflow has a run or a sweep 'nothing such'; give a folder"),
        ("data", None, "data holds neither a sweep nor a run"),
    ],
)
def test_what_is_not_found_or_of_another_kind_is_said_in_a_line(home, single, monkeypatch, word, wanted, problem):
    monkeypatch.chdir(home)
    (home / "data").mkdir()
    with pytest.raises((ConfigError, DataError, TrackingError)) as caught:
        find(word, Place([f"tracking.uri=sqlite:///{home}/none.db", f"home={home}"]), wanted)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (home / "none.db").exists()


def test_nothing_was_run_yet(tmp_path):
    with pytest.raises(DataError, match="run or sweep below"):
        find("last", Place([f"home={tmp_path}"]))


def test_a_name_may_have_an_equals_sign_behind_a_space_or_a_slash():
    names = ["a", "local read_speed cache=on", "10-00/caching=true"]
    assert split([*names, "home=/x y/z", "tracking.uri=x"]) == (names, ["home=/x y/z", "tracking.uri=x"])


def test_report_and_compare_take_the_same_names(home, single, capsys):
    for command in (["report", "10-00-00"], ["compare", "10-00"], ["compare", "10-00/0", "10-00/1"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(command)
        assert caught.value.code == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert str(sweep_of(home) / "report.html") in out
    assert "10-00-00-aaaa: steady images/s by setting, the best first" in out
