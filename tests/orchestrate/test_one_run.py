"""`orchestrate.run`, which walks from a config to its result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowerexp import orchestrate
from flowerexp.console import Screen
from flowerexp.errors import DataError, MachineError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.journal.journal import Journal
from tests.orchestrate.pretended import PLACE, Cluster, Job


@pytest.fixture
def settled(monkeypatch):
    settled: list[Any] = []
    monkeypatch.setattr(orchestrate, "settle", lambda runs, lifetimes, jobs: settled.append((runs, lifetimes)))
    return settled


def test_its_result_has_what_else_was_to_be_recorded(world, config, tmp_path, settled):
    made = config(*PLACE, "cluster=single_node")
    folder = tmp_path / "one"
    folder.mkdir()
    result = orchestrate.run(made, folder, Screen(), {"rerun_of": "earlier"})
    assert (result.run_id, result.error) == ("id of one", None)
    assert (result.run.config, result.run.folder) == (made, folder)
    assert result.run.code_hash == Bundle(find_script(made.entrypoint.script)).code_hash
    assert json.loads((folder / "run.json").read_bytes())["rerun_of"] == "earlier"
    ((runs, (lifetime,)),) = settled
    assert runs == [result.run]
    assert lifetime.cluster == made.cluster
    assert lifetime.deleted_at is not None


def test_a_folder_that_holds_a_run_is_refused(world, config, tmp_path, settled):
    (tmp_path / "results").mkdir()
    with pytest.raises(MachineError, match=r"^hydra\.run\.dir: .* holds a run already"):
        orchestrate.run(config(*PLACE, "cluster=single_node"), tmp_path, Screen())
    assert world.events == []


def test_its_cluster_is_no_leftover_meanwhile(world, config, tmp_path, settled, monkeypatch):
    held = []

    def submit(self, files):
        with pytest.raises(DataError, match="is still running"), Journal(tmp_path).held():
            pass
        held.append(files.scope)
        return Job(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    orchestrate.run(config(*PLACE, "cluster=single_node"), tmp_path, Screen())
    assert held == [Journal(tmp_path).scope()]
