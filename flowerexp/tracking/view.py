"""The view of a sweep in MLflow's pages: the columns of its table, and the first charts.

MLflow keeps a view that somebody saves with its button `Views` as a tag of the experiment, and so does this module. The
format is that of ``savedViewEnvelope.ts`` and ``ExperimentPageUIState.ts`` in the pages of MLflow 3.17; pages with
another format show their defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flowerexp.tracking.content import VERDICT

MACHINE_LEARNING = "workflowType=machine_learning"
"""What makes MLflow's pages show the menu of runs and not of chats, in the query of an address."""

_TAG = "mlflow.sharedViewState."

_COMPARISON = "what was varied"
_MEASURED = "what was measured"
_NAME = "attributes.`Run Name`"
# Pixels. A name of about 40 characters fits: MLflow's own width cuts it at 24, before the values that the sweep varies.
_WIDTH_OF_NAME, _WIDTH = 310, 170


def tag_of(sweep_id: str) -> str:
    """The tag of an experiment that holds the view of a sweep."""
    return f"{_TAG}{_key(sweep_id)}"


def query_of(sweep_id: str) -> str:
    """The query in the address of a page of runs: the view of a sweep, in the menu of runs and not of chats."""
    return f"{MACHINE_LEARNING}&{urlencode({'viewStateShareKey': _key(sweep_id)})}"


def _key(sweep_id: str) -> str:
    """A sweep's id, cut and with only the characters that a tag's name may have."""
    return re.sub(r"[^\w.-]", "_", sweep_id)[:200]


def view(name: str, when: int, condition: str, params: Sequence[str], metrics: Sequence[str]) -> str:
    """A saved view of some runs, as the value of an experiment's tag.

    Args:
        name: its name in the menu of views.
        when: epoch milliseconds of its creation.
        condition: which runs, in the language of MLflow's search.
        params: the params to show.
        metrics: the metrics to show, the most important first.
    """
    columns = [f"metrics.`{name}`" for name in metrics] + [f"params.`{name}`" for name in params]
    columns.append(f"tags.`{VERDICT}`")
    groups = dict.fromkeys(metric.rpartition("/")[0] for metric in metrics)
    state = {
        "searchFilter": condition,
        "selectedColumns": columns,
        "columnOrder": [_NAME, *columns],
        "columnWidths": {**dict.fromkeys(columns, _WIDTH), _NAME: _WIDTH_OF_NAME},
        "compareRunSections": [
            _section(_COMPARISON, 1),
            _section(_MEASURED, 2),
            *(_section(group, 3) for group in groups),
        ],
        "compareRunCharts": [_comparison(params, metrics), *(_bars(metric) for metric in metrics)],
        "isAccordionReordered": True,  # else MLflow sorts the sections by name
    }
    return json.dumps({"name": name, "createdAt": when, "state": json.dumps(state)})


def _section(name: str, columns: int) -> dict[str, Any]:
    return {"uuid": name, "name": name, "columns": columns, "display": True, "isReordered": False}


def _comparison(params: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    """Parallel coordinates of what was varied, and of what was measured."""
    chosen = {"selectedParams": [*params], "selectedMetrics": [*metrics], "showAllRuns": False}
    return {**_chart("PARALLEL", _COMPARISON, _COMPARISON), **chosen}


def _bars(metric: str) -> dict[str, Any]:
    return {**_chart("BAR", metric, _MEASURED), "metricKey": metric, "displayName": metric}


def _chart(kind: str, name: str, section: str) -> dict[str, Any]:
    known = {"type": kind, "uuid": f"chart of {name}", "metricSectionId": section}
    return {**known, "runsCountToCompare": 100, "deleted": False, "isGenerated": False}
