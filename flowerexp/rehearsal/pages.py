"""Answers over HTTP as Google's APIs give them: lists in pages, and errors in their form."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from flowerexp.rehearsal.process import announce, end_with_parent


class Answer(Protocol):
    """What a server answers to GET."""

    def __call__(self, path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        """The status and the body for a path."""
        ...


def refused(code: int, status: str, message: str) -> tuple[int, Mapping[str, Any]]:
    """An error: https://cloud.google.com/apis/design/errors#http_mapping."""
    return code, {"error": {"code": code, "message": message, "status": status}}


def page(items: list[Any], query: Mapping[str, str], size: str, most: int) -> tuple[list[Any], str]:
    """A page of a list, and the token of the next one, which is empty after the last.

    Args:
        items: all of them.
        query: of the request; `pageToken` says where it begins.
        size: the parameter that holds how many are asked for.
        most: how many are given at once.
    """
    begin = int(query.get("pageToken") or 0)
    end = begin + min(int(query.get(size) or most), most)
    return items[begin:end], str(end) if end < len(items) else ""


def listening(answer: Answer, port: int = 0) -> ThreadingHTTPServer:
    """A server that answers once it is told to serve; port 0 is any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            code, body = answer(parts.path, query)
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def serve(name: str, answer: Answer) -> None:
    """Be a program that prints its port, and serves until its standard input ends.

    Args:
        name: of the service, under which its port is printed.
        answer: what it answers.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    http = listening(answer, parser.parse_args().port)
    announce(**{name: http.server_address[1]})
    end_with_parent()
    http.serve_forever()
