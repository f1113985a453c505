"""Run the real command in a process of its own, as a user would, and look at what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import database

PHOTOGRAPHS = Path(
    os.environ.get("FLOWEREXP_PHOTOS") or Path(__file__).parents[2] / "shared" / "data" / "flower_photos"
)
"""The flower photographs, a folder for each class; they are not part of the checkout, and may be missing."""
SMALL_GRID = ("grid.batch_size=[2,4]", "grid.batch_number=[1,2,3]", "measure.repetitions=2")


@dataclass(frozen=True)
class Answer:
    """What a command answered: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on standard error that are no progress and no note."""
        return [line for line in self.err.splitlines() if line.startswith("flowerexp:") or "Traceback" in line]


class Home:
    """A folder in which the command is used.

    Args:
        path: the folder; becomes FLOWEREXP_HOME.
        environment: further environment variables.
        new: the command makes MLflow's database, as in a folder in which it was never used; else it is there already.
    """

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None, *, new: bool = False) -> None:
        self.path = path
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "FLOWEREXP_"))},
            "FLOWEREXP_HOME": str(path),
            **(environment or {}),
        }
        made = Path(self.environment["FLOWEREXP_HOME"]) / "mlruns" / "mlflow.db"
        if not (new or made.exists()):
            database.copy_to(made)

    def __call__(self, *arguments: object, timeout: float = 300) -> Answer:
        """Run `flowerexp ARGUMENTS`."""
        done = subprocess.run(
            [sys.executable, "-m", "flowerexp", *map(str, arguments)],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    @property
    def runs(self) -> list[Path]:
        """The folders of the runs, the oldest first."""
        return sorted((path.parent for path in self.path.glob("outputs/*/*/run.json")), key=lambda p: p.stat().st_ctime)

    def record(self) -> dict[str, Any]:
        """The newest run's record."""
        record: dict[str, Any] = json.loads((self.runs[-1] / "run.json").read_bytes())
        return record

    def rows(self) -> list[dict[str, Any]]:
        """The newest run's measurements."""
        lines = (self.runs[-1] / "results" / "measurements.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def manifests(self) -> list[dict[str, Any]]:
        """The manifests of all prepared data, with the folder of each under `folder`."""
        found = sorted(self.path.glob("data/prepared/*/manifest.json"))
        return [{**json.loads(path.read_bytes()), "folder": path.parent} for path in found]

    def mlflow(self) -> Any:
        """A client of the store."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=f"sqlite:///{self.path}/mlruns/mlflow.db")

    def logged(self) -> list[Any]:
        """All runs in the store, the oldest first."""
        client = self.mlflow()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(reversed(client.search_runs(experiments, order_by=["attributes.start_time DESC"])))
