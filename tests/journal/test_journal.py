"""The journal: what it says survives its writer, damage to it, and a full disk."""

import json
from pathlib import Path

import pytest

from flowerexp.errors import DataError, MachineError
from flowerexp.journal.events import RunEnded, RunLogged, RunLost, RunStarted, RunUnlogged
from flowerexp.journal.journal import Journal, refuse_taken
from flowerexp.journal.state import State

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
        assert state.damage == f"{journal.folder / 'journal.jsonl'} is damaged: line 2 passed over"

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
        with pytest.raises(MachineError, match="is within a sweep's folder"):
            refuse_taken(tmp_path / "3", "hydra.run.dir")

    def test_a_new_one_or_an_empty_one_is_free(self, tmp_path):
        refuse_taken(tmp_path / "new", "hydra.run.dir")
        (tmp_path / ".hydra").mkdir()
        refuse_taken(tmp_path, "hydra.run.dir")
