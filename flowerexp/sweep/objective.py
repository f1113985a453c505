"""What runs are worth to a sweeper of Hydra's that optimises a metric: its value, and an infinity for a failed run."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Iterable
from typing import Any

from flowerexp import records
from flowerexp.config.objective import KEY, Objective
from flowerexp.errors import FlowerexpError
from flowerexp.plan import PlannedRun


def value_of(run: PlannedRun, objective: Objective) -> float:
    """The metric of a run that has finished.

    Raises:
        ConfigError: it has no such metric.
        DataError: its files are damaged.
    """
    from flowerexp.analysis.earlier import find_summary
    from flowerexp.measurements.loading import load
    from flowerexp.tracking import content

    summary = find_summary(run.folder / "analysis" / "summary.json") or {}
    measured = load(run.folder / "results" / "measurements.jsonl", objective.experiment)
    numbers = content.metrics(records.of_run(run.folder), summary, measured if len(measured) else None)
    if objective.name not in numbers:
        raise objective.unknown(numbers, KEY)
    return numbers[objective.name]


def best_of(runs: Iterable[PlannedRun], objective: Objective, worst: float) -> tuple[PlannedRun, float] | None:
    """The run that is best, and its value; None where none has finished.

    Args:
        runs: the runs.
        objective: what they are judged by.
        worst: the value of a failed run.
    """
    values = []
    for run in runs:
        try:
            values.append((run, value_of(run, objective)))
        except (FlowerexpError, OSError):  # it failed
            continue
    return (min if worst > 0 else max)(values, key=lambda pair: pair[1], default=None)


def prune_infinite_trials() -> None:
    """Let Optuna, where it is at work, take an infinite value for that of a trial that was pruned.

    `hydra-optuna-sweeper` 1.3 knows runs that have a value and runs that have failed. A failed one ends the sweep by
    default, and samplers do not see it, so that they may ask for it again; what was pruned they avoid.
    """
    optuna: Any = sys.modules.get("optuna")
    if optuna is None or hasattr(optuna.study.Study.tell, "__wrapped__"):
        return
    states = optuna.trial.TrialState
    tell = optuna.study.Study.tell

    @functools.wraps(tell)
    def pruning(study: Any, trial: Any, values: Any = None, state: Any = states.COMPLETE, **more: Any) -> Any:
        if state == states.COMPLETE and any(map(math.isinf, values or ())):
            values, state = None, states.PRUNED
        return tell(study, trial, values=values, state=state, **more)

    optuna.study.Study.tell = pruning
