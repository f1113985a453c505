"""The table ``cells.csv``: a line for each run, series and cell; and rates of any part of it, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowerexp.analysis import words
from flowerexp.analysis.estimate import Interval, grouped_medians, stratified_rate, student
from flowerexp.analysis.instability import Instability, widened, wider
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.varied import column_of
from flowerexp.experiment import Experiment

if TYPE_CHECKING:
    from pandas.core.groupby import DataFrameGroupBy

OF_VALUE = ("run", "series", "cell", "top", "bottom")
"""The columns of rows that `value_of` and `values_of` read."""
NARROW = 0.10
"""A cell's interval is narrow if it reaches at most this share of its median to each side."""


def cells(material: Material) -> pd.DataFrame:
    """A line for each run, series and cell, in the order of the runs.

    Returns:
        What the run varies, its verdict, the cell, and: repetitions that were timed; censored, those that were stopped
        at their time limit; executions, those of later actions included; what was counted; seconds; the rate, a sum
        over a sum; its median with the 95 % interval low to high, which allows for the machine's instability; and,
        where there are parts, the steady rate, after the first one. Rates are null where nothing was timed. The last
        column is the value that the experiment is about.
    """
    which, rows = material.experiment, material.rows
    table = _rated(material)
    stopped = _grouped(rows.loc[rows["censored"], material.cell], material).size()
    unfinished = stopped.index.difference(table.index, sort=False)
    if len(unfinished):
        table = table.reindex(table.index.append(unfinished))
        table = table.fillna({"repetitions": 0, "count": 0, "seconds": 0}).astype({"repetitions": int})
    table["censored"] = stopped.reindex(table.index, fill_value=0).to_numpy()
    counted = _grouped(rows, material).size()
    table["executions"] = counted.reindex(table.index).to_numpy()
    sums = _grouped(material.valued, material)[["top", "bottom"]].sum()
    table["value"] = (sums["top"] / sums["bottom"]).reindex(table.index).to_numpy()
    table = _named(table.reset_index().astype({"run": object, "series": object}), which)
    names = pd.DataFrame(
        [
            {
                "run": run.name,
                **{column_of(key, which): value for key, value in run.varied.items()},
                "verdict": run.verdict,
            }
            for run in material.measured
        ],
        columns=None if material.measured else ["run", "verdict"],
    )
    order = {run.name: place for place, run in enumerate(material.measured)}
    whole = names.merge(table, on="run")
    return whole.sort_values("run", key=lambda column: column.map(order), kind="stable").reset_index(drop=True)


def typed_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a type for each column that a Parquet file can hold: whole numbers as such, and null as null."""
    # Values of one column may be of several kinds, as those of a parameter that is a number or null.
    typed = table.convert_dtypes().map(lambda value: value, na_action="ignore")
    mixed = [name for name in typed.columns if typed[name].dtype == object]
    typed[mixed] = typed[mixed].astype("string")
    return typed


def _grouped(rows: pd.DataFrame, material: Material) -> DataFrameGroupBy[tuple[Any, ...], Any]:
    """Rows by cell, in the order of their first rows."""
    return rows.groupby(material.cell, dropna=False, sort=False, observed=True)


def _rated(material: Material) -> pd.DataFrame:
    """What was timed, by cell."""
    timed = material.timed[[*material.cell, "count", "seconds", "first_count", "first_seconds"]]
    found = timed.assign(
        rate=timed["count"] / timed["seconds"],
        later_count=timed["count"] - timed["first_count"],
        later_seconds=timed["seconds"] - timed["first_seconds"],
    )
    later = (found["later_count"] > 0) & (found["later_seconds"] > 0)
    found.loc[~later, ["later_count", "later_seconds"]] = np.nan
    groups = _grouped(found, material)
    table = groups.agg(
        repetitions=("seconds", "size"),
        count=("count", "sum"),
        seconds=("seconds", "sum"),
        first_seconds=("first_seconds", "median"),
        later_count=("later_count", "sum"),
        later_seconds=("later_seconds", "sum"),
    )
    table["rate"] = table["count"] / table["seconds"]
    table["steady_rate"] = table.pop("later_count") / table.pop("later_seconds").replace(0, np.nan)
    middle, low, high = grouped_medians(found["rate"].to_numpy(), groups.ngroup().to_numpy(), len(table))
    reaches = {name: instability.reach for name, instability in material.instability.items()}
    low, high = widened(middle, low, high, table.index.get_level_values("run").map(reaches).to_numpy(float))
    table["median_rate"], table["low"], table["high"] = middle, low, high
    return table


def _named(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The table with the columns' names of the experiment: a column for each parameter, and for what it counts."""
    place = list(table.columns).index("series")
    if experiment.categorical:
        series = table.pop("series")
        for name in reversed(experiment.categorical):
            values = {each: words.values(experiment, each).get(name) for each in series.unique()}
            if len(experiment.categorical) == 1:  # rows that lack it go by the experiment's name
                values = {each: value or each for each, value in values.items()}
            table.insert(place, name, series.map(values))
    rates = {f"{kind}rate": f"{kind}{experiment.rate}" for kind in ("", "steady_", "median_")}
    is_taken = experiment.count in experiment.parameters
    counted = {"count": f"counted_{experiment.count}" if is_taken else experiment.count}
    if experiment.parts is None:
        table = table.drop(columns=["first_seconds", "steady_rate"])
        return table.rename(columns=rates | counted)
    return table.rename(columns={**rates, **counted, "first_seconds": experiment.parts.first_seconds})


def reach(table: pd.DataFrame, experiment: Experiment) -> pd.Series[float]:
    """Half the width of each cell's interval, as a share of its median."""
    return (table["high"] - table["low"]) / 2 / table[f"median_{experiment.rate}"]


def values_of(rows: pd.DataFrame, material: Material) -> dict[str, Interval]:
    """The experiment's value over the valued rows of each series, see `value_of`."""
    groups = rows[[*OF_VALUE]].groupby("series", observed=True)
    return {str(name): value for name, part in groups if (value := value_of(part, material))}


def value_of(part: pd.DataFrame, material: Material) -> Interval | None:
    """The experiment's value over some valued rows of one series, with a 95 % interval if it is above 0.

    The interval is the wider of two: one from how far repetitions of a cell disagree and the machine's speed varies,
    and one from how far runs that repeat each other disagree.
    """
    if not len(part):
        return None
    top, bottom, strata = (part[name].to_numpy() for name in ("top", "bottom", "cell"))
    if top.sum() <= 0:
        return Interval(float(top.sum() / bottom.sum()))
    weights = part.groupby("run", observed=True)["bottom"].sum() / bottom.sum()
    wandered = math.hypot(*(share * material.instability[str(run)].deviation for run, share in weights.items()))
    freedom = max(material.instability[str(run)].freedom for run in weights.index)
    within = wider(stratified_rate(top, bottom, strata), Instability(wandered, freedom))
    between = _between(part, material.disagreement[str(part["series"].iloc[0])])
    return max(within, Interval(within.value, *between), key=lambda interval: interval.reach or 0.0)


def _between(part: pd.DataFrame, disagreement: tuple[float, int]) -> tuple[float, float] | tuple[None, None]:
    """The interval of a part's value by how far runs disagree; a run counts by its share of the denominator."""
    deviation, freedom = disagreement
    if not freedom:
        return None, None
    bottom = part.groupby("run", observed=True)["bottom"].sum()
    value = float(part["top"].sum() / bottom.sum())
    factor = math.exp(student(freedom) * deviation * math.sqrt(((bottom / bottom.sum()) ** 2).sum()))
    return value / factor, value * factor
