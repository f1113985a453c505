"""Log a run to MLflow, from the plain files in its folder.

The ordinary end of a run and ``flowerexp log FOLDER`` are the same call. It may be made again at any time: a run that
was left half logged is completed, and none is logged twice (see `note`).
"""

from __future__ import annotations

import json
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import records
from flowerexp.analysis.earlier import find_summary
from flowerexp.config import recorded
from flowerexp.errors import DataError, TrackingError
from flowerexp.tracking import content, describe
from flowerexp.tracking.client import METRICS_AT_ONCE, connect, ensure, log_metrics
from flowerexp.tracking.data import input_of
from flowerexp.tracking.failures import explained
from flowerexp.tracking.model import log_models
from flowerexp.tracking.names import name_of
from flowerexp.tracking.network import log_networks
from flowerexp.tracking.note import TOKEN_TAG, Note
from flowerexp.tracking.params import params
from flowerexp.tracking.steps import steps
from flowerexp.tracking.store import Store
from flowerexp.tracking.transaction import one_transaction
from flowerexp.tracking.upload import upload

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from flowerexp.measurements.table import Measurements

Json = dict[str, Any]

ARTIFACTS = ("analysis/*", "job/driver.log", "job/events/*", "results/status.json", "results/attached/*")


def log_run(folder: Path, store: Store | None = None) -> str:
    """Log a run's folder, or complete what an earlier call has not finished.

    Args:
        folder: a run's folder, finished or failed.
        store: where it is logged; by default the store in the run's config.

    Returns:
        MLflow's run_id; the same whenever the folder is logged to this store.

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
    if not Note(folder, store).path.exists():
        return
    from mlflow.entities import Metric

    with _retriable(folder), explained(store, ""), _alone(folder):
        experiment, client = ensure(store), connect(store)
        run = Note(folder, store).find_run(client, experiment)
        if run:
            when = int(1000 * time.time())
            metrics = [Metric(name_of(key), value, when, 0) for key, value in numbers.items()]
            client.log_batch(run.info.run_id, metrics=metrics)


def add_tags(folder: Path, store: Store, tags: Mapping[str, str]) -> str | None:
    """Add tags to a run that is logged already.

    Args:
        folder: the run's folder.
        store: the store that it was logged to.
        tags: by name.

    Returns:
        MLflow's run_id; None where the run is not logged, and nothing happened.

    Raises:
        TrackingError: the store failed.
    """
    if not Note(folder, store).path.exists():
        return None
    from mlflow.entities import RunTag

    with explained(store, ""), _alone(folder):
        experiment, client = ensure(store), connect(store)
        run = Note(folder, store).find_run(client, experiment)
        if run is None:
            return None
        client.log_batch(run.info.run_id, tags=[RunTag(name_of(key), value) for key, value in tags.items()])
        return str(run.info.run_id)


def withdraw(folder: Path, store: Store) -> None:
    """Take the run of a folder out of MLflow, because it will be run again; it can be restored in MLflow's pages.

    Args:
        folder: a run's folder; one that was not logged is no error.
        store: the store that it was logged to.

    Raises:
        TrackingError: the store failed.
    """
    note = Note(folder, store)
    if not note.path.exists():
        return
    with explained(store, ""), _alone(folder):
        experiment, client = ensure(store), connect(store)
        run = note.find_run(client, experiment)
        if run:
            client.delete_run(run.info.run_id)
        note.path.unlink()


class _Logger:
    """Logs a run to a store."""

    def __init__(self, folder: Path, record: Json, store: Store, client: Any, experiment: str) -> None:
        self.folder, self.record, self.client, self.experiment = folder, record, client, experiment
        self.note = Note(folder, store)

    def log(self) -> str:
        noted, run = self.note.read(), self.note.find_run(self.client, self.experiment)
        if noted and run and noted.get("run_id"):
            return str(run.info.run_id)  # noted only when everything is in
        token = noted["token"] if noted else uuid.uuid4().hex
        self.note.write(token)
        measured = self._measured()
        metrics = self._metrics(measured)
        with nullcontext() if run else one_transaction(self.client):
            run = run or self._create(token)
            self._send(run.info.run_id, measured, metrics[:METRICS_AT_ONCE])
        run_id = str(run.info.run_id)
        log_metrics(self.client, run_id, metrics[METRICS_AT_ONCE:])
        self._send_files(run, measured)
        ended, status = self._at("ended_at"), "FINISHED" if self.record["state"] == "finished" else "FAILED"
        self.client.set_terminated(run_id, status, ended)
        self.note.write(token, run_id)
        return run_id

    def _create(self, token: str) -> Any:
        started, name = self._at("started_at"), self.record["name"]
        return self.client.create_run(self.experiment, started, {TOKEN_TAG: token}, name)

    def _send(self, run_id: str, measured: Measurements | None, metrics: Sequence[Metric]) -> None:
        """Send what MLflow's database holds of a run, but its end; sending it a second time changes nothing."""
        from mlflow.entities import Param, RunTag

        page, rows = describe.page_of(self.experiment, run_id), len(measured) if measured is not None else 0
        named = {**content.tags(self.record), describe.NOTE: describe.of_run(self.record, self.folder, page, rows)}
        if measured is not None:  # as log_table does, which would append to an existing table
            tables = [{"path": content.table_name(measured), "type": "table"}]
            named["mlflow.loggedArtifacts"] = json.dumps(tables)
        chosen = params(self.record["config"], self.record.get("label", ""))
        self.client.log_batch(
            run_id,
            metrics=metrics,
            params=[Param(key, value) for key, value in chosen.items()],
            tags=[RunTag(key, value) for key, value in named.items()],
        )
        if (data := input_of(self.record)) is not None:
            self.client.log_inputs(run_id, [data])

    def _metrics(self, measured: Measurements | None) -> list[Metric]:
        """The run's results, each once, and its lines."""
        from mlflow.entities import Metric

        summary = find_summary(self.folder / "analysis/summary.json") or {}
        when, numbers = self._at("ended_at"), content.metrics(self.record, summary, measured)
        lines = steps(measured, when / 1000) if measured is not None else []
        return [*(Metric(key, value, when, 0) for key, value in numbers.items()), *(Metric(*line) for line in lines)]

    def _send_files(self, run: Any, measured: Measurements | None) -> None:
        """Send the run's artifacts; sending them a second time changes nothing."""
        import yaml

        # Not Hydra's own config.yaml: that one is neither resolved nor free of secrets.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        config = yaml.dump(self.record["config"], Dumper=dumper, sort_keys=False, allow_unicode=True)
        texts = {"config.yaml": config}
        if measured is not None:
            texts[content.table_name(measured)] = content.table(measured)
        paths = sorted(path for pattern in ARTIFACTS for path in self.folder.glob(pattern))
        paths = [path for path in paths if path.is_file() and path.name[0] != "."]
        upload(self.client, run, paths, self.folder, texts)
        if not self.record.get("sweep_id"):
            log_models(self.client, run.info.run_id, self.folder / "analysis")
            log_networks(self.client, run.info.run_id, self.folder / "results" / "attached")

    def _measured(self) -> Measurements | None:
        """The measurements; None without any."""
        from flowerexp.measurements.loading import load
        from flowerexp.measurements.parquet import read_parquet
        from flowerexp.measurements.table import Measurements

        experiment, analysed = recorded(self.record["config"]).experiment, self.folder / content.MEASUREMENTS
        try:
            if analysed.exists():
                rows = Measurements(read_parquet(analysed), experiment)
            else:  # the analysis failed
                rows = load(self.folder / "results/measurements.jsonl", experiment)
        except DataError:
            if self.record["state"] == "finished":
                raise
            return None  # a failed run may have none, or damaged ones
        return rows if len(rows) else None

    def _at(self, key: str) -> int:
        return int(1000 * (self.record.get(key) or self.record["started_at"]))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two calls at the same time create one run."""
    from filelock import FileLock

    with FileLock(folder / ".mlflow.lock"):
        yield


@contextmanager
def _retriable(folder: Path) -> Iterator[None]:
    """Add to the error of a store how to try again: the results are in the folder."""
    command = f"the results are safe; log them again: flowerexp log {shlex.quote(str(folder))}"
    try:
        yield
    except TrackingError as error:
        hint = f"{error.hint}; {command}" if error.hint else command
        raise TrackingError(error.problem, where=error.where, hint=hint) from error
