"""The one place that walks plan -> cluster -> job -> measurements -> analysis -> tracking.

`preflight` looks before anything happens, `drive` takes jobs to their clusters, `watch` sees their runs end, `collect`
reads and records their results, `ledger` counts what it costs, and `batch` holds it together; a single run is a batch
of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp.config.schema import Config
from flowerexp.console import Screen
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.journal import RECORD
from flowerexp.journal.journal import Journal, refuse_taken
from flowerexp.orchestrate.batch import Batch
from flowerexp.orchestrate.collect import Result, collect_run, log
from flowerexp.orchestrate.ledger import ClusterLifetime, Ledger
from flowerexp.orchestrate.limit import BatchLimits, TimeLimit
from flowerexp.orchestrate.preflight import preflight
from flowerexp.orchestrate.settle import settle
from flowerexp.plan import plan

__all__ = [
    "RECORD",
    "Batch",
    "BatchLimits",
    "ClusterLifetime",
    "Ledger",
    "Result",
    "TimeLimit",
    "collect_run",
    "log",
    "preflight",
    "run",
    "settle",
]


def run(config: Config, folder: Path, screen: Screen, extra: Mapping[str, Any] | None = None) -> Result:
    """Run one checked config from beginning to end.

    Args:
        config: the checked config.
        folder: the run's folder; it exists.
        screen: where progress is shown.
        extra: what else to put into the run's record, such as ``{"rerun_of": run_id}``.

    Returns:
        The result; a run that failed on the cluster is logged to MLflow as failed, and its result holds the error.

    Raises:
        FlowerexpError: something was found to be wrong before the job started; also that the folder is not a new one.
    """
    bundle = Bundle(find_script(config.entrypoint.script))
    planned = plan([config], [folder], bundle.code_hash, extra or {})
    results: list[Result] = []
    ledger = Ledger(config)
    with Journal(folder).held():  # so that a cleanup elsewhere does not take its cluster for a leftover
        refuse_taken(folder, "hydra.run.dir")
        Batch(planned, folder, screen, ledger).run(results.append)
    settle(planned.runs, ledger.lifetimes, folder.glob("job*"))
    return results[0]
