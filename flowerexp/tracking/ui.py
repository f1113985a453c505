"""``flowerexp ui``: show a store in MLflow's own pages, until Ctrl-C."""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO

from flowerexp.errors import MachineError, TrackingError
from flowerexp.tracking.browsing import open_page
from flowerexp.tracking.store import Store

PORT = 5000
"""Where MLflow's pages are by default."""

_STOP_SECONDS = 10.0  # to end by itself before it is killed
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class _Stopped(BaseException):
    """A signal that ends the process; no `except Exception` may catch it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def serve(store: Store, host: str = "127.0.0.1", port: int | None = None, page: str = "", browse: bool = False) -> int:
    """Show the store's runs in MLflow's own pages, until Ctrl-C.

    Args:
        store: whose runs to show; a server already shows its own, so only its address is shown.
        host: the address to listen on.
        port: the port to listen on; 0 takes any that is free, and None does so where `PORT` is taken.
        page: where to begin: what follows the host in the page's address.
        browse: whether to open the page in a browser, where there is a display.

    Returns:
        The exit code: 0 after Ctrl-C, 128 + its number after another signal.

    Raises:
        MachineError: the port is taken or not allowed.
        TrackingError: the store does not exist yet, or MLflow does not start.
    """
    if store.is_server:
        address = f"{store.address.rstrip('/')}{page}"
        _say(f"an MLflow server keeps these runs: open {address}")
        if browse:
            open_page(address)
        return 0
    if store.database and not (store.database.is_file() and store.database.stat().st_size):
        raise TrackingError(f"there are no runs yet in {store.database}", hint="run an experiment first: flowerexp")
    port = _free_port(host, port)
    with tempfile.TemporaryFile() as log, _signals_raised() as raise_now:
        child = _start(store, host, port, log)
        try:
            raise_now()
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}{page}"
            _wait_for_answer(child, host, port, log)
            _say(f"MLflow is at {address} (Ctrl-C ends it)")
            if browse:
                open_page(address)
            return child.wait()
        except _Stopped as stopped:
            return 0 if stopped.number == signal.SIGINT else 128 + stopped.number
        finally:
            _stop(child)


def _free_port(host: str, port: int | None) -> int:
    """The port if it is free, before MLflow takes seconds to start; for 0, any free one; for None, see `serve`."""
    if port is None:
        with suppress(MachineError):
            return _free_port(host, PORT)
        return _free_port(host, 0)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # as MLflow does; only a port that is listened on is not free
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be used on {host}: {getattr(error, 'strerror', None) or error}"
        raise MachineError(f"port {port} {why}", where="--port", hint="choose another one: --port N") from error


def _start(store: Store, host: str, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start MLflow in its own process group: Ctrl-C reaches only this process, which ends the whole group.

    What it prints, such as warnings about how it is run, goes to `log`.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--no-serve-artifacts"]
    command += ["--default-artifact-root", store.artifact_uri] if store.artifact_uri else []
    command += ["--uvicorn-opts", "--log-level warning"]
    # Its job runner would be four more processes, for things that flowerexp does not use.
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # Every user of the machine can read a command line, and the address of a database may hold a password.
    environment.update(MLFLOW_BACKEND_STORE_URI=store.uri, MLFLOW_REGISTRY_STORE_URI=store.uri)
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def _wait_for_answer(child: subprocess.Popen[bytes], host: str, port: int, log: IO[bytes]) -> None:
    while not _answers(_ANY_HOST.get(host, host), port):
        if child.poll() is not None:
            raise _ended(child.returncode, log)
        time.sleep(0.1)


def _ended(code: int, log: IO[bytes]) -> TrackingError:
    """What to say of a server that did not start; all that it printed is shown first."""
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return TrackingError(f"MLflow's server ended with exit code {code}", hint="what it printed above says why")


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)  # urllib would ask a proxy
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)


@contextmanager
def _signals_raised() -> Iterator[Callable[[], None]]:
    """Turn the first signal to end into `_Stopped`, and ignore further ones while the child is being stopped.

    Nothing is raised before the yielded function is called: a signal while the child is being started would leave a
    child that nothing stops.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    received: list[int] = []
    ready = False

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        received.append(number)
        if ready:
            raise _Stopped(number)

    def raise_now() -> None:
        nonlocal ready
        ready = True
        if received:
            raise _Stopped(received[0])

    if threading.current_thread() is not threading.main_thread():
        yield raise_now  # only the main thread may set handlers, and only it is interrupted
        return
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield raise_now
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
