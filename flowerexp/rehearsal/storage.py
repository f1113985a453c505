"""Cloud Storage: the PyPI package gcp-storage-emulator, served by threads and patched where it is not like Google.

A program: `[--folder FOLDER]`; it prints its ports, one for each of those who ask: the user, the machines of clusters
and batches, and Dataproc itself. It ends with its standard input.

What is patched, and why:

- It answers one request at a time: here each connection has a thread. Its store is not thread-safe, so that a handler
  runs under a lock, with the request's body read before; a slow client holds up nobody.
- In memory it writes an index of all objects into itself at every change, which takes time in proportion to the number
  of objects: left out, nothing reads it.
- It knows no projects: a bucket has the number of the one that it was created in, and that number can be asked for.
- It never fails: POST /faults lets requests fail, as a test says.
- It forgets what a bucket was created with: uniform access, public access prevention, lifecycle rules, location.
- A PATCH of a bucket replaces a whole section such as `iamConfiguration`; Google merges, and null deletes.
- It takes any name for a bucket; Google does not.
- A range that begins past the end gives 206; Google answers 416. A range of the last N bytes gives everything.
- It lists everything in one page; Google gives 1,000 objects and prefixes at most.
- It cannot cancel an upload; Google does, and answers 499.
- It knows no preconditions on generations. That stays so: rely on none.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import threading
import zlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import buckets, objects
from gcp_storage_emulator.storage import Storage

from flowerexp.rehearsal.process import announce, end_with_parent

_LOCK = threading.RLock()
_FAULTS: list[dict[str, Any]] = []
_SEEN: dict[str, set[str]] = {}
_API = "/storage/v1"
_KEPT = (*buckets._WRITABLE_BUCKET_FIELDS, "autoclass", "hierarchicalNamespace", "rpo")
# As generally known; the page was not read: https://cloud.google.com/storage/docs/buckets#naming
# 3 to 63 characters; with dots up to 222, and 63 between two of them; not an address; nothing like "google".
_BUCKET_NAME = re.compile(
    r"(?!goog)(?!.*g[o0]{2}gle)(?!\d+\.\d+\.\d+\.\d+$)(?=.{3,222}$)[a-z0-9]"
    r"(?:[-_a-z0-9]{0,62}(?:\.[-_a-z0-9]{1,63})*(?<![-_.]))?"
)


# The emulator logs an error for each object that is asked for and does not exist, which is a normal answer.
for _name in ("gcp_storage_emulator", "api"):
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _Store(Storage):  # type: ignore[misc]
    def _write_config_to_file(self) -> None:
        if not self._use_memory_fs:
            super()._write_config_to_file()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    who = "user"


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396), as Google's PATCH does it."""
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(old.get(key), dict):
            merged[key] = merge(old[key], value)
        else:
            merged[key] = value
    return merged


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key in _KEPT}
    if kept.get("location"):
        kept["location"] = kept["location"].upper()
    return kept


def project_number(project: str) -> int:
    """The number of a project, which Google gives and never changes."""
    return zlib.crc32(project.encode())


def _service_account(request: Any, response: Any, storage: Any) -> None:
    # https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get
    number = project_number(request.params["project"])
    email = f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
    response.json({"kind": "storage#serviceAccount", "email_address": email})


def _arm(request: Any, response: Any, storage: Any) -> None:
    """What a test told to go wrong: `{"method": ..., "path": a regular expression, "status": ..., "times": ...}`."""
    _FAULTS.append(json.loads(request.data) if isinstance(request.data, bytes) else request.data)


def _forget_faults(request: Any, response: Any, storage: Any) -> None:
    _FAULTS.clear()


def _seen(request: Any, response: Any, storage: Any) -> None:
    response.json({who: sorted(methods) for who, methods in _SEEN.items()})


def _forget_seen(request: Any, response: Any, storage: Any) -> None:
    _SEEN.clear()


def _failed(request: Any, response: Any) -> bool:
    """Let a request fail if a test said so."""
    for fault in _FAULTS:
        if fault["method"] in (request.method, "*") and re.search(fault["path"], request._path):
            fault["times"] -= 1
            if not fault["times"]:
                _FAULTS.remove(fault)
            response.status = HTTPStatus(fault["status"])
            response.json({"error": {"code": fault["status"], "message": fault["message"]}})
            return True
    return False


def _insert_bucket(request: Any, response: Any, storage: Any) -> None:
    name = (request.data or {}).get("name", "")
    if not _BUCKET_NAME.fullmatch(name):
        message = f"Invalid bucket name: '{name}'"
        response.status = HTTPStatus.BAD_REQUEST
        response.json({"error": {"code": 400, "message": message, "errors": [{"message": message}]}})
        return
    buckets.insert(request, response, storage)
    if response.status == HTTPStatus.OK:
        bucket = merge(storage.get_bucket(name), _kept(request.data))
        bucket["projectNumber"] = str(project_number(request.query["project"][0]))
        storage.create_bucket(name, bucket)
        response.json(bucket)


def _patch_bucket(request: Any, response: Any, storage: Any) -> None:
    name = request.params["bucket_name"]
    bucket = storage.get_bucket(name)
    if not bucket:
        response.status = HTTPStatus.NOT_FOUND
        return
    bucket = merge(bucket, _kept(request.data or {}))
    bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
    storage.create_bucket(name, bucket)
    response.json(bucket)


