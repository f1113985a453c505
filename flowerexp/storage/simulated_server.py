"""The server of a simulated bucket: it answers the reads of gcsfs with local files, at the pace of a bucket.

`simulated.Bucket` starts it. It listens on loopback, serves one bucket, whose name holds a secret, and ends when its
standard input does, which is when the process that has started it is gone.

Of the Cloud Storage JSON API (https://cloud.google.com/storage/docs/json_api/v1) it knows `objects.get`: an object's
properties, and its content with `alt=media`, whole or a range. GET /BUCKET tells what it has answered so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import selectors
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_to_bytes

from flowerexp.storage.pacing import Pacer
from flowerexp.storage.simulated import Pace

_CHUNK = 1 << 16  # bytes that are sent at once: connections take turns after so many
_SOONER = 2e-4  # seconds: the selector wakes up later than it is told to, so nothing waits for less
_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_REASONS = {
    200: "OK",
    206: "Partial Content",
    404: "Not Found",
    405: "Method Not Allowed",
    416: "Range Not Satisfiable",
}


@dataclass
class Answered:
    """What was answered so far: how many requests, how many bytes, and the latency that was applied, in seconds."""

    requests: int = 0
    bytes: int = 0
    latency_seconds: float = 0.0


@dataclass
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    file: int | None = None  # an open file, whose bytes from `start` on follow instead of `body`
    start: int = 0
    size: int = 0


class Server:
    """Answers requests.

    Args:
        pace: how fast.
        folders: those whose files it may read.
        secret: what the bucket's name ends in.
    """

    def __init__(self, pace: Pace, folders: Sequence[str], secret: str) -> None:
        self._pacer = Pacer(pace)
        self._folders = tuple(os.fsencode(os.path.join(folder, "")) for folder in folders)  # noqa: PTH118
        self._secret = secret
        self.answered = Answered()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        loop = asyncio.get_running_loop()
        try:
            while head := await _head(reader):
                asked = loop.time()
                answer = self._answer(head)
                paced = answer.status != 405 and not answer.headers.get("X-Unpaced")
                first = asked + (self._latency() if paced else 0.0)
                await _until(loop, first)
                try:
                    await self._send(loop, writer, answer, first)
                finally:
                    if answer.file is not None:
                        os.close(answer.file)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the reader has had enough
        finally:
            writer.close()

    def _latency(self) -> float:
        latency = self._pacer.latency()
        self.answered.requests += 1
        self.answered.latency_seconds += latency
        return latency

    async def _send(
        self, loop: asyncio.AbstractEventLoop, writer: asyncio.StreamWriter, answer: _Answer, since: float
    ) -> None:
        size = len(answer.body) if answer.file is None else answer.size
        lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}", f"Content-Length: {size}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        done = 0
        while answer.file is not None and done < size:
            piece = os.pread(answer.file, min(_CHUNK, size - done), answer.start + done)
            if not piece:  # it was cut off meanwhile
                raise ConnectionResetError
            since = self._pacer.sent(since, len(piece))
            await _until(loop, since)
            writer.write(piece)
            await writer.drain()
            done += len(piece)
        self.answered.bytes += done

    def _answer(self, head: bytes) -> _Answer:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        path, _, query = target.partition("?")
        if method != "GET":
            return _error(405, "a simulated bucket can only be read")
        found = _OBJECT.fullmatch(path)
        if path == f"/{self._secret}":
            return _Answer(200, json.dumps(vars(self.answered)).encode(), {"X-Unpaced": "yes"})
        if not found or not found[1].endswith(f"-{self._secret}"):
            return _error(404, "there is no such bucket")
        name = os.path.normpath(b"/" + unquote_to_bytes(found[2]).lstrip(b"/"))
        try:
            if not name.startswith(self._folders):
                raise FileNotFoundError
            file = os.open(name, os.O_RDONLY)
        except OSError:
            return _error(404, f"No such object: {os.fsdecode(name)}")
        if parse_qs(query).get("alt") != ["media"]:
            try:
                return _properties(found[1], name, file)
            finally:
                os.close(file)
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        return _content(file, headers.get("range", ""))


def _error(status: int, message: str) -> _Answer:
    return _Answer(status, json.dumps({"error": {"code": status, "message": message}}).encode())


def _properties(bucket: str, name: bytes, file: int) -> _Answer:
    status = os.fstat(file)
    found = {
        "kind": "storage#object",
        "bucket": bucket,
        "name": os.fsdecode(name).lstrip("/"),
        "size": str(status.st_size),
        "generation": str(status.st_mtime_ns),
    }
    return _Answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})


def _content(file: int, asked: str) -> _Answer:
    size, found = os.fstat(file).st_size, _RANGE.match(asked)
    if not found or not (found[1] or found[2]):
        return _Answer(200, file=file, size=size)
    start = int(found[1]) if found[1] else max(0, size - int(found[2]))
    end = min(size, int(found[2]) + 1) if found[1] and found[2] else size
    if start >= size or end <= start:
        os.close(file)
        return _Answer(416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return _Answer(206, headers=headers, file=file, start=start, size=end - start)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _until(loop: asyncio.AbstractEventLoop, moment: float) -> None:
    rest = moment - loop.time()
    if rest > _SOONER:
        await asyncio.sleep(rest)


async def _serve(server: Server) -> None:
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0, backlog=512)
    sys.stdout.write(json.dumps({"port": listening.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await listening.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve as the first line of the standard input says, until that ends."""
    told = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = Server(Pace(**told["pace"]), told["folders"], told["secret"])
    # select(2) waits to the microsecond, where epoll rounds up to the next millisecond.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(server))
