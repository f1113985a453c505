"""The trainings of a run, cell by cell: what epochs wait for, how good the network became, and how soon."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.repetitions import settled
from flowerexp.measurements.table import Array, Measurements

INPUT, COMPUTE, EXCHANGE = "input_seconds", "compute_seconds", "exchange_seconds"
"""The columns with the seconds of an epoch that a worker waits for data, computes, and exchanges gradients."""


@dataclass(frozen=True)
class Cell:
    """The epochs of one cell, of all its repetitions.

    Attributes:
        series: its reader, augmentation and caching, as one name.
        at: its numeric parameters.
        rows: its rows.
    """

    series: str
    at: Mapping[str, float | None]
    rows: Measurements

    @cached_property
    def settled(self) -> Measurements:
        """Its rows without those of first epochs, which also trace the network; all, if there are no others."""
        later = settled(self.rows)
        return later if len(later) else self.rows

    def share(self, column: str) -> Interval:
        """The share of the wall time that a column has, without first epochs, with its 95 % interval.

        A sum over a sum; the interval is that of a ratio of two means (Cochran, Sampling Techniques, 1977, 6.4), with
        epochs as the sample. It takes epochs for independent.
        """
        parts, seconds = self.settled.numbers(column), self.settled.seconds
        known = ~np.isnan(parts) & (seconds > 0)
        parts, seconds = parts[known], seconds[known]
        if not len(parts):
            return Interval(math.nan)
        ratio, n = float(parts.sum() / seconds.sum()), len(parts)
        if n < 2:
            return Interval(ratio)
        from scipy.special import stdtrit

        error = math.sqrt(float(((parts - ratio * seconds) ** 2).sum()) / (n - 1) / n) / float(seconds.mean())
        reach = float(stdtrit(n - 1, 0.975)) * error
        return Interval(ratio, max(0.0, ratio - reach), min(1.0, ratio + reach))

    @property
    def rate(self) -> float | None:
        """Images/s, without first epochs."""
        return self.settled.total_rate

    @property
    def workers(self) -> int:
        """How many workers trained it."""
        return int(self.at.get("workers") or 1)

    @cached_property
    def first_repetition(self) -> Measurements:
        """The epochs of one training, in their order."""
        repetitions = self.rows.numbers("repetition")
        return self.rows.where(repetitions == np.nanmin(repetitions)) if len(self.rows) else self.rows

    @property
    def elapsed(self) -> Array:
        """The seconds of training until the end of each epoch of one training; validation is not counted."""
        return np.cumsum(self.first_repetition.seconds)

    def curve(self, column: str) -> Array:
        """A column of one training, epoch by epoch."""
        return self.first_repetition.numbers(column)

    @property
    def best(self) -> float:
        """The best validation accuracy of one training; NaN without any."""
        values = self.curve("val_accuracy")
        return float(np.nanmax(values)) if (~np.isnan(values)).any() else math.nan

    def seconds_to(self, accuracy: float) -> float | None:
        """The seconds of training until an epoch ended with this validation accuracy; None if none did."""
        reached = np.flatnonzero(self.curve("val_accuracy") >= accuracy)
        return float(self.elapsed[reached[0]]) if len(reached) else None


def cells_of(measurements: Measurements) -> list[Cell]:
    """The cells of a run, of first executions that were not stopped, sorted as in all tables."""
    rows = measurements.firsts.finished
    numeric = rows.experiment.numeric
    return [
        Cell(key[0], dict(zip(numeric, key[1:], strict=True)), rows.where(rows.cells == place))
        for place, key in enumerate(rows.cell_keys if len(rows) else ())
    ]


def common_accuracy(cells: list[Cell]) -> float | None:
    """The highest validation accuracy, in steps of 5 %, that all cells have reached; None if that is nothing."""
    best = [cell.best for cell in cells if not math.isnan(cell.best)]
    step = math.floor(min(best) * 20 + 1e-9) / 20 if len(best) == len(cells) and best else 0.0
    return step or None


def plain_of(attached: Any) -> dict[str, Any] | None:
    """The content of a file of predictions; None if it is damaged."""
    try:
        found = json.loads(attached.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"classes", "confusion", "shown"} <= found.keys() else None
