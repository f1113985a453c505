"""Cloud Storage in a thread of the test: it counts what it is asked, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from gcp_storage_emulator import server

from flowerexp.rehearsal import storage as fake


class StorageServer:
    """The emulator of `flowerexp.rehearsal.storage`, in this process.

    Attributes:
        host: its address, for STORAGE_EMULATOR_HOST.
        seen: (method, path) of every request, in the order of their coming.
        faults: for the next requests that contain a text in their method and path: the text, the status, the message.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.faults: list[tuple[str, int, str]] = []
        self._routes, server.HANDLERS = server.HANDLERS, fake.patched_handlers()
        self.store: Any = fake._Store(use_memory_fs=True)
        self._http = fake._Threads(("127.0.0.1", 0), partial(_Handler, self, self.store))
        self.host = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it; what it kept is gone."""
        self._http.shutdown()
        self._http.server_close()
        server.HANDLERS = self._routes

    def make_bucket(self, name: str) -> str:
        """Make a bucket; returns its URI."""
        self.store.create_bucket(name, {"kind": "storage#bucket", "name": name, "id": name})
        return f"gs://{name}"

    def counted(self) -> Counter[str]:
        """How often there was what kind of request; then counting starts again."""
        kinds = Counter(_kind(method, path) for method, path in self.seen)
        self.seen.clear()
        return kinds

    def fault(self, method: str, path: str) -> tuple[int, str] | None:
        """The status and message that a request is to fail with; used up by this."""
        for fault in self.faults:
            if fault[0] in f"{method} {path}":
                self.faults.remove(fault)
                return fault[1], fault[2]
        return None


def _kind(method: str, path: str) -> str:
    parts = urlsplit(path)
    if method == "POST":
        return "write"
    if method != "GET":
        return method
    if parts.path.startswith("/download/"):
        return "read"
    return "list" if parts.path.endswith("/o") else "info"


class _Handler(server.RequestHandler):  # type: ignore[misc]
    def __init__(self, owner: StorageServer, *arguments: Any) -> None:
        self._owner = owner
        super().__init__(*arguments)

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        path = unquote(self.path)
        self._owner.seen.append((self.command, path))
        fault = self._owner.fault(self.command, path)
        if fault is None:
            return True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, message = fault
        content = json.dumps({"error": {"code": status, "message": message}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return False
