"""What MLflow's pages show of a sweep as they open: the columns of its table, and the charts that come first.

MLflow keeps a view that somebody has saved, under its button `Views`, as a tag of the experiment; and so can we. The
format is that of ``savedViewEnvelope.ts`` and ``ExperimentPageUIState.ts`` in the pages of MLflow 3.17; pages that have
another one show their defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flowerexp.tracking.content import VERDICT

_TAG = "mlflow.sharedViewState."

_COMPARISON = "what was varied"
_MEASURED = "what was measured"
_NAME = "attributes.`Run Name`"
# Pixels. A name of some 40 characters fits: MLflow's own width cuts it at 24, before what the sweep varies.
_WIDTH_OF_NAME, _WIDTH = 310, 170


def tag_of(sweep_id: str) -> str:
    """The tag of an experiment that holds the view of a sweep."""
    return f"{_TAG}{_key(sweep_id)}"


def query_of(sweep_id: str) -> str:
    """What the address of a page of runs asks for: the view of a sweep, in a menu of runs rather than of chats."""
    return urlencode({"workflowType": "machine_learning", "viewStateShareKey": _key(sweep_id)})


def _key(sweep_id: str) -> str:
    """A sweep's id with nothing in it that a tag's name may not hold."""
    return re.sub(r"[^\w.-]", "_", sweep_id)[:200]


def view(name: str, when: int, condition: str, params: Sequence[str], metrics: Sequence[str]) -> str:
    """A saved view of some runs, as the value of an experiment's tag.

    Args:
        name: what it is called in the menu of views.
        when: epoch milliseconds of its making.
        condition: which runs, in the language of MLflow's search.
        params: the params to show.
        metrics: the metrics to show, the headline first.
    """
    columns = [f"metrics.`{one}`" for one in metrics] + [f"params.`{one}`" for one in params] + [f"tags.`{VERDICT}`"]
    groups = dict.fromkeys(one.rpartition("/")[0] for one in metrics)
    state = {
        "searchFilter": condition,
        "selectedColumns": columns,
        "columnOrder": [_NAME, *columns],
        "columnWidths": {**dict.fromkeys(columns, _WIDTH), _NAME: _WIDTH_OF_NAME},
        "compareRunSections": [_section(_COMPARISON, 1), _section(_MEASURED, 2), *(_section(one, 3) for one in groups)],
        "compareRunCharts": [_comparison(params, metrics), *(_bars(one) for one in metrics)],
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
