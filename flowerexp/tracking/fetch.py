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
from flowerexp.tracking.content import MEASUREMENTS, VERDICT
from flowerexp.tracking.failures import explained
from flowerexp.tracking.params import choices
from flowerexp.tracking.reachable import check_reachable
from flowerexp.tracking.store import Store

if TYPE_CHECKING:
    from flowerexp.analysis.model.predicting import Model
    from flowerexp.measurements.table import Measurements

SHORTEST = 4
"""The fewest characters of a run_id that are searched for."""

_SHOWN = 8  # characters of a run_id in messages and tables
_CANDIDATES = 5
_PAGE = 100
_CONFIG = "config.yaml"


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
    def is_sweep(self) -> bool:
        """Whether it is the summary of a sweep."""
        return self.tags.get("flowerexp.kind") == "sweep"

    @property
    def facts(self) -> dict[str, Any]:
        """What it ran on, and with which data."""
        return {**{key.removeprefix("facts/"): value for key, value in self.metrics.items()}, **self.tags}

    @property
    def verdict(self) -> str:
        """Whether its measurements can be believed: `valid`, `suspect` or `invalid`."""
        return self.tags.get(VERDICT, "valid")

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

        content = self.artifact(_CONFIG)
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
        """All values of its config that results depend on; its params are only some of them.

        Raises:
            TrackingError: see `config`.
        """
        return choices(plain(self.config))

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

        content = self.artifact(MEASUREMENTS)
        experiment = self.config.experiment
        if content is None:
            return Measurements(pyarrow.table({}), experiment)
        try:
            # Without Arrow's threads: one that is still letting go of the bytes when Python ends aborts the process.
            file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content), page_checksum_verification=True)
            table = file.read(use_threads=False)
        except (pyarrow.ArrowException, OSError) as error:
            problem = f"{MEASUREMENTS} of run {self.short_id} is damaged: {' '.join(str(error).split())}"
            raise DataError(problem, hint="run it again: flowerexp rerun") from error
        return Measurements(table, experiment)

    @cached_property
    def models(self) -> list[Model]:
        """Its models, or those of all runs of a sweep for its summary; none if nothing was varied.

        Raises:
            TrackingError: MLflow cannot be read, or has no models of it.
            DataError: the file is damaged.
        """
        place = FILE if self.is_sweep else f"analysis/{FILE}"
        content = self.artifact(place)
        if content is None:
            hint = "fit and log them again: flowerexp report --log SWEEP, or flowerexp rerun RUN"
            raise TrackingError(f"run {self.short_id} ({self.name}) has no {place} in MLflow", hint=hint)
        return read(content, f"{place} of run {self.short_id}")

    def artifact(self, path: str) -> bytes | None:
        """A file that was logged with the run, or None if there is no such file.

        Raises:
            TrackingError: MLflow cannot be read.
        """
        folder = path.rpartition("/")[0] or None
        with reading(self.store), tempfile.TemporaryDirectory() as here:
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
    found = matching(store, f"attributes.run_id LIKE '{wanted}%'")
    if len(found) != 1:
        raise _unclear(run_id, found, store)
    return found[0]


def matching(store: Store, condition: str) -> list[LoggedRun]:
    """The runs that meet a condition, in all experiments of a store; a few more than anyone lists, and no further ones.

    Args:
        store: where to search; one that does not exist is not created.
        condition: in MLflow's grammar.

    Raises:
        TrackingError: the store does not exist, or cannot be read.
    """
    check_exists(store)
    with reading(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments(max_results=1000)]
        found = client.search_runs(experiments, condition, max_results=_CANDIDATES + 1) if experiments else []
        return [logged(store, run) for run in found]


def search(store: Store, condition: str) -> Iterator[LoggedRun]:
    """The runs of a store that meet a condition, the newest first; summaries of sweeps are left out.

    Args:
        store: where to search, in all its experiments.
        condition: in MLflow's grammar.

    Raises:
        TrackingError: the store cannot be read.
    """
    check_exists(store)
    token = None
    with reading(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments(max_results=1000)]
        while experiments and token != "":
            order = ["attributes.start_time DESC"]
            page = client.search_runs(experiments, condition, max_results=_PAGE, order_by=order, page_token=token)
            yield from (logged(store, run) for run in page if run.data.tags.get("flowerexp.kind") != "sweep")
            token = page.token or ""


def check_exists(store: Store) -> None:
    """Refuse a store that does not exist or does not answer; nothing is created.

    Raises:
        TrackingError: it has no runs yet, or cannot be reached.
    """
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


def logged(store: Store, run: Any) -> LoggedRun:
    """A run as MLflow's client returns it."""
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
def reading(store: Store) -> Iterator[None]:
    """Turn what MLflow, its database or the disk raise into one line."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with explained(store, "check tracking.uri and tracking.artifacts", "reading from"):
        yield
