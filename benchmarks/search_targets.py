"""The cluster search against bounds, and paired with simple rules: `python benchmarks/search_targets.py TABLE.csv`.

Each figure is a mean over jobs and seeds with its 95 % interval; jobs and the seeds of each are resampled. Rules are
compared search by search: the same job, seed and noise. Searches without a winner are left out of totals.

`ruya_memory.csv` names the 16 jobs of scout.csv that Ruya was evaluated on, and the memory that its authors estimated
from runs on small samples on one machine: 0 where it does not grow with the data, nothing where they could not tell.
(Will, Thamsen, Bader, Scheinert and Kao, "Ruya: Memory-Aware Iterative Optimization of Cluster Configurations for Big
Data Processing", IEEE BigData 2022; the figures are from evaluation.ipynb in github.com/dos-group/ruya.)
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from cluster_runtimes import read
from cluster_search import Job, Outcome, interval, replayed, searched, summary, totals
from targets import Target, finish

from flowerexp.errors import DataError, FlowerexpError
from flowerexp.search import Rule, Search, SearchSettings, Status

Values = Sequence[Sequence[float]]

MEMORY = Path(__file__).parent / "ruya_memory.csv"
FLAT_GB = 1.0
"""An estimate for jobs whose memory does not grow with the data: less than any cluster has."""

WITHIN = {"within 20 %": 1.2, "within 10 %": 1.1, "the optimum": 1 + 1e-9}
OTHERS = {"cherrypick": (Rule.CHERRYPICK, 20), "random 6": (Rule.RANDOM, 6)}


@dataclass(frozen=True)
class World:
    """What makes a search harder, or not."""

    name: str
    expected_runs: float = 50
    noise: float = 0.0
    failures: bool = False  # clusters that did not complete are candidates too
    in_time: bool = False  # within the median of the job's seconds


WORLDS = (
    World("50 runs"),
    World("20 runs", 20),
    World("100 runs", 100),
    World("50 runs, 10 % noise", noise=0.1),
    World("50 runs, with failures", failures=True),
    World("50 runs, within the median time", in_time=True),
)


class Table:
    """The jobs of a table, in several worlds.

    Args:
        path: of the table.
        part: of the jobs, which are sorted by name.
        seeds: of the searches of each job.
    """

    def __init__(self, path: Path, part: slice, seeds: Sequence[int]) -> None:
        self._path, self._part, self._seeds = path, part, seeds
        self.estimates = pd.read_csv(MEMORY).set_index("job")["needs_gb"]

    def jobs(self, world: World) -> list[Job]:
        """The jobs; in time, only those that some cluster finishes in time."""
        found = []
        for name, runs in list(read(self._path, world.failures).items())[self._part]:
            limit = statistics.median(run.seconds for run in runs if run.completed) if world.in_time else None
            found.append(Job(name, runs, limit))
        return found

    def ruya(self) -> list[Job]:
        """Its 16 jobs, or those of them that are in this table and part.

        Raises:
            DataError: none is.
        """
        found = [job for job in self.jobs(WORLDS[0]) if job.name in self.estimates.index]
        if not found:
            raise DataError(f"{self._path} has none of Ruya's jobs", hint="measure --parts worlds alone")
        return found

    def search(
        self, jobs: Sequence[Job], world: World, rule: Rule = Rule.SAVING, most: int = 20
    ) -> list[list[Outcome]]:
        """What the searches by a rule come to, by job and seed."""
        return [[searched(job, self._settings(job, world, seed, rule, most), world.noise) for seed in self._seeds]
                for job in jobs]  # fmt: skip

    def until(self, jobs: Sequence[Job], rule: Rule) -> dict[str, list[list[float]]]:
        """Runs until one is within each share of the optimum, by job and seed; no search stops before."""
        found: dict[str, list[list[float]]] = {name: [] for name in WITHIN}
        for job in jobs:
            each = [_until(job, self._settings(job, WORLDS[0], seed, rule, len(job.runs))) for seed in self._seeds]
            for name, counts in zip(WITHIN, zip(*each, strict=True), strict=True):
                found[name].append(list(counts))
        return found

    def _settings(self, job: Job, world: World, seed: int, rule: Rule, most: int) -> SearchSettings:
        least = most if most == len(job.runs) else None
        return SearchSettings(rule=rule, expected_runs=world.expected_runs, seed=seed, draws=seed % 3,
                              max_seconds=job.max_seconds, min_runs=least, max_runs=most)  # fmt: skip


def _until(job: Job, settings: SearchSettings) -> list[float]:
    """The runs until one is within each share of the optimum."""
    counts: list[float] = []
    bounds = [job.optimum * share for share in WITHIN.values()]
    for place, (run, seen) in enumerate(replayed(job, Search([run.candidate for run in job.runs], settings), 0.0), 1):
        while seen.status is Status.FINISHED and len(counts) < len(bounds) and run.cost <= bounds[len(counts)]:
            counts.append(place)
        if len(counts) == len(bounds):
            break
    return counts


def paired(ours: Values, theirs: Values) -> list[list[float]]:
    """The difference of each pair of searches."""
    return [[one - other for one, other in zip(*some, strict=True)] for some in zip(ours, theirs, strict=True)]


def line(name: str, values: Values, width: int = 62) -> tuple[float, float]:
    """Print the mean of some values with its interval; the mean, and the interval's upper end."""
    finite = [np.mean(kept) for some in values if (kept := [value for value in some if np.isfinite(value)])]
    mean, (low, high) = float(np.mean(finite)), interval(values)
    print(f"{name:{width}} {mean:8.3f}  ({low:.3f} to {high:.3f})", flush=True)
    return mean, high


