"""Write what is shipped with a job: the job file, the bundle and the script."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from flowerexp import records
from flowerexp.cluster import Backend, JobFiles
from flowerexp.config.redact import redacted
from flowerexp.dataset.kind import for_workload
from flowerexp.errors import DataError
from flowerexp.job import rows
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.plan import PlannedJob, PlannedRun

JOB = "job.json"


def ship(job: PlannedJob, runs: Sequence[PlannedRun], folder: Path, scope: str, cluster: Backend) -> JobFiles:
    """Write what is shipped into a job's folder, with a token by which its results are known from those of others.

    Args:
        job: the job.
        runs: those of its runs that it carries this time.
        folder: the job's.
        scope: the sweep or run that it belongs to.
        cluster: it says where the runs write to.

    Raises:
        OSError: no room, no permission.
    """
    bundle = Bundle(find_script(job.script))
    folder.mkdir(parents=True, exist_ok=True)
    token = token_of(folder) or secrets.token_hex(8)  # a job that is submitted again may be at work already
    listed = [
        {
            "run_key": run.run_key,
            "token": token,
            "config": redacted(for_workload(run.config)),
            "output": (output := cluster.output(run.folder, scope)),
            "earlier": rows.earlier(run, output),
        }
        for run in runs
    ]
    requires = {name: pin for run in runs for name, pin in run.requires.items()}
    # What this machine lacks is met soon enough; on another one it is looked for before anything is timed.
    probed = {} if cluster.on_this_host else requires
    records.write(folder / JOB, {"requires": probed, "runs": listed})
    script = Path(shutil.copy(bundle.script, folder))
    return JobFiles(folder, script, bundle.write(folder), folder / JOB, scope, requires)


def run_keys(folder: Path) -> set[str]:
    """The keys of the runs that the job in a folder carries; none where its job file is missing or damaged."""
    try:
        return {str(run["run_key"]) for run in records.read(folder / JOB, {"runs": [{"run_key": str}]})["runs"]}
    except (FileNotFoundError, NotADirectoryError, DataError):
        return set()


def token_of(folder: Path) -> str | None:
    """The token of the job in a folder; None where its job file is missing or damaged."""
    try:
        return str(records.read(folder / JOB, {"runs": [{"token": str}]})["runs"][0]["token"])
    except (FileNotFoundError, DataError, IndexError):
        return None
