"""The MLflow store: where it is, whether it can be reached, and making it once.

MLflow takes seconds to import, and seconds more to create its database: nothing here imports it before `ensure` or
`connect` is called, and `ensure` may be called in a thread while Spark starts.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowerexp.cluster import java
from flowerexp.config.schema import Tracking
from flowerexp.errors import TrackingError, from_os_error
from flowerexp.tracking import proxy

_SQLITE = "sqlite:///"
_HEAD = 100  # bytes of a database's head
_MOVE_AWAY = "move it away, and log the folders of its runs again: flowerexp log FOLDER ..."
_ROOM = 2 * 2**20  # bytes that a new database takes, and a little more
_DAMAGED = re.compile("malformed|not a database|no such table|no such column")
_TIMEOUT = (3.0, 5.0)  # seconds to connect, and to the first byte of an answer
_LOCK_SECONDS = 120.0  # creating the database takes 3 s on an idle machine
_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's pages: its runs come first, and no chats
_ENVIRONMENT = {
    # MLflow tries 8 times over 4 minutes, up to 2 minutes each: a server that died is to be noticed in seconds.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    # A run's address is ours to print; and nobody asked for reports to a third party.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


_asked: dict[Store, str] = {}
"""The experiments of servers: each is asked for once in a process, since a request may take long."""


@dataclass(frozen=True)
class Store:
    """Where runs are logged. Paths become absolute, so that a store means the same in every folder.

    Attributes:
        uri: MLflow's tracking URI: ``sqlite:///PATH``, ``http(s)://HOST`` or another that MLflow knows.
        artifacts: a folder or URI for the artifacts of a new experiment; by default ``artifacts`` beside a database. A
            server keeps artifacts where it likes: a local folder means nothing to it, and is dropped.
        experiment: the name of the MLflow experiment.
    """

    uri: str
    artifacts: str | None = None
    experiment: str = "flowerexp"

    @classmethod
    def of(cls, tracking: Tracking) -> Store:
        """The store that a config names."""
        return cls(tracking.uri, tracking.artifacts, tracking.experiment)

    def __post_init__(self) -> None:
        artifacts = self.artifacts
        if self.uri.startswith(_SQLITE):
            database = Path(self.uri.removeprefix(_SQLITE)).expanduser().absolute()
            object.__setattr__(self, "uri", f"{_SQLITE}{database}")
            artifacts = artifacts or str(database.parent / "artifacts")
        if artifacts and "://" not in artifacts:
            artifacts = None if self.is_server else str(Path(artifacts).expanduser().absolute())
        object.__setattr__(self, "artifacts", artifacts)

    @property
    def database(self) -> Path | None:
        """The file that holds the runs, if it is one."""
        return Path(self.uri.removeprefix(_SQLITE)) if self.uri.startswith(_SQLITE) else None

    @property
    def is_server(self) -> bool:
        """Whether an MLflow server keeps the runs."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def artifact_uri(self) -> str | None:
        """Where a new experiment keeps its artifacts, as a URI: a folder's name may hold anything."""
        local = self.artifacts is not None and "://" not in self.artifacts
        return Path(self.artifacts or "").as_uri() if local else self.artifacts

    @property
    def address(self) -> str:
        """The URI without secrets, nor a user's name: for messages and files."""
        from flowerexp.config.redact import HIDDEN, redacted  # whose package imports what composing needs

        return str(redacted(self.uri)).replace(f"{HIDDEN}@", "", 1)


def default_store(home: Path) -> Store:
    """The store in ``mlruns/`` under `home`: a database, and a folder for artifacts beside it."""
    folder = home.absolute() / "mlruns"
    return Store(f"{_SQLITE}{folder / 'mlflow.db'}", str(folder / "artifacts"))


def check_reachable(store: Store) -> None:
    """Find in a few seconds, without importing MLflow, whether anything can be logged to `store`.

    Raises:
        TrackingError: the server does not answer, or the database's folder cannot be written.
    """
    if store.is_server:
        _check_server(store)
    elif store.database:
        _check_database(store.database)
        if store.artifacts and "://" not in store.artifacts:
            _check_folder(Path(store.artifacts))
    elif store.uri.startswith("file:") or ("://" not in store.uri and not store.uri.startswith("databricks")):
        hint = "write sqlite:///FILE or http://HOST:PORT"
        raise TrackingError(f"MLflow no longer keeps runs in a folder: {store.uri}", where="tracking.uri", hint=hint)


def _check_server(store: Store) -> None:
    import requests  # what MLflow itself asks with: it heeds the same proxies and netrc

    proxy.spare_loopback(store.uri)
    hint = "start that server, correct tracking.uri, or leave it out to log into home/mlruns"
    hint = "; ".join(filter(None, (proxy.hint(store.uri), hint)))
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    verify = False if insecure else os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    try:
        answer = requests.get(f"{store.uri.rstrip('/')}/health", timeout=_TIMEOUT, verify=verify)
    except (requests.RequestException, ValueError) as error:
        late = isinstance(error, requests.Timeout)
        problem = f"no MLflow server answers at {store.address}: {'timed out' if late else reason(error, store)}"
        raise TrackingError(problem, where="tracking.uri", hint=hint) from error
    if answer.status_code >= 500 or answer.status_code == requests.codes.proxy_authentication_required:
        problem = f"the MLflow server at {store.address} answers {answer.status_code} {answer.reason}"
        raise TrackingError(problem, where="tracking.uri", hint=hint)