def worlds(table: Table) -> Iterator[Target]:
    """Totals in each world, and how much less they are than those of simple rules."""
    for world in WORLDS:
        jobs = table.jobs(world)
        ours = table.search(jobs, world)
        figures = summary([one for some in ours for one in some], world.expected_runs)
        print(" ".join(f"{name} {figures[name]:.3f}" for name in ("p_optimum", "p_allowed", "mean", "p90", "spend")))
        total = totals(ours, world.expected_runs)
        line(f"{world.name}: total", total)
        for name, (rule, most) in OTHERS.items():
            theirs = totals(table.search(jobs, world, rule, most), world.expected_runs)
            _, high = line(f"{world.name}: total, less that of {name}", paired(total, theirs))
            yield Target(f"{world.name}: upper end of the total less that of {name}", high, 0)
        yield from _wanted(world, figures, jobs, ours)


def _wanted(
    world: World, figures: dict[str, float | None], jobs: Sequence[Job], ours: Sequence[Sequence[Outcome]]
) -> Iterator[Target]:
    """The bounds of a world."""
    if world.name == "50 runs":
        bounds = {"p_optimum": 0.62, "mean": 1.035, "p90": 1.12, "spend": 10.5}
        for name, bound in bounds.items():
            yield Target(f"{world.name}: {name}", figures[name] or 0.0, bound, at_least=name == "p_optimum")
    if world.name == "20 runs":
        means = {
            job.name: statistics.fmean(one.ratio or float("inf") for one in some)
            for job, some in zip(jobs, ours, strict=True)
        }
        worst = max(means, key=lambda name: means[name])
        yield Target(f"{world.name}: mean cost of the worst job, {worst}", means[worst], 1.4)


def runs_until(table: Table) -> Iterator[Target]:
    """Ruya's three figures, on its jobs."""
    jobs = table.ruya()
    ours, at_random = table.until(jobs, Rule.SAVING), table.until(jobs, Rule.RANDOM)
    for (name, values), bound in zip(ours.items(), (3.5, 7.5, 10.0), strict=True):
        mean, _ = line(f"runs until {name}", values)
        line(f"runs until {name}, less those of random search", paired(values, at_random[name]))
        yield Target(f"runs until {name}, on Ruya's jobs", mean, bound)


def memory(table: Table) -> Iterator[Target]:
    """Totals with Ruya's estimates of memory, less those without; the two right, too high or low, and another job's."""
    known = [job for job in table.ruya() if table.estimates[job.name] == table.estimates[job.name]]
    needs = [max(float(table.estimates[job.name]), FLAT_GB) for job in known]
    estimates: dict[str, Callable[[int], float]] = {
        "as estimated": lambda place: needs[place],
        "twice as much": lambda place: 2 * needs[place],
        "half as much": lambda place: needs[place] / 2,
        "that of another job": lambda place: needs[(place + 5) % len(needs)],
    }
    for world in WORLDS[:2]:
        plain = totals(table.search(known, world), world.expected_runs)
        line(f"{world.name}: total of {len(known)} jobs without an estimate of memory", plain)
        for name, estimate in estimates.items():
            told = [replace(job, needs_gb=estimate(place)) for place, job in enumerate(known)]
            total = totals(table.search(told, world), world.expected_runs)
            _, high = line(f"{world.name}: total with the memory {name}, less without", paired(total, plain))
            if name == "as estimated":
                yield Target(f"{world.name}: upper end of the total with Ruya's estimates less without", high, 0)


def main() -> None:
    """Measure all, and print figures beside their bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=10, help="searches of each job and rule")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", choices=("all", "half", "other-half"), default="all", help="half: every other name")
    parser.add_argument(
        "--parts", nargs="+", choices=("worlds", "until", "memory"), default=("worlds", "until", "memory")
    )
    options = parser.parse_args()
    part = {"all": slice(None), "half": slice(0, None, 2), "other-half": slice(1, None, 2)}[options.jobs]
    table = Table(options.table, part, range(options.first_seed, options.first_seed + options.seeds))
    parts = {"worlds": worlds, "until": runs_until, "memory": memory}
    finish([target for name in options.parts for target in parts[name](table)], seeds=options.seeds)


if __name__ == "__main__":
    try:
        main()
    except FlowerexpError as problem:
        sys.exit(f"search_targets: {problem}")
