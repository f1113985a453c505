"""An observer of a cluster that remembers what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Observer:
    """A `ClusterObserver` that remembers its notifications.

    Attributes:
        stopping: whether the sweep was stopped.
        events: state, handle and message of each notification.
        stop_at: the state at which the sweep is stopped.
    """

    stopping: bool = False
    events: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    stop_at: str = ""

    def notify(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """See `ClusterObserver.notify`."""
        self.events.append((state, dict(handle), message))
        self.stopping = self.stopping or state == self.stop_at

    @property
    def states(self) -> list[str]:
        """The states of all notifications."""
        return [state for state, _, _ in self.events]
