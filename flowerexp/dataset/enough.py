"""Has a data set as many photographs as the cells of a grid need? Asked before anything is generated or started."""

from __future__ import annotations

import math

from flowerexp.config import Config, key_of
from flowerexp.dataset.kind import for_workload
from flowerexp.errors import DataError
from flowerexp.workload import data


def check_enough(config: Config, seen: dict[str, int | None] | None = None) -> None:
    """Refuse a run of which cells need more than its data has, as far as that is known from here.

    Args:
        config: the run's checked config.
        seen: what was found for other runs; kept by a caller that asks for many, so that each folder is listed once.

    Raises:
        DataError: a cell would fail; or, where cells that need too much are left out, all would be.
    """
    experiment = config.entrypoint
    if config.dataset is None or config.sampling is None or not experiment.needs:
        return
    drops = experiment.settings.get("on_short", config.sampling.on_short) == "drop"
    cell = {name: (min if drops else max)(config.grid[name]) for name in experiment.needs}
    needed = math.prod(cell.values())
    seen = {} if seen is None else seen
    asked = key_of([config.dataset, config.sampling, needed])
    if asked not in seen:
        seen[asked] = data.too_few(for_workload(config), needed)
    found = seen[asked]
    if found is None:
        return
    of = " x ".join(f"{name} {value}" for name, value in cell.items())
    hint = f"use more {experiment.unit} or a smaller grid"
    if not drops:
        hint += ", or entrypoint.settings.on_short=drop leaves such cells out"
    problem = f"{of} needs {needed:,} {experiment.unit}, and there are {found:,} at most"
    raise DataError(problem, where="grid", hint=hint)
