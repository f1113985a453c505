"""The numbers of trainings that MLflow and comparisons show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowerexp.analysis.experiments.train.cells import EXCHANGE, INPUT, cells_of, common_accuracy
from flowerexp.measurements.table import Measurements

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun


def metrics(measurements: Measurements) -> dict[str, float]:
    """For each series: `input_bound` and `exchange_bound`, with the former's interval, and the accuracy at the end.

    A series with several cells, such as several batch sizes, is given by its first one.
    """
    found: dict[str, float] = {}
    for cell in reversed(cells_of(measurements)):
        share = cell.share(INPUT)
        numbers = {
            "input_bound": share.value,
            "input_bound_low": share.low,
            "input_bound_high": share.high,
            "exchange_bound": cell.share(EXCHANGE).value,
            "val_accuracy": cell.curve("val_accuracy")[-1],
            "val_loss": cell.curve("val_loss")[-1],
            "best_val_accuracy": cell.best,
        }
        known = {name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)}
        found |= {f"{cell.series}/{name}": value for name, value in known.items()}
    return found


def times_to_accuracy(sides: Sequence[Sequence[ComparedRun]]) -> list[list[str]]:
    """A table of the seconds of training until the highest accuracy that all cells of all sides reached.

    Args:
        sides: the runs of each side; the first run of a side stands for it.
    """
    by_side = [{(cell.series, *cell.at.values()): cell for cell in cells_of(side[0].measurements)} for side in sides]
    shared = [key for key in by_side[0] if all(key in cells for cells in by_side)]
    rows = []
    for key in shared:
        cells = [of[key] for of in by_side]
        accuracy = common_accuracy(cells)
        if accuracy:
            times = [cell.seconds_to(accuracy) for cell in cells]
            rows.append([f"{key[0]} to {accuracy:.0%}", *(f"{took:,.1f} s" for took in times if took is not None)])
    return [["time to accuracy", *(side[0].name for side in sides)], *rows] if rows else []
