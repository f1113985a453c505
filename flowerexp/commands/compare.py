"""`flowerexp compare RUN RUN [RUN ...]`: is one run faster than another?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from flowerexp.analysis import words
from flowerexp.analysis.compare import Ratio, comparable, rates, ratios, same_work, wall_times
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.console import figure
from flowerexp.errors import ConfigError, DataError
from flowerexp.escape import printable
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.experiment import Experiment
    from flowerexp.tracking import Store
    from flowerexp.tracking.fetch import LoggedRun

Side = Sequence["LoggedRun"]
"""A run, or several that repeat it."""

_UI = "http://127.0.0.1:5000"  # where `flowerexp ui` shows a local store
_BASES = {
    "repetitions": "from the repetitions within each run: six or more show in part how much one run differs from the "
    "next; repeats of the runs show it fully (sweep.repeats)",
    "cells": "from how far cells disagree, since they were measured once each; more measure.repetitions narrow it",
    "runs": "from how far runs that repeat each other disagree",
}
_CACHING = "caching changes how long a run takes and how often it measures; rates are of what was measured first"


def main(arguments: Sequence[str]) -> int:
    """Compare runs with the first one."""
    parser = argparse.ArgumentParser(
        prog="flowerexp compare",
        description="Compare runs with the first one. Runs of one config, on one machine, are taken as repeats.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="MLflow run_ids, or at least their first 4 characters")
    parser.epilog = "KEY=VALUE among them names the store, such as tracking.uri=... or home=..."
    words = parser.parse_args(arguments).runs
    runs = [word for word in words if "=" not in word]
    if len(runs) < 2:
        raise ConfigError(f"two runs make a comparison, and {len(runs)} are given", where="command line", hint=_HINT)

    from flowerexp.app import composed
    from flowerexp.tracking import Store
    from flowerexp.tracking.fetch import find

    store = Store.of(composed([word for word in words if "=" in word]).tracking)
    found = [find(store, run) for run in runs]
    ids = [run.run_id for run in found]
    twice = next((run for place, run in enumerate(found) if run.run_id in ids[:place]), None)
    if twice:
        raise ConfigError(f"run {twice.short_id} is given twice", where="command line", hint=_HINT)
    for other in found[1:]:
        reasons = why_not(found[0], other)
        if reasons:
            problem = f"runs {found[0].short_id} and {other.short_id} cannot be compared: {'; '.join(reasons)}"
            raise DataError(problem, hint="compare runs over the same data, grid and target size")
    print(printable(side_by_side(grouped(found))))
    return 0


_HINT = "usage: flowerexp compare RUN RUN [RUN ...] [KEY=VALUE]"


def why_not(base: LoggedRun, other: LoggedRun) -> list[str]:
    """Why two runs cannot be compared; nothing where they can."""
    return comparable(_measured(base), _measured(other))


def _measured(run: LoggedRun) -> ComparedRun:
    facts = {**{key.removeprefix("facts/"): value for key, value in run.metrics.items()}, **run.tags}
    return ComparedRun(run.short_id, run.config, run.measurements, facts, run.phases, run.error)


def grouped(runs: Sequence[LoggedRun]) -> list[Side]:
    """Put runs that repeat each other on one side: the same choices, made with the same things.

    Where that leaves one side only, each run is a side of its own.
    """
    sides: dict[str, list[LoggedRun]] = {}
    for run in runs:
        params = {key: value for key, value in run.choices.items() if key != "repeat"}
        sides.setdefault(json.dumps([params, _made_with(run)], sort_keys=True), []).append(run)
    return list(sides.values()) if len(sides) > 1 else [[run] for run in runs]


def _made_with(run: LoggedRun) -> dict[str, str]:
    from flowerexp.tracking.drift import made_with

    return made_with(run.tags)


def side_by_side(sides: Sequence[Side], reasons: Sequence[str] = ()) -> str:
    """Everything about some sides, the first of which is the base: what they are, what differs, and the ratios.

    Args:
        sides: the sides.
        reasons: why they cannot be compared; then there are rates, and no ratios.
    """
    measured = [[_measured(run) for run in side] for side in sides]
    blocks = [_heads(sides), _differences(sides)]
    if reasons:
        blocks += [_rates(sides, [rates(side) for side in measured]), f"not comparable: {'; '.join(reasons)}"]
    else:
        found = [ratios(measured[0], other) for other in measured[1:]]
        blocks += [_ratios(sides, found), _times(sides, measured)]
        blocks.append(_notes(sides, {ratio.basis for side in found for ratio in side if ratio.basis}))
    runs = [run for side in sides for run in side]
    return "\n\n".join(filter(None, blocks)) + f"\n{_opened(runs)}"


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


def _differing(values: Sequence[Mapping[str, str]]) -> list[list[str]]:
    keys = dict.fromkeys(key for side in values for key in side)
    lines = [[key, *(_shown(side.get(key, "-")) for side in values)] for key in keys]
    return [line for line in lines if len(set(line[1:])) > 1]


def _shown(value: str) -> str:
    return value if len(value) <= 48 else f"{value[:22]}...{value[-23:]}"


def _rates(sides: Sequence[Side], found: Sequence[Mapping[str, float]]) -> str:
    lines = [[_experiment(sides).rate_unit, *map(label, sides)]]
    for series in sorted({series for side in found for series in side}):
        lines.append([series, *(figure(side.get(series)) for side in found)])
    return text_table(lines, right=range(1, len(sides) + 1)) if lines[1:] else ""


def _ratios(sides: Sequence[Side], found: Sequence[Sequence[Ratio]]) -> str:
    experiment = _experiment(sides)
    lines = [[words.head(experiment), "run", experiment.rate_unit, "base's", "ratio", "95 % interval", "verdict"]]
    pairs = [(side, ratio) for side, each in zip(sides[1:], found, strict=True) for ratio in each]
    for side, one in sorted(pairs, key=lambda pair: pair[1].series):
        speeds = [figure(one.other), figure(one.base), f"{one.ratio:.3f}"]
        lines.append([one.series, label(side), *speeds, _interval(one), one.verdict])
    return text_table(lines, right=(2, 3, 4))


def _experiment(sides: Sequence[Side]) -> Experiment:
    return sides[0][0].config.entrypoint


def _interval(ratio: Ratio) -> str:
    return "-" if ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"


def _times(sides: Sequence[Side], measured: Sequence[Sequence[ComparedRun]]) -> str:
    lines = [["seconds", "run", "total", "ratio", "measuring", "ratio"]]
    base = wall_times(measured[0])
    for place, (side, runs) in enumerate(zip(sides, measured, strict=True)):
        times, alike = wall_times(runs), place > 0 and same_work(measured[0][0], runs[0])
        lines.append(["", label(side)])
        for name in ("total", "measure"):
            ratio = times[name] / base[name] if alike and name in times and name in base else None
            lines[-1] += [f"{times[name]:,.1f}" if name in times else "-", f"{ratio:.2f}" if ratio else ""]
    return text_table(lines, right=(2, 3, 4, 5))


def _notes(sides: Sequence[Side], bases: set[str]) -> str:
    lines = [f"interval  {_BASES[basis]}" for basis in sorted(bases)]
    where = sides[0][0].config.entrypoint.where
    if where == "executor" and len({side[0].config.caching for side in sides}) > 1:
        lines.append(f"caching   {_CACHING}")
    for run in (run for side in sides for run in side):
        if run.tags.get("flowerexp.verdict") == "suspect":
            lines.append(f"suspect   {run.short_id}: {run.tags.get('flowerexp.reasons', '')}")
    return "\n".join(lines)


def _opened(runs: Sequence[LoggedRun]) -> str:
    store = runs[0].store
    start = "" if store.is_server else " (flowerexp ui serves it)"
    return f"MLflow    {url(store, runs)}{start}"


def url(store: Store, runs: Sequence[LoggedRun]) -> str:
    """The address of MLflow's page that compares runs."""
    place = store.address.rstrip("/") if store.is_server else _UI
    ids = quote(json.dumps([run.run_id for run in runs], separators=(",", ":")), safe="[],")
    experiments = [*dict.fromkeys(run.experiment_id for run in runs)]
    return f"{place}/#/compare-runs?runs={ids}&experiments={quote(json.dumps(experiments), safe='[],')}"
