"""Read runs back from MLflow, with all that is needed to compare them or to run them again."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.model import FILE, read
from flowerexp.config import plain, recorded
from flowerexp.config.schema import Config
from flowerexp.errors import DataError, TrackingError
from flowerexp.tracking.client import connect
from flowerexp.tracking.content import params
from flowerexp.tracking.failures import explained
from flowerexp.tracking.reachable import check_reachable
from flowerexp.tracking.store import Store

if TYPE_CHECKING:
    from flowerexp.analysis.model.predicting import Model
    from flowerexp.measurements.table import Measurements

SHORTEST = 4
"""The fewest characters of a run_id that are searched for."""

_SHOWN = 8  # characters of a run_id in messages and tables
_CANDIDATES = 5
_CONFIG = "config.yaml"
_MEASUREMENTS = "analysis/measurements.parquet"


@dataclass(frozen=True)
class LoggedRun:
    """A run in MLflow; its files are fetched when they are needed."""

    store: Store
    run_id: str
    experiment_id: str
    name: str
    status: str  # MLflow's: FINISHED, FAILED, RUNNING, ...
    started_at: float  # epoch seconds
    params: Mapping[str, str] = field(repr=False)
    tags: Mapping[str, str] = field(repr=False)
    metrics: Mapping[str, float] = field(repr=False)

    @property
    def short_id(self) -> str:
        """The beginning of the run_id, for tables."""
        return self.run_id[:_SHOWN]

    @property
    def error(self) -> str | None:
        """Why the run failed, or that it has not ended; None for a finished run."""
        if self.status == "FINISHED":
            return None
        return self.tags.get("flowerexp.error") or f"MLflow has it as {self.status}"

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each phase."""
        named = {key: re.fullmatch(r"time/(.+)_seconds", key) for key in self.metrics}
        return {match[1]: self.metrics[key] for key, match in named.items() if match}

    @cached_property
    def config(self) -> Config:
        """Its config: resolved, and with secrets hidden.

        Raises:
            TrackingError: MLflow has no config of it, or cannot be read.
        """
        import yaml

        content = self._artifact(_CONFIG)
        try:
            config = yaml.safe_load(content) if content else None
        except yaml.YAMLError:
            config = None
        if not isinstance(config, dict) or "entrypoint" not in config:
            problem = f"run {self.short_id} ({self.name}) has no {_CONFIG} of flowerexp in MLflow"
            raise TrackingError(problem, hint="choose a run that flowerexp has logged, not the summary of a sweep")
        return recorded(config)

    @cached_property
    def choices(self) -> dict[str, str]:
        """The values of its config as params of this version: an earlier version logged other params.

        Raises:
            TrackingError: see `config`.
        """
        return params(plain(self.config))

    @cached_property
    def measurements(self) -> Measurements:
        """All its measurements; none if nothing was measured.

        Raises:
            TrackingError: MLflow cannot be read.
            DataError: the file is damaged.
        """
        import pyarrow
        import pyarrow.parquet

        from flowerexp.measurements.table import Measurements

        content = self._artifact(_MEASUREMENTS)
        experiment = self.config.entrypoint
        if content is None:
            return Measurements(pyarrow.table({}), experiment)
        try:
            # Without Arrow's threads: one that is still letting go of the bytes when Python ends aborts the process.
            file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content), page_checksum_verification=True)
            table = file.read(use_threads=False)
        except (pyarrow.ArrowException, OSError) as error:
            problem = f"{_MEASUREMENTS} of run {self.short_id} is damaged: {' '.join(str(error).split())}"
            raise DataError(problem, hint="run it again: flowerexp rerun") from error
        return Measurements(table, experiment)

    @cached_property
    def models(self) -> list[Model]:
        """Its models, or those of all runs of a sweep for its summary; none if nothing was varied.

        Raises:
            TrackingError: MLflow cannot be read, or has no models of it.
            DataError: the file is damaged.
        """
        place = FILE if self.tags.get("flowerexp.kind") == "sweep" else f"analysis/{FILE}"
        content = self._artifact(place)
        if content is None:
            hint = "fit and log them again: flowerexp report --log SWEEP, or flowerexp rerun RUN"
            raise TrackingError(f"run {self.short_id} ({self.name}) has no {place} in MLflow", hint=hint)
        return read(content, f"{place} of run {self.short_id}")

    def _artifact(self, path: str) -> bytes | None:
        """A file that was logged with the run, or None if there is no such file."""
        folder = path.rpartition("/")[0] or None
        with _reading(self.store), tempfile.TemporaryDirectory() as here:
            client = connect(self.store)
            if path not in {info.path for info in client.list_artifacts(self.run_id, folder)}:
                return None
            return Path(client.download_artifacts(self.run_id, path, here)).read_bytes()


