"""What a driver prints, read from Cloud Logging, where a serverless runtime from 3.0 on keeps no file of it.

Sources: https://docs.cloud.google.com/managed-spark/docs/concepts/versions/spark-runtime-3.0 says that such a runtime
uses no staging bucket; https://cloud.google.com/logging/docs/api/v2/resource-list has the labels of
`cloud_dataproc_batch`. The log's name and the field `message` are what scripts of several public projects read; no page
of Google's was found on them.
"""

from __future__ import annotations

import datetime
import json
import time
from typing import Any

from google.cloud.logging_v2.types import ListLogEntriesRequest, LogEntry
from google.protobuf import json_format

from flowerexp.cluster.google.clients import Clients
from flowerexp.cluster.google.output import clean

_PAGE = 1000  # entries, the most that one answer has
_LATE = datetime.timedelta(seconds=60)  # entries may arrive after later ones
# A project may read entries 60 times a minute: https://cloud.google.com/logging/quotas#api-limits
_LOOKS_BETWEEN = 5


def is_logged(runtime_version: str) -> bool:
    """Does a serverless runtime such as `3.0` keep what drivers print in Cloud Logging alone?"""
    return int(runtime_version.partition(".")[0]) >= 3


def wanted(clients: Clients, batch: str) -> str:
    """The filter that finds what the driver of a batch printed."""
    conditions = {
        "logName": f"projects/{clients.project}/logs/dataproc.googleapis.com%2Foutput",
        "resource.type": "cloud_dataproc_batch",
        "resource.labels.location": clients.region,
        "resource.labels.batch_id": batch,
    }
    return " AND ".join(f'{key}="{value}"' for key, value in conditions.items())


class LoggedOutput:
    """A driver's output in Cloud Logging, read on from where it was read to; see `output.DriverOutput`.

    Args:
        clients: how to reach Google.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._seen: set[tuple[datetime.datetime, str]] = set()
        self._next_look = 0.0
        self.came = False

    def place(self, _prefix: str) -> str:
        """See `DriverOutput.place`."""
        return "Cloud Logging"

    def lines(self, prefix: str, *, ended: bool) -> list[str]:
        """See `DriverOutput.lines`; `prefix` is the filter."""
        now = time.monotonic()
        if now < self._next_look and not ended:
            return []
        self._next_look = now + _LOOKS_BETWEEN * self._clients.pace.look
        newest = max((at for at, _ in self._seen), default=None)
        since = f' AND timestamp>="{(newest - _LATE).isoformat()}"' if newest else ""
        found = []
        for entry in self._entries(prefix + since, self._clients.once):
            key = (entry.timestamp, entry.insert_id)
            if key not in self._seen:
                self._seen.add(key)
                found += _text(entry).splitlines()
        return [clean(line) for line in found]

    def everything(self, prefix: str) -> str:
        """See `DriverOutput.everything`."""
        found = (line for entry in self._entries(prefix, self._clients.call) for line in _text(entry).splitlines())
        return "".join(f"{clean(line)}\n" for line in found)

    def _entries(self, conditions: str, call: dict[str, Any]) -> list[LogEntry]:
        if not conditions:
            return []
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self._clients.project}"],
            filter=conditions,
            order_by="timestamp asc",
            page_size=_PAGE,
        )
        entries = list(self._clients.logging.list_log_entries(request=request, **call))
        self.came = self.came or bool(entries)
        return entries


def _text(entry: LogEntry) -> str:
    """What was printed: an agent may have taken a line that is JSON for the entry's own fields."""
    if entry.text_payload or not entry.json_payload:
        return str(entry.text_payload)
    fields = json_format.MessageToDict(LogEntry.pb(entry).json_payload)
    return str(fields["message"]) if "message" in fields else json.dumps(fields)
