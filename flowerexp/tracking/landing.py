"""Which of MLflow's pages `flowerexp ui` opens at."""

from __future__ import annotations

from flowerexp.errors import TrackingError
from flowerexp.tracking.client import connect, ensure
from flowerexp.tracking.fetch import check_exists, matching, reading
from flowerexp.tracking.store import Store
from flowerexp.tracking.view import MACHINE_LEARNING, query_of


def landing(store: Store, sweep_id: str | None = None) -> str:
    """The part of a page's address after the host: the runs of a sweep; without sweeps, all runs.

    Args:
        store: whose pages.
        sweep_id: the sweep's; by default the newest one's.

    Raises:
        TrackingError: it was not logged to this store, or the store does not exist or cannot be read.
    """
    if sweep_id is not None:
        found = matching(store, f"tags.`flowerexp.kind` = 'sweep' AND tags.sweep_id = '{sweep_id}'")
        if not found:
            hint = "log it: flowerexp report --log SWEEP"
            raise TrackingError(f"sweep {sweep_id} is not in {store.address}", where="command line", hint=hint)
        return page_of_runs(found[0].experiment_id, sweep_id)
    check_exists(store)
    with reading(store):
        experiment, client = ensure(store), connect(store)
        order = ["attributes.start_time DESC"]
        newest = client.search_runs([experiment], "tags.`flowerexp.kind` = 'sweep'", max_results=1, order_by=order)
    return page_of_runs(experiment, newest[0].data.tags["sweep_id"] if newest else None)


def page_of_runs(experiment: str, sweep_id: str | None) -> str:
    """The page of a sweep's runs, or of all runs of an experiment of MLflow, after the host."""
    return f"/#/experiments/{experiment}/runs?{query_of(sweep_id) if sweep_id else MACHINE_LEARNING}"
