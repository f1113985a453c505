"""MLflow's database as it makes it, to be copied: making one takes seconds of computing, and each home has its own.

That flowerexp makes one by itself is tested in `tests/tracking/test_store.py`, and from beginning to end in
`tests/test_end_to_end.py`.
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from flowerexp.tracking import Store, client

FOLDER = Path(__file__).parents[1] / "build" / "tests"
make = client._make


def copy_to(database: Path) -> Path:
    """Copy a database without experiments of ours; made once for each version of MLflow, by whoever is first."""
    template = FOLDER / f"mlflow-{version('mlflow')}.db"
    if not template.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(template.with_suffix(".lock")):
            if not template.exists():
                _make(template)
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f".{database.name}.{os.getpid()}")
    shutil.copyfile(template, partial)
    partial.replace(database)
    return database


def _make(template: Path) -> None:
    partial = template.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    client.connect(Store(f"sqlite:///{partial}")).search_experiments()
    partial.replace(template)
