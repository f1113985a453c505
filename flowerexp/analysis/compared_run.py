"""A run that is compared with another one: its config, its measurements, and what it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowerexp.config import Config
    from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class ComparedRun:
    """A run that is to be compared.

    Attributes:
        name: its name in messages.
        config: its config.
        measurements: all of them.
        facts: what it ran on and with what data, such as ``data_fingerprint``.
        phases: seconds a phase.
        error: why it failed, or None.
        verdict: whether its measurements can be believed: `valid`, `suspect` or `invalid`.
        sweep: the id of the sweep that it belongs to, or None.
    """

    name: str
    config: Config
    measurements: Measurements
    facts: Mapping[str, Any] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    verdict: str = "valid"
    sweep: str | None = None
