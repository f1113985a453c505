"""Tell MLflow about a run, from the plain files in its folder.

The ordinary end of a run and ``flowerexp log FOLDER`` are the same call. It may be made again at any time: before a run
is created in MLflow, a random token is noted in the folder's ``mlflow.json``, and the run carries it as a tag. So a run
that was left half logged is found and completed, even if the answer that held its id was lost; none is logged twice.
"""

from __future__ import annotations

import json
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import records
from flowerexp.analysis.earlier import find_summary
from flowerexp.config import recorded
from flowerexp.errors import DataError, TrackingError
from flowerexp.tracking import content
from flowerexp.tracking.model import log_models
from flowerexp.tracking.store import Store, connect, ensure, explained

if TYPE_CHECKING:
    from flowerexp.measurements.table import Measurements

Json = dict[str, Any]

TOKEN_TAG = "flowerexp.log_token"
TABLE = "measurements.json"
ARTIFACTS = ("analysis/*", "job/driver.log", "job/events/*", "results/status.json", "results/attached/*")

_AT_ONCE = 8  # uploads to a server


def log_run(folder: Path, store: Store | None = None) -> str:
    """Log a run's folder, or complete what an earlier call has left half done.

    Args:
        folder: a run's folder, finished or failed.
        store: where to; by default the store that the run was configured with.

    Returns:
        MLflow's run_id: of the run that this folder became when it was first logged there.

    Raises:
        DataError: that is not the folder of a run, or one of its files is damaged.
        TrackingError: the store failed; the hint is the command that tries again.
    """
    record = records.of_run(folder)
    if store is None:  # run.json never holds a password: MLflow takes it from its own variables, or from ~/.netrc
        store = Store(**{**record["tracking"], "uri": record["tracking"]["uri"].replace("***@", "")})
    with _retriable(folder), explained(store, ""), _alone(folder):
        experiment = ensure(store)
        return _Logger(folder, record, store, connect(store), experiment).log()


def add_metrics(folder: Path, store: Store, numbers: Mapping[str, float]) -> None:
    """Add metrics to a run that is logged already; nothing happens where it is not.

    Args:
        folder: the run's folder.
        store: the store that it was logged to.
        numbers: metrics by name.

    Raises:
        TrackingError: the store failed; the hint is the command that logs the run again.
    """
    if not (folder / "mlflow.json").exists():
        return
    from mlflow.entities import Metric

    with _retriable(folder), explained(store, ""), _alone(folder):
        experiment, client = ensure(store), connect(store)
        logger = _Logger(folder, {}, store, client, experiment)
        recalled = logger._recall()
        run_id = logger._find(recalled["token"]) if recalled else None
        if run_id:
            when = int(1000 * time.time())
            client.log_batch(
                run_id, metrics=[Metric(content.name_of(key), value, when, 0) for key, value in numbers.items()]
            )


def withdraw(folder: Path, store: Store) -> None:
    """Take the run of a folder out of MLflow, because it will be run again; it can be restored in MLflow's pages.

    Args:
        folder: a run's folder; one that was not logged is no error.
        store: the store that it was logged to.

    Raises:
        TrackingError: the store failed.
    """
    note = folder / "mlflow.json"
    if not note.exists():
        return
    with explained(store, ""), _alone(folder):
        experiment, client = ensure(store), connect(store)
        logger = _Logger(folder, {}, store, client, experiment)
        recalled = logger._recall()
        run_id = logger._find(recalled["token"]) if recalled else None
        if run_id:
            client.delete_run(run_id)
        note.unlink()