def _check_database(database: Path) -> None:
    if {"?", "%"} & set(str(database)):  # SQLAlchemy would open another file, or none
        hint = "choose a folder without ? and % in its path"
        raise TrackingError(f"MLflow cannot keep runs in {database}", where="tracking.uri", hint=hint)
    _check_folder(database.parent)
    try:
        if database.exists():
            with database.open("r+b") as file:
                head = file.read(_HEAD)
            if head and head[:16] != b"SQLite format 3\x00":
                hint = "choose another file, or move this one away"
                raise TrackingError(f"{database} is not an SQLite database", where="tracking.uri", hint=hint)
            if head and database.stat().st_size < _least(head):
                raise TrackingError(f"{database} is damaged: it was cut short", where="tracking.uri", hint=_MOVE_AWAY)
    except OSError as error:
        raise _unwritable(error) from error


def _least(head: bytes) -> int:
    """How many bytes a database has at least, by its head (https://www.sqlite.org/fileformat.html, 1.3)."""
    if len(head) < _HEAD:
        return _HEAD
    size = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 1
    return (65536 if size == 1 else size) * pages


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        error.filename = str(folder)  # the temporary file's name would tell nobody anything
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> TrackingError:
    found = from_os_error(error, "writing the MLflow store in")
    return TrackingError(found.problem, where="tracking", hint=found.hint or "choose another folder")


def ensure(store: Store) -> str:
    """Make the database and the experiment if they are not there yet; processes and threads may do so at once.

    Returns:
        The id of the MLflow experiment.

    Raises:
        TrackingError: the store cannot be reached or made.
    """
    if store in _asked:
        return _asked[store]
    with explained(store, "check tracking.uri and tracking.artifacts"), _alone(store):
        if store.database and not store.database.exists():
            _make(store, store.database)
        found = _experiment(connect(store), store)
    if store.is_server:
        _asked[store] = found
    return found


def _make(store: Store, database: Path) -> None:
    """Make a database that appears whole: MLflow cannot go on with one whose making was cut short."""
    partial = database.with_name(f".{database.name}.partial")
    for left in (partial, partial.with_name(f"{partial.name}-journal")):
        left.unlink(missing_ok=True)
    _experiment(connect(replace(store, uri=f"{_SQLITE}{partial}")), store)
    partial.replace(database)


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold the lock beside the database: MLflow's migrations break when two processes run them together."""
    from filelock import FileLock

    if not store.database:
        yield  # a server does this itself
        return
    store.database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(store.database.with_name(f"{store.database.name}.lock"), timeout=_LOCK_SECONDS):
        yield


def _experiment(client: Any, store: Store) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(store.experiment)
    if found is None:
        try:
            return str(client.create_experiment(store.experiment, store.artifact_uri, _TAGS))
        except MlflowException:
            found = client.get_experiment_by_name(store.experiment)
            if found is None:  # else somebody was faster, at a server that we cannot lock
                raise
    if found.lifecycle_stage == "deleted":
        problem = f"the MLflow experiment {store.experiment!r} was deleted"
        raise TrackingError(problem, where="tracking.experiment", hint="restore it in MLflow, or choose another name")
    return str(found.experiment_id)


def connect(store: Store) -> Any:
    """An MlflowClient for `store`; MLflow's own idea of the current store stays as it is."""
    load()
    proxy.spare_loopback(store.uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.uri)


def load() -> None:
    """Import MLflow, patient for seconds rather than minutes, and silent about its tables and its repeated requests."""
    try:
        Path.home()
    except RuntimeError:  # a user without a name has none, and MLflow cannot be imported without one
        os.environ["HOME"] = str(java.own_folder())
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401  (sets its loggers' levels, so ours come after it)

    for name in ("alembic", "mlflow.store.db.utils"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
    logging.getLogger("urllib3.connectionpool").addFilter(_tells_news)  # does not add it twice


def _tells_news(line: logging.LogRecord) -> bool:
    """False for a repeated request to MLflow: if none gets through, our own error says so, in one line."""
    text = line.getMessage()
    return not (text.startswith("Retrying (") and "/api/2.0/mlflow" in text)


@contextmanager
def explained(store: Store, hint: str) -> Iterator[None]:
    """Turn what MLflow, its database or the disk raise into one line with `hint`."""
    with told(store, "logging to", hint):
        yield


@contextmanager
def told(store: Store, doing: str, hint: str) -> Iterator[None]:
    """Turn what MLflow, its database or the disk raise into one line.

    Args:
        store: whose errors they are.
        doing: what was being done, such as ``logging to``.
        hint: what to do about it, unless the database is damaged.
    """
    load()
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, UnicodeError, OSError) as error:
        why = reason(error, store)
        if store.database and (isinstance(error, UnicodeError) or _DAMAGED.search(why)):
            raise TrackingError(f"{store.database} is damaged: {why}", hint=_MOVE_AWAY) from error
        raise TrackingError(f"{doing} {store.address} failed: {why}", hint=hint) from error


def reason(error: BaseException, store: Store) -> str:
    """Why, in one short line: the system's or the database's words where they are at the bottom of it."""
    from flowerexp.config.redact import HIDDEN, redacted, secrets

    words, below = str(error), error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError | sqlite3.Error) and below.args:
            words = getattr(below, "strerror", None) or str(below)
        below = below.__cause__ or below.__context__
    plain = words.replace(store.uri.rstrip("/"), store.address.rstrip("/"))
    for secret in secrets(store.uri):
        plain = plain.replace(secret, HIDDEN)
    line = " ".join(str(redacted(plain)).split())
    return line if len(line) <= 200 else f"{line[:197]}..."
