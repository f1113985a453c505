"""Watch a job: which of its runs have started and ended, and what was printed meanwhile."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.job import rows
from flowerexp.job.results import fetch, is_there
from flowerexp.orchestrate.events import Ended, Event, Progressed, Started
from flowerexp.plan import PlannedRun


class Watch:
    """What is seen of a job's runs while it is followed.

    Args:
        runs: the job's runs by the places that they write to.
        token: what the results of this job carry; others are not looked at.
        events: where what happens is put.
    """

    def __init__(self, runs: Mapping[str, PlannedRun], token: str | None, events: queue.Queue[Event]) -> None:
        self._runs = dict(runs)
        self._token = token
        self._events = events
        self.started: list[PlannedRun] = []
        self.ended: list[PlannedRun] = []
        self.printed: list[str] = []
        self.trouble: list[str] = []

    def listen(self, message: Mapping[str, Any]) -> None:
        """Take a progress message of the job."""
        run = self._runs.get(str(message.get("output")))
        if run is None or "state" not in message:
            self._events.put(Progressed(message))
        elif message["state"] == "started":
            self.started.append(run)
            self._events.put(Started(run))
        elif run not in self.ended:
            self._end(str(message["output"]), run)

    def remaining(self) -> list[PlannedRun]:
        """The runs without results, once the job is over."""
        for output, run in self._runs.items():
            if run not in self.ended and self._are_there(output):
                self._end(output, run)
        return [run for run in self._runs.values() if run not in self.ended]

    def keep_rows(self, lost: Sequence[PlannedRun]) -> None:
        """Fetch what runs have measured that have no results, once the job is over."""
        for output, run in self._runs.items():
            if run not in lost:
                continue
            try:
                rows.fetch(run, output, self._token)
            except (OSError, DataError) as error:
                self.trouble.append(f"the rows in {output} cannot be kept: {error}")

    def _are_there(self, output: str) -> bool:
        try:
            return is_there(output, self._token)
        except (OSError, DataError) as error:
            self.trouble.append(f"the results in {output} cannot be read: {error}")
            return False

    def _end(self, output: str, run: PlannedRun) -> None:
        try:
            fetch(output, run.folder / "results", self._token)
        except (OSError, DataError) as error:  # tried again when the job is over
            self.trouble.append(f"the results in {output} cannot be fetched: {error}")
            return
        self.ended.append(run)
        keep_log(run, self.printed)
        self._events.put(Ended(run, self._token))


def keep_log(run: PlannedRun, printed: list[str]) -> None:
    """Give a run that shares its job with others its own part of the driver's log: what was printed since the last."""
    log = run.folder / "job" / "driver.log"
    if not log.exists():
        try:
            storage.write_bytes(str(log), "".join(f"{line}\n" for line in printed).encode())
        except OSError:
            return  # the job's own log has it; what is wrong with the disk will be met again
    printed.clear()
