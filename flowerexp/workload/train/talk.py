"""What the driver and the first worker say to each other while a training runs: lines of JSON over a socket."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flowerexp.errors import MachineError

Message = dict[str, Any]

_POLL_SECONDS = 0.2
_BEAT_SECONDS = 2.0
_TOKEN_SECONDS = 5.0
_LONGEST = 1 << 20  # bytes of a line


class Line:
    """One end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def say(self, **message: Any) -> None:
        """Send a message."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> Message | None:
        """The next message; None if the other end has left.

        Raises:
            TimeoutError: there is none yet; the timeout is the socket's.
        """
        while b"\n" not in self._received:
            found = self._connection.recv(1 << 16)
            if not found or len(self._received) > _LONGEST:
                return None
            self._received += found
        line, _, self._received = self._received.partition(b"\n")
        message: Message = json.loads(line)
        return message

    def close(self) -> None:
        """Leave."""
        self._connection.close()


class Driver:
    """The driver's end: waits for the first worker, which proves by a token that it is that worker.

    Args:
        host: the name or address of the driver, as executors know it.
        patience: for how many seconds nothing may be heard.
        check: called while nothing is heard; raises if the training has failed.
        bind: the address to listen on, where that is another one.
    """

    def __init__(self, host: str, patience: float, check: Callable[[], object], bind: str | None = None) -> None:
        self._token, self._patience, self._check = secrets.token_hex(16), patience, check
        self._listening = socket.create_server((bind or host, 0), family=_family(bind or host))
        self._listening.settimeout(_POLL_SECONDS)
        self._line: Line | None = None
        self.address = (host, int(self._listening.getsockname()[1]), self._token)

    def say(self, **message: Any) -> None:
        """Send a message to the worker, if it is still there; else `wait` says why not."""
        with suppress(OSError):
            self._connected().say(**message)

    def wait(self, kind: str) -> Message:
        """Wait for a message of a kind.

        Raises:
            MachineError: nothing was heard for too long.
            Exception: the training has failed, as `check` says.
        """
        line = self._connected()
        heard = time.monotonic()
        while True:
            try:
                message = line.hear()
            except TimeoutError:
                message = {}
            except ConnectionError:
                message = None
            if message:
                if message["is"] == kind:
                    return message
                heard = time.monotonic()
            else:
                self._check()
                self._lose_patience(heard)
                if message is None:
                    time.sleep(_POLL_SECONDS)  # the job that has ended is about to say so

    def _connected(self) -> Line:
        """The line to the worker, once it has called and said the token."""
        since = time.monotonic()
        while self._line is None:
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                self._check()
                self._lose_patience(since)
                continue
            connection.settimeout(_TOKEN_SECONDS)
            line = Line(connection)
            with suppress(OSError, ValueError):
                if secrets.compare_digest(str((line.hear() or {}).get("token")), self._token):
                    connection.settimeout(_POLL_SECONDS)
                    self._line = line
                    return line
            line.close()
        return self._line

    def _lose_patience(self, since: float) -> None:
        if time.monotonic() > since + self._patience:
            raise MachineError(
                f"the workers of a training have sent nothing for {self._patience:g} s",
                where="entrypoint.settings.patience",
                hint="look into the executors' logs; a slow network or a long step needs more patience",
            )

    def close(self) -> None:
        """Hang up."""
        if self._line:
            self._line.close()
        self._listening.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]


class Worker:
    """The first worker's end; that of the others says and hears nothing.

    Args:
        address: the driver's; None for the other workers.
        patience: for how many seconds the driver may be silent.
    """

    def __init__(self, address: tuple[str, int, str] | None, patience: float) -> None:
        self._line: Line | None = None
        self._beaten = 0.0
        if address:
            host, port, token = address
            self._line = Line(socket.create_connection((host, port), timeout=patience))
            self._line.say(token=token)

    def beat(self) -> None:
        """Say now and then that the work goes on."""
        if self._line and time.monotonic() > self._beaten + _BEAT_SECONDS:
            self._beaten = time.monotonic()
            self._line.say(**{"is": "beat"})

    def say(self, kind: str, **message: Any) -> None:
        """Send a message."""
        if self._line:
            self._line.say(**{"is": kind}, **message)

    def wait(self) -> None:
        """Wait until the driver says something.

        Raises:
            MachineError: it has left.
        """
        if self._line and self._line.hear() is None:
            raise MachineError("the driver of a training has left")

    def close(self) -> None:
        """Hang up."""
        if self._line:
            self._line.close()
