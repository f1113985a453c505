"""Cloud Logging, as far as it has what the drivers of batches printed: google.logging.v2.LoggingServiceV2."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry

from flowerexp.rehearsal.batches import Batches
from flowerexp.rehearsal.refusal import invalid
from flowerexp.rehearsal.state import State

_CONDITION = re.compile(r'([\w.]+)\s*(=|>=)\s*"([^"]*)"')
_MOST = 1000  # entries in one answer: https://cloud.google.com/logging/quotas#api-limits


class Logs:
    """What batches of a runtime without a staging bucket printed: an entry a line, which is there once it ends."""

    def __init__(self, state: State, batches: Batches, project: str) -> None:
        self._state = state
        self._batches = batches
        self._project = project

    def list(self, request: ListLogEntriesRequest) -> ListLogEntriesResponse:
        """ListLogEntries: conditions joined by AND, the oldest first, in pages."""
        if list(request.resource_names) != [f"projects/{self._project}"]:
            raise invalid(f"resource_names must name projects/{self._project}: {list(request.resource_names)}")
        if request.order_by not in ("", "timestamp asc"):
            raise invalid(f"order_by is not known here: {request.order_by}")
        if not 0 <= request.page_size <= _MOST:
            raise invalid(f"page_size must be at most {_MOST}: {request.page_size}")
        entries = self._found(request.filter)
        first, size = int(request.page_token or 0), request.page_size or 50
        more = str(first + size) if first + size < len(entries) else ""
        return ListLogEntriesResponse(entries=entries[first : first + size], next_page_token=more)

    def _found(self, text: str) -> Sequence[LogEntry]:
        parts = [_CONDITION.fullmatch(part.strip()) for part in text.split(" AND ")]
        if not all(parts):
            raise invalid(f"Unparseable filter: {text}")
        conditions = {(part[1], part[2]): part[3] for part in parts if part}
        log = f"projects/{self._project}/logs/dataproc.googleapis.com%2Foutput"
        known = (conditions.get(("logName", "=")), conditions.get(("resource.type", "=")))
        if known != (log, "cloud_dataproc_batch"):
            return []
        place, name = (conditions[f"resource.labels.{key}", "="] for key in ("location", "batch_id"))
        batch = self._state.batches.get(f"projects/{self._project}/locations/{place}/batches/{name}")
        if batch is None or batch.runtime_info.output_uri:
            return []
        path = self._batches.run_of(batch).log
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        since = conditions.get(("timestamp", ">="))
        entries = [
            LogEntry(
                log_name=log,
                insert_id=str(number),
                timestamp=batch.create_time + datetime.timedelta(milliseconds=number),
                json_payload={"message": line, "component": "driver"},
            )
            for number, line in enumerate(whole.decode(errors="replace").splitlines())
        ]
        after = datetime.datetime.fromisoformat(since) if since else None
        return [entry for entry in entries if after is None or entry.timestamp >= after]
