"""In which order the runs of a sweep are made: by a seed, so that the same command gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from flowerexp.config import key_of
from flowerexp.plan import PlannedRun, grouped


def with_order(runs: Sequence[PlannedRun], first: int = 0) -> list[PlannedRun]:
    """The runs of a sweep, each with its place in time, by `sweep.order` and `sweep.seed`.

    A machine drifts and warms up, so a value that always came first would differ from the others for that alone.
    `blocked` shuffles the runs of each repeat (a randomised block design), `random` those of all repeats together,
    `interleaved` keeps the declared order and turns every second repeat around, so that a linear drift cancels out over
    two repeats. Runs that share a cluster and a job stay together all the same, in the order in which these come first.

    Args:
        runs: in the order in which they were declared; the first one's config says how.
        first: the place of the first, where earlier batches of the sweep ran before.

    Returns:
        The same runs in the declared order. `order` in their `extra` is the place of each in time, from 0, and `block`
        its repeat.
    """
    sweep = runs[0].config.sweep
    places = {id(run): place for place, run in enumerate(_in_jobs(_walked(runs, sweep.order, sweep.seed)), first)}
    return [replace(run, extra={**run.extra, "order": places[id(run)], "block": run.config.repeat}) for run in runs]


def in_time(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Runs in the order in which they are made; those without a place, as those of a search, in the given one."""
    return sorted(runs, key=lambda run: run.extra.get("order", 0))


def _walked(runs: Sequence[PlannedRun], order: str, seed: int) -> list[PlannedRun]:
    chance = random.Random(seed)
    blocks = [[*runs]] if order == "random" else _blocks(runs)
    for number, block in enumerate(blocks):
        if order != "interleaved":
            chance.shuffle(block)
        elif number % 2:
            block.reverse()
    return [run for block in blocks for run in block]


def _blocks(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """The runs of each repeat, one repeat after the other."""
    blocks: dict[int, list[PlannedRun]] = {}
    for run in runs:
        blocks.setdefault(run.config.repeat, []).append(run)
    return [blocks[repeat] for repeat in sorted(blocks)]


def _in_jobs(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The runs of each cluster, one cluster after the other, and within these by job."""
    clusters: dict[str, list[PlannedRun]] = {}
    for job in grouped(runs):
        clusters.setdefault(key_of(job.cluster), []).extend(job.runs)
    return [run for own in clusters.values() for run in own]
