"""Which runs a batch loses when a job dies, a file is damaged or the launcher has a mistake, and which it does not."""

from __future__ import annotations

import json

import pytest

from tests.orchestrate.pretended import Cluster, Dead, Dying, Job


def test_a_mistake_of_ours_closes_the_cluster_and_ends_the_wait(sweep, world):
    world.bug = KeyError("what")
    notes = sweep(["cluster=single_node"])
    assert world.events[-1] == "close single_node"
    assert "KeyError" in notes.lost_runs["0"]
    assert "Traceback (most recent call last)" in notes.printed, "so that it can be reported"


def test_a_mistake_of_ours_costs_only_the_runs_that_had_not_ended(sweep, world, monkeypatch):
    submit = Cluster.submit

    def second_fails(self, files):
        if any(event.startswith("submit") for event in world.events):
            raise KeyError("what")
        return submit(self, files)

    monkeypatch.setattr(Cluster, "submit", second_fails)
    notes = sweep(["cluster=single_node"], ["cluster=single_node", "entrypoint=write_shards"])
    assert notes.done == ["0"]
    assert set(notes.lost_runs) == {"1"}


def test_a_job_that_dies_costs_the_run_at_hand_alone(sweep, world, monkeypatch, tmp_path):
    def submit(self, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        world.events.append(f"submit {len(runs)} in {files.folder.name.partition('-')[2]}")
        return (Dying if len(runs) > 1 else Job)(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(*(["cluster=single_node", f"measure.seed={seed}"] for seed in range(4)))
    assert notes.done == ["0", "2"]
    assert set(notes.lost_runs) == {"1", "3"}
    assert "ended without results (exit code 0): Killed" in notes.lost_runs["1"]
    assert (tmp_path / "1" / "job" / "driver.log").read_text() == "Killed\n"
    assert [event for event in world.events if event != "collect"] == [
        "open single_node", "submit 4 in 0", "submit 2 in 0-2", "close single_node"]  # fmt: skip


def test_rows_that_cannot_be_kept_are_the_reason(sweep, world, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowerexp.job.rows.fetch", refuse)
    monkeypatch.setattr(Cluster, "submit", lambda self, files: Dying(world, files))
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert "cannot be kept: [Errno 28] No space left on device" in notes.lost_runs["1"]


def test_a_job_that_dies_between_two_runs_costs_none(sweep, world, monkeypatch):
    def submit(self, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        return Dying(world, files, before=True) if len(runs) > 1 else Job(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(*(["cluster=single_node", f"measure.seed={seed}"] for seed in range(3)))
    assert (notes.done, notes.lost_runs) == (["0", "1", "2"], {})


def test_a_mistake_of_ours_costs_no_run_that_was_lost_before(sweep, world, monkeypatch):
    def submit(self, files):
        if len(json.loads(files.job.read_bytes())["runs"]) == 1:
            raise KeyError("what")
        return Dying(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    reads = [["cluster=single_node", f"measure.seed={seed}"] for seed in range(4)]
    notes = sweep(*reads, ["cluster=single_node", "entrypoint=write_shards"])
    assert ["Killed" in notes.lost_runs[name] for name in "134"] == [True, True, False]


def test_a_job_that_begins_no_run_loses_them_all(sweep, world):
    world.dead = True
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert set(notes.lost_runs) == {"0", "1"}
    assert world.events == ["open single_node", "submit single_node", "close single_node"]


def test_results_that_lie_there_already_are_not_taken_for_those_of_this_run(sweep, world, tmp_path):
    assert sweep(["cluster=single_node"]).done == ["0"]
    assert (tmp_path / "0" / "results" / "status.json").exists()
    world.dead = True
    notes = sweep(["cluster=single_node"])
    assert notes.done == []
    assert "ended without results (exit code 1): Error: no Java" in notes.lost_runs["0"]


def test_a_status_that_is_damaged_costs_its_own_run_only(sweep, world, tmp_path, monkeypatch):
    made = Job.__init__

    def damaging(self, world, files):
        made(self, world, files)
        (tmp_path / "0" / "results" / "status.json").write_text('{"state": "fini')

    monkeypatch.setattr(Job, "__init__", damaging)
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert notes.done == ["1"]
    assert f"{tmp_path}/0/results/status.json is damaged" in notes.lost_runs["0"]


@pytest.mark.parametrize(("most", "tried"), [(1, ["0"]), (2, ["0", "1"]), (None, ["0", "1", "2"])])
def test_so_many_failures_end_it(sweep, world, most, tried):
    world.dead = True
    clusters = ("single_node", "four_nodes", "eight_nodes")
    notes = sweep(*([f"cluster={name}"] for name in clusters), max_failures=most)
    assert sorted(notes.lost_runs) == tried


def test_too_many_failures_stop_the_clusters_beside(sweep, world, monkeypatch):
    world.hung.add("1")

    def submit(self, files):
        if self.name == "four_nodes":
            return Job(world, files)
        world.working.wait(60)  # until the other is at work
        return Dead()

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(["cluster=single_node"], ["cluster=four_nodes"], max_failures=1, max_clusters=2)
    assert notes.lost_runs["1"] == "stopped"
    assert "no Java" in notes.lost_runs["0"]


def test_a_full_disk_while_a_job_is_submitted_refuses_its_runs(sweep, world):
    world.bug = OSError(28, "No space left on device", "job.json")
    notes = sweep(["cluster=single_node"])
    assert notes.lost_runs["0"].startswith("submitting: job.json")
    assert "No space left on device" in notes.lost_runs["0"]
