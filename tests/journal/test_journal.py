"""The journal: what it says survives its writer, damage to it, and a full disk."""

import json
import os
from pathlib import Path

import pytest

from flowerexp.config import recorded
from flowerexp.errors import DataError, MachineError
from flowerexp.journal.events import RunEnded, RunLogged, RunLost, RunStarted, RunUnlogged
from flowerexp.journal.journal import Journal, refuse_taken
from flowerexp.journal.state import State
from flowerexp.plan import PlannedRun

OTHERS = ['{"event": "finished", "at": 1, "run": 7}', '{"event": "finished", "at": 1}', '{"at": 1, "run": "1"}',
          '{"event": "submitted", "at": 1, "runs": "1"}', '{"event": "cluster", "at": 1, "handle": {}}', "[]", "null",
          '{"event": "failed", "at": "now", "run": "1"}', '{"event": "unlogged", "at": 1, "run": "1"}',
          '{"event": "finished", "at": 1, "run": "1", "observed": {"status": "finished"}}', "garbage"]  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


class TestDamage:
    @pytest.mark.parametrize("line", OTHERS)
    def test_a_line_that_is_no_event_of_ours_is_counted_and_passed_over(self, journal, line):
        journal.append(RunEnded(run="0", state="finished", run_id="a"))
        with (journal.folder / "journal.jsonl").open("a") as file:
            file.write(line + "\n")
        journal.append(RunEnded(run="2", state="finished", run_id="b"))
        state = journal.read()
        assert state.runs == {"0": "finished", "2": "finished"}
        assert state.damage == f"{journal.folder / 'journal.jsonl'} is damaged: line 2 is skipped"

    def test_a_torn_line_does_not_swallow_the_next_event(self, journal):
        with (journal.folder / "journal.jsonl").open("w") as file:
            file.write('{"event":"finished","at":1,"ru')
        assert journal.read().damage is None, "its writer was killed, that is all"
        journal.append(RunEnded(run="1", state="finished"))
        assert journal.read().runs == {"1": "finished"}

    def test_what_a_later_version_writes_is_no_damage(self, journal):
        with (journal.folder / "journal.jsonl").open("a") as file:
            file.write('{"event": "moved", "at": 1, "run": "0", "to": "elsewhere"}\n{"event": "said", "at": 2}\n')
        assert journal.read() == State()

    @pytest.mark.parametrize("text", ["", "{", "[1]", '{"sweep_id": 1}', '{"runs": [{}]}'])
    def test_a_damaged_plan_is_one_line_with_its_name(self, journal, text):
        (journal.folder / "plan.json").write_text(text)
        with pytest.raises(DataError, match=r"plan\.json is damaged: "):
            journal.read_plan()

    def test_nobody_else_can_read_a_plan_not_even_while_it_is_written(self, journal, monkeypatch):
        modes, replace = [], Path.replace

        def watched(path, to):
            modes.append(path.stat().st_mode & 0o777)
            return replace(path, to)

        monkeypatch.setattr(Path, "replace", watched)
        journal.write_plan({"sweep_id": "s", "max_clusters": 1, "max_failures": None}, [], [])
        assert modes == [0o600]

    def test_a_plan_that_was_changed_is_one(self, journal):
        journal.write_plan({"sweep_id": "s", "max_clusters": 1, "max_failures": None}, [], [])
        path = journal.folder / "plan.json"
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_text(path.read_text().replace('"max_clusters":1', '"max_clusters":2'))
        with pytest.raises(DataError, match="was changed after it was written"):
            journal.read_plan()


class TestPlan:
    def planned(self, config, folder, name):
        return PlannedRun(
            f"key {name}", config(), folder / name, "code", {"label": f"label {name}", "name": f"name {name}"}
        )

    def test_holds_the_settings_and_each_run_with_its_config(self, journal, config):
        runs = [self.planned(config, journal.folder, name) for name in "ab"]
        settings = {"sweep_id": "s", "max_clusters": 2, "max_failures": 3}
        journal.write_plan(settings, runs, [["x=1"], ["x=2", "y=3"]], [{"run": "earlier"}])
        written = json.loads((journal.folder / "plan.json").read_bytes())
        earlier, first, second = written.pop("runs")
        assert {key: written[key] for key in settings} == settings
        assert earlier == {"run": "earlier"}
        assert (first["run"], first["run_key"], first["label"], first["name"]) == ("a", "key a", "label a", "name a")
        assert (first["overrides"], second["overrides"]) == (["x=1"], ["x=2", "y=3"])
        assert recorded(second["config"]) == runs[1].config

    def test_is_read_as_it_was_written(self, journal, config):
        settings = {"sweep_id": "s", "max_clusters": 1, "max_failures": None}
        journal.write_plan(settings, [self.planned(config, journal.folder, "a")], [["x=1"]])
        assert [run["run"] for run in journal.read_plan()["runs"]] == ["a"]

    def test_each_run_has_its_overrides(self, journal, config):
        with pytest.raises(ValueError, match="zip"):
            journal.write_plan({"sweep_id": "s"}, [self.planned(config, journal.folder, "a")], [["x=1"], ["x=2"]])

    def test_a_folder_without_one_is_named_with_what_to_do(self, journal):
        with pytest.raises(DataError) as found:
            journal.read_plan()
        assert str(found.value) == (
            f"{journal.folder} holds no sweep; name the folder of a sweep, such as outputs/DATE/TIME-ID"
        )

    def test_a_damaged_one_says_that_the_runs_are_kept(self, journal):
        (journal.folder / "plan.json").write_text("{")
        with pytest.raises(DataError) as found:
            journal.read_plan()
        assert "plan.json is damaged: " in found.value.problem
        assert found.value.hint == (
            "its runs are kept, each in a folder of its own: flowerexp report FOLDER; start a new sweep"
        )


