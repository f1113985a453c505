"""The strategy of a sweep that searches for the cluster to rent: which of its runs are made, the search decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowerexp.cluster_search.candidates import make_search
from flowerexp.cluster_search.searching import Searching
from flowerexp.cluster_search.smoke import smoke_runs, with_changes
from flowerexp.errors import QuotaError
from flowerexp.orchestrate.preflight import preflight_each
from flowerexp.plan import PlannedRun
from flowerexp.sweep.compose import Composer
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.run import Sweep
from flowerexp.sweep.walk import Deliver


class ClusterSearch:
    """A search for the cluster to rent; see `flowerexp.sweep.walk.Walk`.

    Args:
        settings: what is searched for, by the sweeper's keys.
    """

    chooses = True

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def composed(self, composer: Composer, overrides: Sequence[str]) -> ClusterSearch:
        """See `Walk.composed`: what makes a smoke run of a run is in the user's configs."""
        return ClusterSearch(with_changes(self.settings, composer, overrides))

    def refuse(self, runs: Sequence[PlannedRun]) -> None:
        """See `Walk.refuse`: runs that are not clusters to choose from."""
        make_search(runs, self.settings)
        smoke_runs(runs, self.settings)

    def check(self, runs: Sequence[PlannedRun]) -> None:
        """See `Walk.check`. Few of the runs are started; what they may cost is looked at before each."""
        self.refuse(runs)
        # A cluster that the quota has no room for is left out by the search itself.
        preflight_each([run.config for run in runs], tolerate=QuotaError)

    def aside(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """See `Walk.aside`: the smoke runs."""
        return smoke_runs(runs, self.settings)

    def most_runs(self, runs: int) -> int:
        """See `Walk.most_runs`."""
        return runs if self.settings["rule"] == "exhaustive" else min(runs, self.settings["max_runs"])

    def side_by_side(self, max_clusters: int) -> int:
        """See `Walk.side_by_side`: which cluster is next depends on the last one."""
        return 1

    def run(self, sweep: Sweep, deliver: Deliver, todo: Pending) -> None:
        """See `Walk.run`; which runs are made, the search decides, whatever is missing."""
        sweep.log(todo.unlogged)
        Searching(sweep, self.settings).run(deliver, todo.running)
