"""A comparison as text: what the sides are, what differs, the ratios with their verdicts, times and notes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from flowerexp.analysis import words
from flowerexp.analysis.compare import Ratio, same_work, values, wall_times
from flowerexp.analysis.conclusions.constants import MOST_REPEATS, PRIOR_DEVIATION
from flowerexp.analysis.experiments import extras_of
from flowerexp.comparing.sides import Comparison, Side
from flowerexp.console import figure
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.analysis.estimate import Interval
    from flowerexp.lookup.saved import SavedRun
    from flowerexp.tracking import Store
    from flowerexp.tracking.fetch import LoggedRun

_UI = "http://127.0.0.1:5000"  # where `flowerexp ui` shows a local store
_REPEATED = "from the spread of runs that repeat each other"
_SINGLE = (
    f"one run a side does not show how far runs differ: {PRIOR_DEVIATION:.0%} is assumed, or more if repetitions "
    "disagree by more; repeats show it (sweep.repeats)"
)
_CACHING = "caching changes how long a run takes and how often it measures; rates are those of first executions"


def side_by_side(comparison: Comparison) -> str:
    """Everything about some sides; of sides that cannot be compared there are rates, and no ratios."""
    blocks = [_heads(comparison.sides), _differences(comparison.sides)]
    if comparison.reasons:
        blocks += [_values(comparison), f"not comparable: {'; '.join(comparison.reasons)}"]
    else:
        more = extras_of(comparison.experiment).compared(comparison.measured)
        blocks += [_ratios(comparison), text_table(more) if more else "", _times(comparison), _notes(comparison)]
    return "\n\n".join(filter(None, [*blocks, _opened(comparison.runs)]))


def label(side: Side) -> str:
    """A side's name: its first run's short id, and how many repeats there are."""
    return side[0].short_id + (f" +{len(side) - 1}" if len(side) > 1 else "")


def _heads(sides: Sequence[Side]) -> str:
    lines = [["run", "started", "", ""]]
    for place, side in enumerate(sides):
        started = datetime.fromtimestamp(side[0].started_at).strftime("%Y-%m-%d %H:%M")
        lines.append([label(side), started, side[0].name, "" if place else "(base)"])
    return text_table(lines)


def _differences(sides: Sequence[Side]) -> str:
    """The values that differ: of the config, then of what the runs were made with."""
    first = [side[0] for side in sides]
    lines = _differing([run.choices for run in first]) + _differing([_made_with(run) for run in first])
    return (
        text_table([["differs", *map(label, sides)], *lines])
        if lines
        else "differs   nothing: config, code and versions are the same"
    )


def _made_with(run: SavedRun) -> dict[str, str]:
    from flowerexp.tracking.drift import made_with

    return made_with(run.tags)


def _differing(values: Sequence[Mapping[str, str]]) -> list[list[str]]:
    keys = dict.fromkeys(key for side in values for key in side)
    lines = [[key, *(_shown(side.get(key, "-")) for side in values)] for key in keys]
    return [line for line in lines if len(set(line[1:])) > 1]


def _shown(value: str) -> str:
    return value if len(value) <= 48 else f"{value[:22]}...{value[-23:]}"


def _values(comparison: Comparison) -> str:
    sides, found = comparison.sides, [values(side) for side in comparison.measured]
    lines = [[comparison.experiment.value_unit, *map(label, sides)]]
    for series in sorted({series for side in found for series in side}):
        lines.append([series, *(figure(side.get(series)) for side in found)])
    return text_table(lines, right=range(1, len(sides) + 1)) if lines[1:] else ""


def _ratios(comparison: Comparison) -> str:
    experiment = comparison.experiment
    lines = [[words.head(experiment), "run", experiment.value_unit, "base's", "ratio", "95 % interval", "verdict"]]
    each = zip(comparison.sides[1:], comparison.ratios, strict=True)
    pairs = [(side, ratio) for side, found in each for ratio in found]
    for side, one in sorted(pairs, key=lambda pair: pair[1].series):
        measured = [figure(one.other), figure(one.base), f"{one.interval.value:.3f}"]
        lines.append([one.series, label(side), *measured, _interval(one.interval), one.verdict])
    return text_table(lines, right=(2, 3, 4))


def _interval(ratio: Interval) -> str:
    return "-" if ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"


def _times(comparison: Comparison) -> str:
    """Each side's own time, and beside it what preparing and warming up took, for which no run is charged."""
    lines = [["seconds", "run", "own", "ratio", "preparing", "warming up"]]
    first = comparison.measured[0]
    base = wall_times(first)
    for place, (side, runs) in enumerate(zip(comparison.sides, comparison.measured, strict=True)):
        times = wall_times(runs)
        alike = place > 0 and base.own and same_work(first[0], runs[0])
        ratio = f"{times.own / base.own:.2f}" if alike else ""
        lines.append(["", label(side), _seconds(times.own), ratio, _seconds(times.preparing), _seconds(times.warm_up)])
    return text_table(lines, right=(2, 3, 4, 5))


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value else "-"


