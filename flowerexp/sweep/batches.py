"""A sweep whose sweeper chooses its runs a batch at a time, as Optuna's does: what that is told, and how it ends."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from flowerexp.config.objective import Objective, worst
from flowerexp.console import figure
from flowerexp.errors import JobError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun
from flowerexp.sweep.objective import best_of, prune_infinite_trials, value_of
from flowerexp.sweep.run import Sweep, planned_runs

_FEWEST = 5  # runs of which one must have finished, else something is wrong with all of them


class _Failed(JobReturn):
    """A run that failed, and has a value all the same."""

    @property  # type: ignore[misc]
    def return_value(self) -> Any:
        """See `JobReturn.return_value`, which would raise the run's error."""
        return self._return_value


def of_earlier_batches(journal: Journal, listed: Sequence[Mapping[str, Any]], sweep_id: str) -> list[PlannedRun]:
    """The runs that earlier batches of a sweep have made.

    Args:
        journal: the sweep's.
        listed: those runs, as its plan has them.
        sweep_id: of the sweep.
    """
    code_hash = functools.cache(lambda script: Bundle(find_script(script)).code_hash)
    return planned_runs({"sweep_id": sweep_id, "runs": listed}, journal.folder, code_hash)


def valued(
    returns: Sequence[JobReturn], runs: Sequence[PlannedRun], objective: Objective, config: DictConfig, journal: Journal
) -> list[JobReturn]:
    """What a batch returned, with the objective as the value of each run; a failed one has the worst there is.

    Args:
        returns: in the order of `runs`.
        runs: the runs of the batch.
        objective: the metric.
        config: the sweep's own, with Hydra's node.
        journal: the sweep's.

    Raises:
        ConfigError: the runs have no such metric.
        JobError: no run at all has finished so far, so that there is nothing to go by.
    """
    found = []
    for job, run in zip(returns, runs, strict=True):
        if job.status is JobStatus.COMPLETED:
            job._return_value = value_of(run, objective)
        else:
            job = _Failed(job.overrides, job.cfg, job.hydra_cfg, job.working_dir, job.task_name, job.status)
            job._return_value = worst(objective, config.hydra)
        found.append(job)
    states = journal.read().runs
    if "finished" not in states.values() and len(states) >= min(_FEWEST, _trials(config)):
        raise JobError(f"none of the first {len(states)} runs has finished", hint="the reasons are above")
    prune_infinite_trials()
    return found


def _trials(config: DictConfig) -> int:
    return int(OmegaConf.select(config, "hydra.sweeper.n_trials") or _FEWEST)


def close(sweep: Sweep, objective: Objective | None, config: DictConfig) -> None:
    """Close a sweep once its sweeper is done: what was best, the tables, and the report.

    Args:
        sweep: the sweep, with the runs of all batches.
        objective: what was optimised, if anything was.
        config: the sweep's own, with Hydra's node.
    """
    with sweep.journal.held():
        sweep.close()
        best = best_of(sweep.runs, objective, worst(objective, config.hydra)) if objective else None
        if objective and best:
            run, value = best
            sweep.screen.say(f"best      run {run.folder.name}, {objective.name} {figure(value)}: {run.label}")
