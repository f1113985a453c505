"""Write what is shipped with a job: the job file, the bundle and the script."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from flowerexp import storage
from flowerexp.cluster import Backend, JobFiles
from flowerexp.config.redact import redacted
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.plan import PlannedJob, PlannedRun


def ship(job: PlannedJob, runs: Sequence[PlannedRun], folder: Path, scope: str, cluster: Backend) -> JobFiles:
    """Write what is shipped into a job's folder.

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
    listed = [
        {"run_key": run.run_key, "config": redacted(run.config), "output": cluster.output(run.folder, scope)}
        for run in runs
    ]
    requires = {name: pin for run in runs for name, pin in run.requires.items()}
    # What this machine lacks is met soon enough; on another one it is looked for before anything is timed.
    probed = {} if cluster.on_this_host else requires
    storage.write_bytes(str(folder / "job.json"), json.dumps({"requires": probed, "runs": listed}, indent=1).encode())
    script = Path(shutil.copy(bundle.script, folder))
    return JobFiles(folder, script, bundle.write(folder), folder / "job.json", scope, requires)