def _notes(comparison: Comparison) -> str:
    sides, found = comparison.sides, [ratio for side in comparison.ratios for ratio in side]
    lines = [f"interval  {_REPEATED if any(len(side) > 1 for side in sides) else _SINGLE}"]
    if len(found) > 1:
        lines.append(f"interval  all {len(found)} are true together with 95 % (Bonferroni)")
    lines += [f"repeats   {text}" for ratio in found if (text := _needed(ratio))]
    where = comparison.experiment.where
    if where == "executor" and len({side[0].config.caching for side in sides}) > 1:
        lines.append(f"caching   {_CACHING}")
    lines += [f"host      {text}" for side in sides[1:] if (text := _host(sides[0], side))]
    for run in comparison.runs:
        if run.verdict == "suspect":
            lines.append(f"suspect   {run.short_id}: {run.tags.get('flowerexp.reasons', '')}")
    return "\n".join(lines)


def _host(base: Side, side: Side) -> str:
    """Whether the host of a side was faster or slower itself, by the probe beside each measurement."""
    from flowerexp.analysis.probe import host_speed, relative

    speeds = [host_speed(runs[0].measurements) for runs in (base, side)]
    if speeds[0] is None or speeds[1] is None or len(base) > 1 or len(side) > 1:
        return ""  # repeats show by themselves how far the machine's speed varies
    ratio = relative(speeds[0], speeds[1])
    if not ratio.excludes_one or ratio.low is None or ratio.high is None:
        return ""
    ends = f"{ratio.low:.2f} to {ratio.high:.2f}"
    return f"{label(side)}: the host itself was {ratio.value:.2f} times as fast as the base's ({ends}), by the probe"


def _needed(ratio: Ratio) -> str:
    """How many runs would settle an inconclusive ratio."""
    if ratio.verdict != "inconclusive":
        return ""
    many = ratio.repeats
    if many is None:
        return f"{ratio.series}: the noise is so large that {MOST_REPEATS} runs a side would not settle it"
    return f"{ratio.series}: about {many} runs a side would settle it (sweep.repeats={many})"


def _opened(runs: Sequence[SavedRun]) -> str:
    """The address of MLflow's page that compares the runs, if all of them were found in one store."""
    from flowerexp.tracking.fetch import LoggedRun

    logged = [run for run in runs if isinstance(run, LoggedRun)]
    if len(logged) < len(runs) or len({run.store for run in logged}) > 1:
        return ""
    start = "" if logged[0].store.is_server else " (flowerexp ui serves it)"
    return f"MLflow    {url(logged[0].store, logged)}{start}"


def url(store: Store, runs: Sequence[LoggedRun]) -> str:
    """The address of MLflow's page that compares runs."""
    place = store.address.rstrip("/") if store.is_server else _UI
    ids = quote(json.dumps([run.run_id for run in runs], separators=(",", ":")), safe="[],")
    experiments = [*dict.fromkeys(run.experiment_id for run in runs)]
    return f"{place}/#/compare-runs?runs={ids}&experiments={quote(json.dumps(experiments), safe='[],')}"
