"""What the events of a sweep add up to."""

from __future__ import annotations

import json

import pytest

from flowerexp.journal.events import (
    DONE,
    ClusterChanged,
    JobIntended,
    JobSubmitted,
    KnownRunsChecked,
    Observed,
    RunEnded,
    RunLogged,
    RunLost,
    RunStarted,
    Smoked,
    SmokeStageEnded,
    from_json,
    to_json,
)
from flowerexp.journal.state import State


def after(*events):
    state = State()
    for event in events:
        state.add(event)
    return state


def cluster(state, at, name="four-nodes"):
    return ClusterChanged(at=at, state=state, handle={"name": name}, cluster={"kind": "dataproc"})


class TestClusters:
    def test_each_state_of_a_cluster_counts_from_when_it_was_first_reached(self):
        state = after(
            cluster("creating", 1.0), cluster("running", 5.0), cluster("running", 9.0), cluster("deleted", 20.0)
        )
        (paid,) = state.paid
        assert paid.at == {"creating": 1.0, "running": 5.0, "deleted": 20.0}
        assert state.alive == []

    def test_a_cluster_that_is_created_again_is_paid_for_again(self):
        state = after(
            cluster("creating", 1.0), cluster("deleted", 2.0), cluster("creating", 3.0), cluster("running", 4.0)
        )
        assert [paid.at for paid in state.paid] == [
            {"creating": 1.0, "deleted": 2.0},
            {"creating": 3.0, "running": 4.0},
        ]
        assert [event.at for event in state.alive] == [4.0]

    def test_one_that_was_found_running_is_paid_for_from_then_on(self):
        assert [paid.at for paid in after(cluster("running", 7.0)).paid] == [{"creating": 7.0, "running": 7.0}]

    def test_deleting_what_the_journal_does_not_know_costs_nothing(self):
        state = after(cluster("deleted", 7.0))
        assert (state.paid, state.alive) == ([], [])

    def test_each_name_is_a_cluster_of_its_own(self):
        state = after(cluster("creating", 1.0), cluster("creating", 2.0, "other"), cluster("deleted", 3.0))
        assert [paid.name for paid in state.paid] == ["four-nodes", "other"]
        assert [event.handle["name"] for event in state.alive] == ["other"]

    def test_what_is_paid_for_is_known_by_its_config(self):
        assert after(cluster("creating", 1.0)).paid[0].cluster == {"kind": "dataproc"}


class TestRuns:
    def test_a_run_that_is_lost_is_not_done_and_a_new_start_forgets_why(self):
        lost = RunLost(run="0", error="the node is gone")
        assert (after(lost).errors, after(lost).is_done("0")) == ({"0": "the node is gone"}, False)
        assert after(lost).runs == {"0": "not started"}
        assert after(RunStarted(run="0", at=7.0), lost).runs == {"0": "lost"}
        again = after(lost, RunStarted(run="0", at=8.0))
        assert (again.runs, again.errors, again.started) == ({"0": "started"}, {}, {"0": 8.0})

    @pytest.mark.parametrize("state", DONE)
    def test_every_end_is_one(self, state):
        assert after(RunEnded(run="0", state=state)).is_done("0")
        assert not after(RunEnded(run="0", state=state, retry=True)).is_done("0")

    def test_a_sweep_has_succeeded_when_all_its_runs_have_and_are_in_mlflow(self):
        finished, skipped = RunEnded(run="0", state="finished"), RunEnded(run="1", state="skipped")
        assert not after(finished, skipped).succeeded
        assert after(finished, skipped, RunLogged(run="0")).succeeded
        assert not after(finished, RunLogged(run="0"), RunEnded(run="1", state="failed", run_id="a")).succeeded

    @pytest.mark.parametrize("state", ["finished", "failed"])
    def test_a_run_with_results_is_unlogged_until_mlflow_or_a_search_has_it(self, state):
        ended, seen = RunEnded(run="0", state=state), Observed(status=state, seconds=1.0, prior=False, chosen=True)
        assert after(ended).is_unlogged("0")
        assert not after(ended, RunLogged(run="0")).is_unlogged("0")
        assert not after(RunEnded(run="0", state=state, observed=seen)).is_unlogged("0")
        assert not after(RunEnded(run="0", state=state, run_id="a")).is_unlogged("0")
        assert not after(RunLost(run="0")).is_unlogged("0"), "it has no results"

    def test_smoke_runs_are_kept_in_their_order(self):
        smoked = Smoked(status="finished", seconds=2.5, prior=False, error="")
        events = [RunEnded(run=f"{n}-smoke", state="finished", smoked=smoked) for n in range(2)]
        assert after(*events).smoked == events
        assert after(*events).observed == []

    def test_a_search_has_succeeded_when_it_knows_how_all_its_runs_ended(self):
        seen = Observed(status="failed", seconds=3.0, prior=False, chosen=True)
        failed, looked = RunEnded(run="0", state="failed", observed=seen), KnownRunsChecked()
        assert after(looked, failed).succeeded
        assert not after(looked, failed, RunStarted(run="1")).succeeded
        assert after(looked, *(RunEnded(run=state, state=state) for state in DONE)).succeeded
        assert after(failed).observed == [failed]
        assert after(SmokeStageEnded()).smoke_over


def test_an_event_is_the_same_once_it_was_written_and_read():
    smoked = Smoked(status="finished", seconds=2.5, prior=False, error="")
    seen = Observed(status="aborted", seconds=None, prior=True, chosen=False)
    for event in (
        cluster("running", 5.0),
        RunEnded(run="0", state="aborted", at=2.0, observed=seen),
        RunEnded(run="0-smoke", state="finished", at=2.0, smoked=smoked),
        RunEnded(run="1", state="failed", at=1.0, error="no", retry=True),
        RunStarted(run="0", at=1.0),
        JobIntended(folder="jobs/1-0", handle={"token": "t"}, runs=("0", "1"), at=1.0),
        JobSubmitted(folder="jobs/1-0", handle={"token": "t"}, runs=("0", "1"), at=1.0),
    ):
        assert from_json(json.loads(json.dumps(to_json(event)))) == event
