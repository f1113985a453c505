"""`flowerexp plan [-m] [overrides]`: what would run, and how long it would take; nothing is started or written."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp import index
from flowerexp.analysis import words
from flowerexp.cluster.kind import kind_of
from flowerexp.commands import cluster_costs
from flowerexp.config import key_of, plain
from flowerexp.config.redact import redacted, redacted_override
from flowerexp.config.schema import Config
from flowerexp.escape import printable
from flowerexp.plan import duration, shown
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.sweep.forecast import Forecast, Item

_SHOWN = 40  # runs; of more, the first and the last ones


def main(arguments: Sequence[str]) -> int:
    """Plan, and print."""
    from flowerexp.cluster_search import walk_of_sweeper
    from flowerexp.sweep.forecast import forecast

    parser = argparse.ArgumentParser(prog="flowerexp plan", description="Show what would run; nothing is started.")
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep over comma-separated values")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    parser.add_argument("--config-name", "-cn", metavar="NAME", default="config", help="another main config")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args(list(arguments))
    made = forecast(options.overrides, options.multirun, walk_of_sweeper, config_name=options.config_name)
    print(json.dumps(_as_json(made), indent=1) if options.json else printable(_as_text(made)))
    for damage in dict.fromkeys(index.load(item.run.config).damage for item in made.items):
        if damage:
            print(f"flowerexp: {damage}", file=sys.stderr)
    return 0


def _as_json(made: Forecast) -> dict[str, Any]:
    numbers = {id(item.run): item.number for item in made.items}
    return {
        "runs": [
            {
                "number": item.number,
                "order": item.run.extra.get("order"),
                "block": item.run.extra.get("block"),
                "run_key": item.run.run_key,
                "name": item.run.name,
                "entrypoint": item.run.entrypoint,
                "question": item.run.config.entrypoint.question,
                "unit": item.run.config.entrypoint.unit,
                "where": item.run.config.entrypoint.where,
                "uses": list(item.run.config.entrypoint.uses),
                "grid": plain(item.run.config.grid),
                "measure": plain(item.run.config.measure),
                "overrides": [redacted_override(override) for override in item.overrides],
                "differs": dict(item.differs),
                "measurements": item.run.measurements,
                "data_fingerprint": item.data_fingerprint,
                "done": vars(item.done) if item.done else None,
                "skipped": item.skipped,
                "estimated_seconds": item.seconds,
            }
            for item in made.items
        ],
        "jobs": [
            {
                "cluster": redacted(plain(job.cluster)),
                "script": job.script,
                "runs": [numbers[id(run)] for run in job.runs],
            }
            for job in made.jobs
        ],
        "search": _search(made),
        "design": made.design.recorded if made.design else None,
        "measurements": made.measurements,
        "estimated_seconds": made.seconds,
        **cluster_costs.as_json(made),
    }


def _search(made: Forecast) -> dict[str, Any] | None:
    """What is searched for, with how many runs that takes at most; None for a grid."""
    settings = made.walk.settings
    return None if settings is None else {**settings, "most_runs": made.most_runs, "smoke_runs": len(made.aside)}


def _as_text(made: Forecast) -> str:
    parts = [
        _headline(made),
        "",
        *_run_table(made.items),
        "",
        *([f"design    {made.design.said}"] if made.design else []),
        *_experiment_lines([item.run.config for item in made.items]),
        *_job_lines(made),
        *_done_line(made),
        *_unseen_line(made),
        _time_line(made),
    ]
    parts += cluster_costs.as_text(made)
    return "\n".join(parts)


def _headline(made: Forecast) -> str:
    if (search := made.walk.settings) is not None:
        best = "cheapest" if search["objective"] == "cost" else "fastest"
        of = f"a search for the {best} of {_count(len(made.items), 'cluster')}"
        smoke = f"{_count(len(made.aside), 'smoke run')} and " if made.aside else ""
        return f"{of}, {smoke}{_count(made.most_runs, 'run')} at most; nothing is started"
    jobs = len(made.jobs)
    clusters = len({key_of(job.cluster) for job in made.jobs})
    what = [_count(len(made.to_run), "run"), _count(jobs, "job"), _count(clusters, "cluster")]
    return f"{what[0]} in {what[1]} on {what[2]}{_measurements(made.measurements, made.is_open)}; nothing is started"


def _measurements(number: int, is_open: bool) -> str:
    """How many measurements are planned; nothing of experiments that have no grid, and decide that themselves."""
    return f", {'at least ' if is_open else ''}{_count(number, 'measurement')}" if number else ""


def _run_table(items: Sequence[Item]) -> list[str]:
    keys = list(dict.fromkeys(key for item in items for key in item.differs))
    left_out = len(items) - _SHOWN
    listed = list(items) if left_out <= 0 else [*items[: _SHOWN // 2], *items[-_SHOWN // 2 :]]
    done = ["done"] if any(item.done for item in items) else []
    order = ["order"] if len(items) > 1 and all("order" in item.run.extra for item in items) else []
    table: list[list[str] | str] = [["run", *order, "key", "name", *keys, *done]]
    for item in listed:
        values = [item.differs.get(key, "") for key in keys]
        place = [str(item.run.extra["order"]) for _ in order]
        table.append([str(item.number), *place, item.run.run_key, item.run.name, *values, *[_done(item) for _ in done]])
    if left_out > 0:
        table.insert(1 + _SHOWN // 2, f"...  {left_out:,} more")
    return [text_table(table)]


def _done(item: Item) -> str:
    return f"run {item.done.run_id[:8]}, {_date(item.done.at)}" if item.done else ""


def _date(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"


_WHERE = {"driver": "a Spark job of the driver", "executor": "a task on an executor"}


def _experiment_lines(configs: Sequence[Config]) -> list[str]:
    """For each experiment: what it asks, what its grid holds, how it is measured, and what it uses."""
    lines = []
    for name in dict.fromkeys(config.entrypoint.name for config in configs):
        own = [config for config in configs if config.entrypoint.name == name]
        experiment = own[0].entrypoint.in_play(config.grid for config in own)
        lines.append(f"asks      {experiment.question} ({name}, {experiment.value_unit})")
        grid = [f"{words.parameter(experiment, name)} {_each(own, name)}" for name in experiment.parameters]
        if grid:
            lines.append(f"grid      {'; '.join(grid)}")
            lines.append(f"measures  {_how(own)}")
        for pace in dict.fromkeys(str(config.storage.simulated) for config in own if config.storage.simulated):
            lines.append(f"bucket    simulated: {pace}")
        if experiment.uses:
            lines.append(f"uses      {', '.join(experiment.uses)}")
    return lines


def _each(configs: Sequence[Config], parameter: str) -> str:
    """The values of a parameter, and the others that it has in other runs."""
    return " or ".join(dict.fromkeys(", ".join(map(shown, config.grid[parameter])) for config in configs))


def _how(configs: Sequence[Config]) -> str:
    cells = _or(math.prod(map(len, config.grid.values())) for config in configs)
    times = _or(config.measure.least for config in configs)
    goals = _goals(config.measure.until for config in configs)
    return f"{cells} cells a run, {times} times each{goals}; a measurement is {_WHERE[configs[0].entrypoint.where]}"


def _goals(goals: Iterable[float | None]) -> str:
    """What more the cells are measured for; nothing where they are measured so often and no more."""
    known = dict.fromkeys(f"{goal * 100:g} %" for goal in goals if goal)
    return f" at least, until their intervals reach no further than {' or '.join(known)}" if known else ""


def _or(numbers: Iterable[int]) -> str:
    return " or ".join(f"{number:,}" for number in dict.fromkeys(numbers))


def _job_lines(made: Forecast) -> list[str]:
    lines = []
    for number, job in enumerate(made.jobs):
        is_open = any(run.is_open for run in job.runs)
        measurements = _measurements(sum(run.measurements for run in job.runs), is_open)
        runs = _count(len(job.runs), "run")
        lines.append(f"job {number}     {kind_of(job.cluster).describe()}: {job.script}, {runs}{measurements}")
    return lines


def _done_line(made: Forecast) -> list[str]:
    done, skipped = sum(item.done is not None for item in made.items), sum(item.skipped for item in made.items)
    if not done:
        return []
    if skipped:
        return [f"skipped   {_count(skipped, 'run')} of {len(made.items):,}: finished already, see above"]
    return [f"done      {_count(done, 'run')} of {len(made.items):,} before; skip_finished=true leaves them out"]


def _unseen_line(made: Forecast) -> list[str]:
    unseen = sum(item.unseen for item in made.items)
    why = "ran before on data that cannot be listed from here: whether it is the same is not known"
    return [f"unseen    {_count(unseen, 'run')} of {len(made.items):,} {why}"] if unseen else []


def _time_line(made: Forecast) -> str:
    known = [item for item in made.to_run if item.seconds is not None]
    if not made.to_run:
        return "time      none: nothing is left to run"
    if made.walk.chooses and made.seconds is not None:
        beside = ", beside the smoke runs" if made.aside else ""
        return f"time      {duration(made.seconds)} if all were tried{beside}, by earlier runs"
    if made.seconds is not None:
        least = "at least " if made.is_open else ""
        return f"time      {least}about {duration(made.seconds)}, by earlier runs"
    if not known:
        return "time      unknown: no earlier run of this kind on this cluster"
    return f"time      unknown: {len(made.to_run) - len(known)} of {len(made.to_run)} runs are the first of their kind"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
