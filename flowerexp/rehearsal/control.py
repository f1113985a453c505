"""What tests tell the service and ask of it, as JSON over HTTP: POST /VERB with the arguments."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def serve(answer: Callable[[str, dict[str, Any]], Any], port: int) -> int:
    """Serve in threads; returns the port.

    Args:
        answer: is called with a verb and its arguments; what it returns, or the exception's text, goes back.
        port: 0 for any.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, content = 200, json.dumps(answer(self.path.strip("/"), arguments))
            except Exception as error:
                status, content = 400, json.dumps(f"{type(error).__name__}: {error}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="control").start()
    return int(server.server_address[1])
