"""A bucket that is simulated on this machine: its pace, the URIs of its objects, and the server that stands for it.

The server answers the requests that gcsfs sends for an object, at the latency and bandwidth of a bucket, with the files
of some folders of this machine. So readers take the same way as to a real bucket. A bucket's name holds the server's
port and a secret, so that a URI is all that a reader needs to know, in whichever process it runs, and no other user of
the machine can read the files.
"""

from __future__ import annotations

import atexit
import json
import math
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"(?:gs://)?(flowerexp-simulated-(\d+)-[0-9a-f]+)(?=/|$)")
_IN_TEXT = re.compile(r"gs://flowerexp-simulated-\d+-[0-9a-f]+(?=/)")


@dataclass(frozen=True)
class Pace:
    """How fast a bucket answers; None for a limit that it does not have.

    Attributes:
        latency_ms: the median time from a request to the first byte of its answer.
        jitter: the standard deviation of the logarithm of that time, which is log-normal; 0 if it is always the same.
        connection_mb_s: what one connection transfers, in MB (10**6 bytes) a second.
        bandwidth_mb_s: what all connections transfer together.
        seed: of the jitter.
    """

    latency_ms: float | None = None
    jitter: float | None = None
    connection_mb_s: float | None = None
    bandwidth_mb_s: float | None = None
    seed: int = 0

    def __str__(self) -> str:
        parts = [f"{self.latency_ms or 0:g} ms to the first byte"]
        if self.jitter:
            parts[0] += f" (one of 100 takes {self.latency_ms_of_99:,.0f} ms or more)"
        parts += [f"{self.connection_mb_s:,g} MB/s on a connection"] if self.connection_mb_s else []
        parts += [f"{self.bandwidth_mb_s:,g} MB/s together"] if self.bandwidth_mb_s else []
        return ", ".join(parts)

    @property
    def latency_ms_of_99(self) -> float:
        """The latency that one request of a hundred exceeds."""
        return (self.latency_ms or 0.0) * math.exp(2.326 * (self.jitter or 0.0))


def pace_of(settings: Mapping[str, Any], seed: int = 0) -> Pace | None:
    """The pace that a config's `storage` node asks for; None if it asks for no simulated bucket."""
    wanted = {name: settings.get(name) for name in ("latency_ms", "jitter", "connection_mb_s", "bandwidth_mb_s")}
    return Pace(**wanted, seed=seed) if any(value is not None for value in wanted.values()) else None


class Bucket:
    """A running server that stands for a bucket. It ends with this process, however that ends.

    Args:
        pace: how fast it answers.
        folders: those whose files it may read, with absolute paths.
    """

    def __init__(self, pace: Pace, folders: Sequence[str]) -> None:
        self.pace = pace
        secret = secrets.token_hex(16)
        told = {"pace": asdict(pace), "folders": [*folders], "secret": secret}
        # The code may be in a zip file, which only this process's path names.
        path = [str(Path(entry).absolute()) for entry in sys.path]
        start = f"import sys; sys.path[:] = {path!r}; from flowerexp.storage import simulated_server as s; s.main()"
        self._process = subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise OSError("the server of the simulated bucket did not start; the driver's log says why")
        self.name = f"flowerexp-simulated-{json.loads(line)['port']}-{secret}"
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def uri(self, path: str) -> str:
        """The URI of a local file in the bucket."""
        return f"gs://{self.name}{path}"

    def stop(self) -> None:
        """End the server; harmless if it has ended."""
        atexit.unregister(self.stop)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


_running: Bucket | None = None


def serve(pace: Pace, folders: Sequence[str]) -> Bucket:
    """Start a server; one that an earlier run of this process has started ends."""
    global _running
    if _running:
        _running.stop()
    _running = Bucket(pace, folders)
    return _running


def endpoint_of(path: str) -> str | None:
    """The address of the server that stands for a bucket; None for a real one.

    Args:
        path: a URI, or what follows its scheme.
    """
    found = _NAME.match(path)
    return f"http://127.0.0.1:{found[2]}" if found else None


def local_path(uri: str) -> str | None:
    """The local file behind an object's URI; None for any other URI or path."""
    found = _NAME.match(uri)
    return uri[found.end() :] if found else None


def plain(text: str) -> str:
    """A message with the local files' paths in place of their URIs."""
    return _IN_TEXT.sub("", text)