class _Logger:
    """One run on its way into one store."""

    def __init__(self, folder: Path, record: Json, store: Store, client: Any, experiment: str) -> None:
        self.folder, self.record, self.client, self.experiment = folder, record, client, experiment
        self.place = {"uri": store.address, "experiment": store.experiment}

    def log(self) -> str:
        note = self._recall()
        run_id = self._find(note["token"]) if note else None
        if note and run_id and note.get("run_id"):
            return run_id  # noted only when everything is in
        token = note["token"] if note else uuid.uuid4().hex
        self._note(token)
        run_id = run_id or self._create(token)
        self._send(run_id)
        ended, status = self._at("ended_at"), "FINISHED" if self.record["state"] == "finished" else "FAILED"
        self.client.set_terminated(run_id, status, ended)
        self._note(token, run_id)
        return run_id

    def _find(self, token: str) -> str | None:
        found = self.client.search_runs([self.experiment], f"tags.`{TOKEN_TAG}` = '{token}'", max_results=1)
        return str(found[0].info.run_id) if found else None

    def _create(self, token: str) -> str:
        started, name = self._at("started_at"), self.record["name"]
        return str(self.client.create_run(self.experiment, started, {TOKEN_TAG: token}, name).info.run_id)

    def _send(self, run_id: str) -> None:
        """Everything but the end; sending it a second time changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        measured = self._measured()
        table = content.table(measured) if measured is not None else None
        named = content.tags(self.record)
        if table:  # what log_table does, which would append to a table that is already there
            named["mlflow.loggedArtifacts"] = json.dumps([{"path": TABLE, "type": "table"}])
        summary = find_summary(self.folder / "analysis/summary.json") or {}
        when, numbers = self._at("ended_at"), content.metrics(self.record, summary, measured)
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, when, 0) for key, value in numbers.items()],
            params=[Param(key, value) for key, value in content.params(self.record["config"]).items()],
            tags=[RunTag(key, value) for key, value in named.items()],
        )
        self._send_files(run_id, table)
        if not self.record.get("sweep_id"):
            log_models(self.client, run_id, self.folder / "analysis")

    def _send_files(self, run_id: str, table: str | None) -> None:
        import yaml

        # Not Hydra's own config.yaml: that one is neither resolved nor free of secrets.
        config = yaml.safe_dump(self.record["config"], sort_keys=False, allow_unicode=True)
        self.client.log_text(run_id, config, "config.yaml")
        if table:
            self.client.log_text(run_id, table, TABLE)
        found = sorted(path for pattern in ARTIFACTS for path in self.folder.glob(pattern))
        upload(self.client, run_id, [path for path in found if path.is_file() and path.name[0] != "."], self.folder)

    def _measured(self) -> Measurements | None:
        """The measurements; None without any."""
        from flowerexp.measurements.loading import load

        try:
            found = load(self.folder / "results/measurements.jsonl", recorded(self.record["config"]).entrypoint)
        except DataError:
            if self.record["state"] == "finished":
                raise
            return None  # what has failed may have left none, or damaged ones
        return found if len(found) else None

    def _at(self, key: str) -> int:
        return int(1000 * (self.record.get(key) or self.record["started_at"]))

    def _notes(self) -> list[Json]:
        try:
            found = records.find(self.folder / "mlflow.json", records.NOTE)
        except DataError as error:
            hint = "remove that file to log the run anew; look in MLflow whether it is there already"
            raise DataError(error.problem, hint=hint) from error
        return list(found["stores"]) if found else []

    def _recall(self) -> Json | None:
        return next((note for note in self._notes() if self.place.items() <= note.items()), None)

    def _note(self, token: str, run_id: str | None = None) -> None:
        others = [note for note in self._notes() if not self.place.items() <= note.items()]
        stores = [*others, {**self.place, "token": token, "run_id": run_id}]
        records.write(self.folder / "mlflow.json", {"stores": stores})


def upload(client: Any, run_id: str, paths: Sequence[Path], folder: Path) -> None:
    """Log files as artifacts; to a server several at once, since each is a request that may take long.

    Args:
        client: MLflow's.
        run_id: the run's.
        paths: the files.
        folder: the one below which they keep their places.
    """

    def send(path: Path) -> None:
        place = path.parent.relative_to(folder).as_posix()
        client.log_artifact(run_id, str(path), None if place == "." else place)

    with ThreadPoolExecutor(_AT_ONCE if client.tracking_uri.startswith("http") else 1) as pool:
        for _ in pool.map(send, paths):
            pass


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two calls at once make one run."""
    from filelock import FileLock

    with FileLock(folder / ".mlflow.lock"):
        yield


@contextmanager
def _retriable(folder: Path) -> Iterator[None]:
    """Say how to try again, whatever the store did: the results are in the folder."""
    command = f"the results are safe; log them again: flowerexp log {shlex.quote(str(folder))}"
    try:
        yield
    except TrackingError as error:
        hint = f"{error.hint}; {command}" if error.hint else command
        raise TrackingError(error.problem, where=error.where, hint=hint) from error
