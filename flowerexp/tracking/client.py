"""Connect to a store with MLflow's client, and create its database and its experiment once.

MLflow takes seconds to create its database: `ensure` may be called in a thread while Spark starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowerexp.errors import TrackingError
from flowerexp.tracking import proxy
from flowerexp.tracking.failures import explained
from flowerexp.tracking.library import load
from flowerexp.tracking.store import SQLITE, Store

METRICS_AT_ONCE = 1000
"""MLflow takes at most so many in one request."""

_LOCK_SECONDS = 120.0  # creating the database takes 3 s on an idle machine
# MLflow's name for what is no GenAI. Its pages since 3.17 go by the address instead, see `view.query_of`.
_TAGS = {"mlflow.experimentKind": "custom_model_development"}

_known: dict[Store, str] = {}
"""The experiments of servers: each is looked up once in a process, since a request may take long."""


def ensure(store: Store) -> str:
    """Create the database and the experiment if they do not exist; processes and threads may do so at the same time.

    Returns:
        The id of the MLflow experiment.

    Raises:
        TrackingError: the store cannot be reached or created.
    """
    if store in _known:
        return _known[store]
    with explained(store, "check tracking.uri and tracking.artifacts"), _alone(store):
        if store.database and not store.database.exists():
            _make(store, store.database)
        experiment = _experiment(connect(store), store)
    if store.is_server:
        _known[store] = experiment
    return experiment


def _make(store: Store, database: Path) -> None:
    """Create a database that appears complete: MLflow cannot continue with one that is half created."""
    partial = database.with_name(f".{database.name}.partial")
    for left in (partial, partial.with_name(f"{partial.name}-journal")):
        left.unlink(missing_ok=True)
    _experiment(connect(replace(store, uri=f"{SQLITE}{partial}")), store)
    partial.replace(database)


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold the lock beside the database: MLflow's migrations fail when two processes run them at the same time."""
    from filelock import FileLock

    if not store.database:
        yield  # a server does this itself
        return
    store.database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(store.database.with_name(f"{store.database.name}.lock"), timeout=_LOCK_SECONDS):
        yield


def _experiment(client: Any, store: Store) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(store.experiment)
    if experiment is None:
        try:
            return str(client.create_experiment(store.experiment, store.artifact_uri, _TAGS))
        except MlflowException:
            experiment = client.get_experiment_by_name(store.experiment)
            if experiment is None:  # else somebody was faster, at a server, which cannot be locked
                raise
    if experiment.lifecycle_stage == "deleted":
        problem = f"the MLflow experiment {store.experiment!r} was deleted"
        raise TrackingError(problem, where="tracking.experiment", hint="restore it in MLflow, or choose another name")
    for name in _TAGS.keys() - experiment.tags.keys():  # another program has made it
        client.set_experiment_tag(experiment.experiment_id, name, _TAGS[name])
    return str(experiment.experiment_id)


def connect(store: Store) -> Any:
    """An MlflowClient for `store`; MLflow's own current store does not change."""
    load()
    proxy.spare_loopback(store.uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.uri)


def log_metrics(client: Any, run_id: str, metrics: Sequence[Any]) -> None:
    """Log MLflow's `Metric` objects, as many in a request as MLflow takes.

    Args:
        client: MLflow's.
        run_id: the run's.
        metrics: any number of them.
    """
    for first in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_AT_ONCE])