def _download(request: Any, response: Any, storage: Any) -> None:
    asked = re.fullmatch(r"\s*bytes=(\d*)-(\d*)\s*", request.get_header("range", "") or "")
    stored = storage.objects.get(request.params["bucket_name"], {}).get(request.params["object_id"])
    if asked and stored:
        size = int(stored["size"])
        first = int(asked[1]) if asked[1] else max(0, size - int(asked[2] or 0))
        if first >= size:
            response.status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            response["Content-Range"] = f"bytes */{size}"
            return
        if not asked[1]:
            request._request_handler.headers.replace_header("range", f"bytes={first}-")
    objects.download(request, response, storage)


def _get_object(request: Any, response: Any, storage: Any) -> None:
    media = request.query.get("alt", [""])[0] == "media"
    (_download if media else objects.get)(request, response, storage)


def _cancel_upload(request: Any, response: Any, storage: Any) -> None:
    # https://cloud.google.com/storage/docs/performing-resumable-uploads#cancel-upload
    response.status = SimpleNamespace(value=499, phrase="Client Closed Request")


def _list_objects(request: Any, response: Any, storage: Any) -> None:
    whole: dict[str, Any] = {}
    answer = SimpleNamespace(status=HTTPStatus.OK, json=whole.update)
    objects.ls(request, answer, storage)
    response.status = answer.status
    if response.status != HTTPStatus.OK:
        return
    start = int(request.query.get("pageToken", ["0"])[0])
    end = start + min(int(request.query.get("maxResults", ["1000"])[0]), 1000)
    named = sorted([(item["name"], item) for item in whole["items"]] + [(name, None) for name in whole["prefixes"]])
    first, beyond = (request.query.get(key, [""])[0] for key in ("startOffset", "endOffset"))
    named = [pair for pair in named if first <= pair[0] and (not beyond or pair[0] < beyond)]
    page: dict[str, Any] = {"kind": whole["kind"]}
    page["items"] = [item for _, item in named[start:end] if item]
    page["prefixes"] = [name for name, item in named[start:end] if not item]
    response.json(page | ({"nextPageToken": str(end)} if end < len(named) else {}))


# Handler -> method of https://cloud.google.com/storage/docs/json_api/v1
_METHODS: dict[Any, str] = {
    buckets.ls: "buckets.list",
    buckets.insert: "buckets.insert",
    buckets.get: "buckets.get",
    buckets.delete: "buckets.delete",
    buckets.patch: "buckets.patch",
    objects.ls: "objects.list",
    objects.get: "objects.get",
    objects.download: "objects.get",
    objects.delete: "objects.delete",
    objects.patch: "objects.patch",
    objects.insert: "objects.insert",
    objects.upload_partial: "objects.insert",
    objects.compose: "objects.compose",
    objects.copy: "objects.copy",
    objects.rewrite: "objects.rewrite",
    _service_account: "projects.serviceAccount.get",
}

_REPLACED: dict[Any, Callable[..., None]] = {
    buckets.insert: _insert_bucket,
    buckets.patch: _patch_bucket,
    objects.download: _download,
    objects.get: _get_object,
    objects.ls: _list_objects,
}


def _locked(handler: Callable[..., None]) -> Callable[..., None]:
    def answer(request: Any, response: Any, storage: Any) -> None:
        _ = request.data  # read from the connection before the lock is taken
        with _LOCK:
            if handler in _METHODS:
                _SEEN.setdefault(request._request_handler.server.who, set()).add(_METHODS[handler])
                if _failed(request, response):
                    return
            _REPLACED.get(handler, handler)(request, response, storage)

    return answer


def patched_handlers() -> tuple[tuple[str, dict[str, Callable[..., None]]], ...]:
    """The emulator's table of routes, with our handlers, each under the lock."""
    added = {objects.upload_partial: {"DELETE": _cancel_upload}}
    ours = [
        (r"^/faults$", {"POST": _arm, "DELETE": _forget_faults}),
        (r"^/seen$", {"GET": _seen, "DELETE": _forget_seen}),
        (rf"^{_API}/projects/(?P<project>[^/]+)/serviceAccount$", {"GET": _service_account}),
    ]
    routes = ours + [(route, methods | added.get(methods.get("PUT"), {})) for route, methods in server.HANDLERS]
    return tuple(
        (route, {method: _locked(handler) for method, handler in methods.items()}) for route, methods in routes
    )


def main() -> None:
    """Serve until the parent process ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=None)
    arguments = parser.parse_args()
    server.HANDLERS = patched_handlers()
    objects_insert = _locked(objects.insert)
    server.objects.insert = objects_insert  # the router's fallback for uploads without the /upload prefix
    store = _Store(use_memory_fs=arguments.folder is None, data_dir=arguments.folder)
    ports = {}
    for who in ("user", "machines", "service"):
        http = _Threads(("127.0.0.1", 0), partial(server.RequestHandler, store))
        http.who = who
        ports[who] = http.server_address[1]
        threading.Thread(target=http.serve_forever, daemon=True, name=f"storage of {who}").start()
    announce(**ports)
    end_with_parent()
    threading.Event().wait()


if __name__ == "__main__":
    main()
