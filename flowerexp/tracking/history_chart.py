"""Lines of a history in MLflow: a run for each, whose metric has a step for each point, so that MLflow draws a line.

They are in an MLflow experiment of their own, beside that of the measured runs, and carry none of the tags by which
those are found: they are never taken for measured ones. MLflow cannot take back a value of a metric, so a line is only
ever made longer; where an earlier point has changed, its run is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flowerexp.analysis.history import table
from flowerexp.analysis.history.files import levels_of
from flowerexp.analysis.history.lines import Line, varied
from flowerexp.tracking.client import connect, ensure, log_metrics
from flowerexp.tracking.failures import explained
from flowerexp.tracking.names import name_of
from flowerexp.tracking.store import Store

KIND = "history"
"""The value of the tag `flowerexp.kind`."""
LEVEL = "level"
"""The metric of the levels between changes."""

_TAG = "flowerexp.line"
_PARAMS = 100  # MLflow takes at most so many in one request
_NOTE = 5000  # characters

Value = tuple[str, int, int, float]
"""A metric's name, its step, its time in epoch milliseconds, and the value."""


def log_history(some: Sequence[Line], store: Store) -> Store:
    """Log lines, or what is new of them.

    Args:
        some: the lines.
        store: the store that they were read from.

    Returns:
        The store with the MLflow experiment that has them.

    Raises:
        TrackingError: the store failed.
    """
    place = replace(store, experiment=f"{store.experiment} history")
    keys = varied(some)
    with explained(place, "run it again"):
        experiment, client = ensure(place), connect(place)
        for line in some:
            _log(client, experiment, line, keys)
    return place


def _log(client: Any, experiment: str, line: Line, keys: Sequence[str]) -> None:
    from mlflow.entities import Metric, RunTag

    wanted, run_id = _values(line), _find(client, experiment, line)
    there = _logged(client, run_id, {name for name, *_ in wanted}) if run_id else set()
    if run_id and not there <= set(wanted):
        client.delete_run(run_id)
        run_id, there = None, set()
    run_id = run_id or _create(client, experiment, line, keys)
    metrics = [
        Metric(name, value, when, step) for name, step, when, value in wanted if (name, step, when, value) not in there
    ]
    log_metrics(client, run_id, metrics)
    client.log_batch(run_id, tags=[RunTag("mlflow.note.content", _note(line))])


def _find(client: Any, experiment: str, line: Line) -> str | None:
    found = client.search_runs([experiment], f"tags.`{_TAG}` = '{_key(line)}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def _key(line: Line) -> str:
    return hashlib.sha256(f"{line.place.key} {line.metric.name}".encode()).hexdigest()[:32]


def _logged(client: Any, run_id: str, names: set[str]) -> set[Value]:
    """The values that a run has, of all its metrics that are ours."""
    histories = {name: client.get_metric_history(run_id, name) for name in names}
    return {(name, one.step, one.timestamp, one.value) for name, each in histories.items() for one in each}


def _create(client: Any, experiment: str, line: Line, keys: Sequence[str]) -> str:
    from mlflow.entities import Param

    tags = {_TAG: _key(line), "flowerexp.kind": KIND, "mlflow.source.name": "flowerexp"}
    name, started = f"{line.metric.name} {table.where(line, keys)}", int(1000 * line.points[0].first.started_at)
    run_id = str(client.create_run(experiment, started, tags, name[:250]).info.run_id)
    params = [Param(name_of(key), value) for key, value in line.place.choices.items()]
    for first in range(0, len(params), _PARAMS):
        client.log_batch(run_id, params=params[first : first + _PARAMS])
    client.set_terminated(run_id, "FINISHED", int(1000 * line.points[-1].first.started_at))
    return run_id


def _values(line: Line) -> list[Value]:
    """The points that are used, and the level around each."""
    values = []
    for step, (point, level) in enumerate(zip(line.points, levels_of(line), strict=True)):
        when = int(1000 * point.first.started_at)
        values += [(line.metric.name, step, when, point.value)] if point.is_used else []
        values += [(LEVEL, step, when, level)] if level is not None else []
    return values


def _note(line: Line) -> str:
    words = [table.title(line), f"on {line.place.machine}", line.conclusion]
    return "\n\n".join([*words, *(table.change(line, one) for one in line.changes)])[:_NOTE]
