"""Can anything be logged to a store? Found in seconds, before anything runs, and without importing MLflow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from flowerexp.errors import TrackingError, from_os_error
from flowerexp.tracking import proxy
from flowerexp.tracking.failures import MOVE_AWAY, reason
from flowerexp.tracking.store import Store

_HEAD = 100  # bytes of a database's head
_ROOM = 2 * 2**20  # bytes that a new database takes, and a little more
_TIMEOUT = (3.0, 5.0)  # seconds to connect, and to the first byte of an answer


def check_reachable(store: Store) -> None:
    """Check that runs can be logged to a store.

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
                raise TrackingError(f"{database} is damaged: it was cut short", where="tracking.uri", hint=MOVE_AWAY)
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
        error.filename = str(folder)  # the name of the temporary file says nothing to anybody
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> TrackingError:
    plain = from_os_error(error, "writing the MLflow store in")
    return TrackingError(plain.problem, where="tracking", hint=plain.hint or "choose another folder")