class TestHeld:
    def test_only_one_launcher_works_on_a_sweep(self, journal):
        with journal.held():
            assert (journal.folder / ".lock").read_text() == str(os.getpid())
            with pytest.raises(DataError, match=rf"is still running \(process {os.getpid()}\); wait for it"):
                Journal(journal.folder).held().__enter__()
        (journal.folder / ".lock").write_text("1234567890")  # of a launcher that was killed
        with Journal(journal.folder).held():
            assert (journal.folder / ".lock").read_text() == str(os.getpid())
            assert journal.known_scope()


class TestLogged:
    def test_a_run_whose_results_are_here_is_unlogged_until_mlflow_has_it(self, journal):
        journal.append(RunEnded(run="0", state="finished"))
        assert journal.read().is_unlogged("0")
        assert not journal.read().succeeded
        journal.append(RunUnlogged(run="0", error="refused"))
        state = journal.read()
        assert (state.runs, state.errors, state.is_done("0")) == ({"0": "finished"}, {"0": "refused"}, True)
        journal.append(RunLogged(run="0", run_id="a"))
        state = journal.read()
        assert (state.runs, state.errors, state.succeeded) == ({"0": "finished"}, {}, True)

    def test_the_error_of_a_run_that_failed_stays_its_own(self, journal):
        journal.append(RunEnded(run="0", state="failed", error="made to fail"))
        journal.append(RunUnlogged(run="0", error="refused"))
        assert journal.read().errors == {"0": "made to fail"}
        journal.append(RunLogged(run="0", run_id="a"))
        assert journal.read().errors == {"0": "made to fail"}
        assert not journal.read().is_unlogged("0")

    def test_a_run_that_is_made_again_is_to_be_logged_again(self, journal):
        ended = RunEnded(run="0", state="finished")
        for event in (ended, RunLogged(run="0"), RunLost(run="0"), RunStarted(run="0"), ended):
            journal.append(event)
        assert journal.read().is_unlogged("0")


def test_a_run_that_failed_for_the_machines_sake_is_not_done(journal):
    journal.append(RunEnded(run="0", state="failed", error="killed", retry=True))
    journal.append(RunEnded(run="1", state="failed", error="made to fail", retry=False))
    state = journal.read()
    assert [state.is_done(name) for name in "01"] == [False, True]
    journal.append(RunEnded(run="0", state="failed", error="made to fail"))
    assert journal.read().is_done("0")


class TestTaken:
    @pytest.mark.parametrize("held", ["plan.json", "run.json", "results", "analysis"])
    def test_a_folder_with_a_run_or_a_sweep(self, tmp_path, held):
        (tmp_path / held).mkdir()
        with pytest.raises(MachineError, match=r"^hydra\.run\.dir: .* holds a (sweep|run) already; set another"):
            refuse_taken(tmp_path, "hydra.run.dir")

    def test_a_folder_within_a_sweep(self, tmp_path):
        (tmp_path / "plan.json").write_text(json.dumps({}))
        with pytest.raises(MachineError) as found:
            refuse_taken(tmp_path / "3", "hydra.run.dir")
        hint = "set another hydra.run.dir, or leave it out: every run gets a new folder"
        assert str(found.value) == f"hydra.run.dir: {tmp_path / '3'} is within a sweep's folder; {hint}"

    def test_a_new_one_or_an_empty_one_is_free(self, tmp_path):
        refuse_taken(tmp_path / "new", "hydra.run.dir")
        (tmp_path / ".hydra").mkdir()
        refuse_taken(tmp_path, "hydra.run.dir")
