"""Send files to MLflow as artifacts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_AT_ONCE = 8  # uploads to a server


def upload(client: Any, run: Any, paths: Sequence[Path], folder: Path, texts: Mapping[str, str] | None = None) -> None:
    """Log files as artifacts; to a server several at once, since each is a request that may take long.

    Args:
        client: MLflow's.
        run: MLflow's run. `MlflowClient.log_artifact` would read it anew, to see where its artifacts are.
        paths: the files.
        folder: paths in MLflow are relative to it.
        texts: further files, by their names.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(run.info.artifact_uri, tracking_uri=client.tracking_uri)

    def send(path: Path, place: str) -> None:
        repository.log_artifact(str(path), None if place == "." else place)

    with TemporaryDirectory() as aside, ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, text in (texts or {}).items():
            Path(aside, name).write_text(text, encoding="utf-8")
        files = [*(Path(aside, name) for name in texts or ()), *paths]
        places = [*("." for _ in texts or ()), *(path.parent.relative_to(folder).as_posix() for path in paths)]
        for _ in (pool.map if client.tracking_uri.startswith("http") else map)(send, files, places):
            pass
