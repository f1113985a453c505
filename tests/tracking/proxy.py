"""A proxy in front of a real MLflow server, which counts what it is asked and may hold answers back."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


class Proxy:
    """Forwards to a server on loopback.

    Args:
        port: the server's.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        """Method and path of each request, in order."""
        self.at_once = 0
        """The most requests that were under way at the same time."""
        self.open = threading.Event()
        """While it is not set, no request is forwarded."""
        self.open.set()
        self.waiting = threading.Event()
        """Set once a request is held back."""
        self._lock, self._under_way = threading.Lock(), 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.forward(self, port)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def forward(self, request: BaseHTTPRequestHandler, port: int) -> None:
        with self._lock:
            self.asked.append(f"{request.command} {request.path.partition('?')[0]}")
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
        try:
            body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
            if not self.open.is_set():
                self.waiting.set()
                self.open.wait()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            request.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in _HOP:
                    request.send_header(key, value)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        finally:
            with self._lock:
                self._under_way -= 1

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
