"""The tidy table of a report: a line for each run, reader and cell; and rates of any part of it, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flowerexp.analysis.estimate import Interval, median_intervals, stratified_rate, student
from flowerexp.analysis.instability import Instability, widened, wider
from flowerexp.analysis.report.gather import CELL, Material

if TYPE_CHECKING:
    import pandas

NARROW = 0.10
"""A cell's interval is narrow if it reaches no further from its median than this share of it."""


def cells(material: Material) -> pandas.DataFrame:
    """A line for each run, reader and cell, in the order of the runs.

    Returns:
        What the run varies, its verdict, the cell, and: repetitions; executions, those of later actions included;
        images; seconds; images_per_second, a sum over a sum; median_images_per_second with the 95 % interval low to
        high, which allows for the machine's instability; and steady_images_per_second, after the first batch. Rates are
        null where nothing was timed.
    """
    import pandas as pd

    timed = material.timed
    found = timed.assign(
        rate=timed["images"] / timed["seconds"],
        later_images=timed["images"] - timed["first_batch_images"],
        later_seconds=timed["seconds"] - timed["first_batch_seconds"],
    )
    later = (found["later_images"] > 0) & (found["later_seconds"] > 0)
    found.loc[~later, ["later_images", "later_seconds"]] = np.nan
    groups = found.groupby(CELL, dropna=False, sort=False)
    table = groups.agg(
        repetitions=("seconds", "size"),
        images=("images", "sum"),
        seconds=("seconds", "sum"),
        first_batch_seconds=("first_batch_seconds", "median"),
        later_images=("later_images", "sum"),
        later_seconds=("later_seconds", "sum"),
    )
    counted = material.rows.groupby(CELL, dropna=False, sort=False).size()
    table["executions"] = counted.reindex(table.index).to_numpy()
    table["images_per_second"] = table["images"] / table["seconds"]
    table["steady_images_per_second"] = table.pop("later_images") / table.pop("later_seconds").replace(0, np.nan)
    middle, low, high = _medians(found["rate"].to_numpy(), groups.ngroup().to_numpy(), len(table)).T
    reaches = {name: one.reach for name, one in material.instability.items()}
    low, high = widened(middle, low, high, table.index.get_level_values("run").map(reaches).to_numpy(float))
    table["median_images_per_second"], table["low"], table["high"] = middle, low, high
    table = table.reset_index()
    names = pd.DataFrame(
        [
            {"run": run.name, **{short_key(key): value for key, value in run.varied.items()}, "verdict": run.verdict}
            for run in material.measured
        ],
        columns=None if material.measured else ["run", "verdict"],
    )
    order = {run.name: place for place, run in enumerate(material.measured)}
    whole = names.merge(table, on="run")
    return whole.sort_values("run", key=lambda column: column.map(order), kind="stable").reset_index(drop=True)


def reach(table: pandas.DataFrame) -> pandas.Series[float]:
    """How sure the cells of a table are: half the width of each one's interval, as a share of its median."""
    return (table["high"] - table["low"]) / 2 / table["median_images_per_second"]


def short_key(key: str) -> str:
    """A column's name for a config key: one that no column of the table has."""
    return f"config.{key}" if key in ("run", "reader", "seconds", "images") else key


def _medians(rates: Any, groups: Any, count: int) -> Any:
    """Medians with their intervals, of shape (count, 3): cells of equally many measurements side by side."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    found = np.full((count, 3), np.nan)
    for size in np.unique(sizes[sizes > 0]):
        own = np.flatnonzero(sizes == size)
        values = rates[order][starts[own][:, None] + np.arange(size)]
        found[own] = np.column_stack(median_intervals(values)[:3])
    return found


def rate_of(part: pandas.DataFrame, material: Material) -> Interval | None:
    """Images/s of some timed rows of one reader, sum over sum, with a 95 % interval.

    Two things make it uncertain, and the interval is as wide as the larger of them makes it: how far repetitions of a
    cell disagree and the machine wanders, and how far runs that repeat each other disagree.
    """
    if not len(part):
        return None
    images, seconds, strata = (part[name].to_numpy() for name in ("images", "seconds", "cell"))
    weights = part.groupby("run")["seconds"].sum() / seconds.sum()
    wandered = math.hypot(*(share * material.instability[str(run)].deviation for run, share in weights.items()))
    freedom = max(material.instability[str(run)].freedom for run in weights.index)
    within = wider(stratified_rate(images, seconds, strata), Instability(wandered, freedom))
    between = _between(part, material.disagreement[str(part["reader"].iloc[0])])
    return max(within, Interval(within.value, *between), key=lambda one: one.reach or 0.0)


def _between(part: pandas.DataFrame, disagreement: tuple[float, int]) -> tuple[float, float] | tuple[None, None]:
    """The interval of a part's rate if runs disagree so far; a run counts by its share of the seconds."""
    deviation, freedom = disagreement
    if not freedom:
        return None, None
    seconds = part.groupby("run")["seconds"].sum()
    rate = float(part["images"].sum() / part["seconds"].sum())
    factor = math.exp(student(freedom) * deviation * math.sqrt(((seconds / seconds.sum()) ** 2).sum()))
    return rate / factor, rate * factor
