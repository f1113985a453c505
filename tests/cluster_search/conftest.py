"""Searches for a cluster on a sweep that starts nothing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster_search.searching import Searching
from flowerexp.config.schema import Config
from flowerexp.console import Screen
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun
from tests.cluster_search.pretended import COUNTS, SETTINGS, TYPES, Pretended


@pytest.fixture(scope="package")
def configs() -> list[tuple[str, Config]]:
    from tests.composing import composed

    base = composed(["cluster=four_nodes", "gcp.project=mine", "quota=none"])
    assert isinstance(base.cluster, Dataproc)
    found = []
    for kind in TYPES:
        for count in COUNTS:
            workers = replace(base.cluster.workers, machine_type=kind, count=count)
            label = f"cluster.workers.machine_type={kind} cluster.workers.count={count}"
            found.append((label, replace(base, cluster=replace(base.cluster, workers=workers))))
    return found


@pytest.fixture
def search(configs, tmp_path):
    """`search(ends, ...)`: search in a folder, from its journal; returns the pretended sweep and what was said."""

    def run(ends, folder="sweep", budget=None, max_failures=None, **settings):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        runs = [
            PlannedRun(str(n), replace(config, home=str(place)), place / str(n), "code", {"label": label})
            for n, (label, config) in enumerate(configs)
        ]
        journal, stream = Journal(place), io.StringIO()
        sweep: Any = Pretended(journal, runs, Screen(stream), ends, budget, max_failures)
        try:
            Searching(sweep, {**SETTINGS, **settings}).run(lambda _: None)
        finally:
            sweep.said, sweep.account = stream.getvalue(), json.loads((place / "search.json").read_bytes())
        return sweep

    return run