def is_run_id(text: str) -> bool:
    """Whether a text can be the beginning of a run_id."""
    return bool(re.fullmatch(rf"[0-9a-f]{{{SHORTEST},32}}", text.lower()))


def find(store: Store, run_id: str) -> LoggedRun:
    """Find a run by its run_id or the beginning of it; a store that does not exist is not created.

    Args:
        store: where to search, in all its experiments.
        run_id: MLflow's id, or at least its first four characters.

    Raises:
        TrackingError: there is no such run, or there are several, or the store cannot be read.
    """
    wanted = run_id.lower()
    if not is_run_id(run_id):
        hint = f"give an MLflow run_id, or at least its first {SHORTEST} characters"
        raise TrackingError(f"'{run_id}' is not a run_id", where="command line", hint=hint)
    _check(store)
    with _reading(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments(max_results=1000)]
        condition = f"attributes.run_id LIKE '{wanted}%'"
        matching = client.search_runs(experiments, condition, max_results=_CANDIDATES + 1) if experiments else []
    if len(matching) != 1:
        raise _unclear(run_id, [_logged(store, run) for run in matching], store)
    return _logged(store, matching[0])


def find_sweep(store: Store, sweep_id: str) -> LoggedRun:
    """Find the summary of a sweep.

    Args:
        store: where to search, in all its experiments.
        sweep_id: the sweep's id, or a part of it such as the name of its folder.

    Raises:
        TrackingError: there is none, or there are several, or the store cannot be read.
    """
    _check(store)
    with _reading(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments(max_results=1000)]
        part = re.sub(r"[^\w.-]", "_", sweep_id)  # any one character
        condition = f"tags.`flowerexp.kind` = 'sweep' AND tags.sweep_id LIKE '%{part}%'"
        matching = client.search_runs(experiments, condition, max_results=_CANDIDATES + 1) if experiments else []
    if len(matching) == 1:
        return _logged(store, matching[0])
    listed = [str(run.data.tags["sweep_id"]) for run in matching[:_CANDIDATES]]
    hint = f"give more of its id: {', '.join(listed)}" if listed else "flowerexp ui shows all sweeps"
    problem = (
        f"'{sweep_id}' fits several sweeps"
        if matching
        else f"{store.address} does not have a run or sweep '{sweep_id}'"
    )
    raise TrackingError(problem, where="command line", hint=hint)


def _check(store: Store) -> None:
    if store.database and not (store.database.is_file() and store.database.stat().st_size):
        hint = "run an experiment first: flowerexp, or name the store: tracking.uri=... or home=..."
        raise TrackingError(f"there are no runs yet in {store.database}", hint=hint)
    if not store.database:
        check_reachable(store)


def _unclear(run_id: str, matching: list[LoggedRun], store: Store) -> TrackingError:
    if not matching:
        hint = "flowerexp ui shows all runs; name another store with tracking.uri=... or home=..."
        return TrackingError(f"there is no run {run_id} in {store.address}", where="command line", hint=hint)
    listed = [f"{run.run_id[: max(_SHOWN, len(run_id) + 4)]} ({run.name})" for run in matching[:_CANDIDATES]]
    more = " and more" if len(matching) > _CANDIDATES else ""
    hint = f"give more of its run_id: {', '.join(listed)}{more}"
    return TrackingError(f"several runs begin with {run_id}", where="command line", hint=hint)


def _logged(store: Store, run: Any) -> LoggedRun:
    info, data = run.info, run.data
    return LoggedRun(
        store=store,
        run_id=str(info.run_id),
        experiment_id=str(info.experiment_id),
        name=str(info.run_name or ""),
        status=str(info.status),
        started_at=(info.start_time or 0) / 1000,
        params=dict(data.params),
        tags=dict(data.tags),
        metrics=dict(data.metrics),
    )


@contextmanager
def _reading(store: Store) -> Iterator[None]:
    """Turn what MLflow, its database or the disk raise into one line."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with explained(store, "check tracking.uri and tracking.artifacts", "reading from"):
        yield
