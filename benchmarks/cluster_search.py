"""Replay a table of cluster runtimes through the search: `python benchmarks/cluster_search.py TABLE.csv [--seeds 20]`.

The table is as `cluster_runtimes.py` reads it. Each method searches each job with each seed, and is judged by what its
winner costs in the table, against the cheapest cluster of the job.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cluster_runtimes import Run, read

from flowerexp.errors import FlowerexpError
from flowerexp.search import ALIKE, Observation, Rule, Search, SearchSettings, Status, Stop

PARTS = {"all": slice(None), "half": slice(0, None, 2), "other half": slice(1, None, 2)}
"""The constants of our rule were chosen on half of the jobs of scout.csv, by name; the other half is the check."""

RESAMPLED = 1000
"""Bootstrap samples of jobs, and of the seeds of each, for the interval of a total."""

HEADS = ("p(opt)", "p(ok)", "mean", "median", "p90", "runs", "spend", "total")
OURS = "ours (saving)"
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Outcome:
    """What one search came to."""

    ratio: float | None  # the winner's cost in the table over the optimum; None without a winner that is allowed
    runs: int
    spend: float  # in runs on the optimum
    sure: float | None = None  # the probability it gave its winner
    cpu: Sequence[float] = ()  # CPU seconds of each decision


@dataclass(frozen=True)
class Job:
    """A job of the table, and what is asked of its winner."""

    name: str
    runs: Sequence[Run]
    max_seconds: float | None
    needs_gb: float | None = None  # an estimate of the memory that it needs

    def allowed(self, run: Run) -> bool:
        """Whether a run finished, in time."""
        return run.completed and (self.max_seconds is None or run.seconds <= self.max_seconds)

    @property
    def optimum(self) -> float:
        """The cost of the cheapest allowed run."""
        return min(run.cost for run in self.runs if self.allowed(run))

    def outcome(
        self, winner: str | None, runs: int, spend: float, sure: float | None = None, cpu: Sequence[float] = ()
    ) -> Outcome:
        """Judge a search by the table."""
        found = next((run for run in self.runs if run.candidate.name == winner), None)
        ratio = found.cost / self.optimum if found is not None and self.allowed(found) else None
        return Outcome(ratio, runs, spend / self.optimum, sure, cpu)


Method = Callable[[Job, SearchSettings, float], Outcome]


def replayed(
    job: Job, search: Search, noise: float, cpu: list[float] | None = None
) -> Iterator[tuple[Run, Observation]]:
    """Replay a job through a search, as the live sweep asks and tells it: each run and what was told of it.

    Args:
        job: the job.
        search: the search, which knows nothing yet.
        noise: of each run, see `_noise`.
        cpu: takes the CPU seconds of each decision.
    """
    factors = _noise(job, search.settings.seed, noise)
    runs = {run.candidate.name: (run, factor) for run, factor in zip(job.runs, factors, strict=True)}
    while True:
        began = time.process_time()
        step = search.suggest()
        if cpu is not None:
            cpu.append(time.process_time() - began)
        if isinstance(step, Stop):
            return
        run, factor = runs[step.candidate.name]
        cost, seconds, limit = run.cost * factor, run.seconds * factor, step.limits.usd
        status = Status.FINISHED if run.completed else Status.FAILED
        if limit is not None and cost > limit:
            cost, seconds, status = limit, seconds * limit / cost, Status.ABORTED
        seen = Observation(status, cost, seconds)
        search.tell(step.candidate, seen)
        yield run, seen


def searched(job: Job, settings: SearchSettings, noise: float) -> Outcome:
    """What a search of a job comes to."""
    search, cpu = Search([run.candidate for run in job.runs], settings), list[float]()
    search.expect_memory(job.needs_gb)
    spend = sum(seen.cost or 0.0 for _, seen in replayed(job, search, noise, cpu))
    winner = search.best()
    ours = settings.rule is Rule.SAVING
    sure = search.recommendation().probability_best if ours else None
    return job.outcome(winner[0].name if winner else None, len(cpu) - 1, spend, sure, cpu)


def tpe(job: Job, settings: SearchSettings, noise: float) -> Outcome:
    """Optuna's tree of Parzen estimators over machine type and number of nodes; what it repeats costs nothing."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    types = sorted({run.machine_type for run in job.runs})
    by_type = {kind: sorted((r for r in job.runs if r.machine_type == kind), key=lambda r: r.candidate.shape.nodes)
               for kind in types}  # fmt: skip
    factor = dict(zip([run.candidate.name for run in job.runs], _noise(job, settings.seed, noise), strict=True))
    worst = max(run.cost for run in job.runs) * 2
    seen: dict[str, tuple[float, Run]] = {}

    def objective(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("machine_type", types)
        sizes = by_type[kind]
        run = sizes[trial.suggest_int(f"nodes of {kind}", 0, len(sizes) - 1)]
        cost = run.cost * factor[run.candidate.name]
        seen[run.candidate.name] = (cost, run)
        slow = job.max_seconds is not None and run.seconds * factor[run.candidate.name] > job.max_seconds
        return cost if run.completed and not slow else worst

    sampler = optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=3)
    study = optuna.create_study(sampler=sampler)
    for _ in range(10 * settings.max_runs):
        if len(seen) >= min(settings.max_runs, len(job.runs)):
            break
        study.optimize(objective, n_trials=1)
    limit = job.max_seconds or float("inf")
    kept = [(c, r) for c, r in seen.values() if r.completed and r.seconds * factor[r.candidate.name] <= limit]
    winner = min(kept, key=lambda pair: pair[0])[1].candidate.name if kept else None
    return job.outcome(winner, len(seen), sum(cost for cost, _ in seen.values()))


def _noise(job: Job, seed: int, noise: float) -> np.ndarray:
    """A factor for each run, drawn once a seed: all methods see the same world."""
    return np.exp(noise * np.random.default_rng([seed, 7]).standard_normal(len(job.runs)))


def methods(settings: SearchSettings, size: int) -> Iterator[tuple[str, Method, SearchSettings]]:
    """The methods that are compared."""
    yield OURS, searched, settings
    yield "cherrypick", searched, replace(settings, rule=Rule.CHERRYPICK)
    for count in (6, 14, 28):
        yield f"random {count}", searched, replace(settings, rule=Rule.RANDOM, max_runs=count)
    yield "exhaustive", searched, replace(settings, rule=Rule.EXHAUSTIVE)
    for count in (8, 14):
        yield f"TPE {count}", tpe, replace(settings, max_runs=min(count, size))


def summary(outcomes: Sequence[Outcome], expected_runs: float) -> Figures:
    """The figures of a method; a search without an allowed winner counts in the probabilities and the percentile."""
    found = [outcome.ratio for outcome in outcomes if outcome.ratio is not None]
    all_found = sorted(found + [float("inf")] * (len(outcomes) - len(found)))
    spend = statistics.fmean(outcome.spend for outcome in outcomes)
    mean = statistics.fmean(found) if found else float("inf")
    times = [each for outcome in outcomes for each in outcome.cpu]
    sure = [(o.sure, float(o.ratio is not None and o.ratio * (1 - ALIKE) <= 1)) for o in outcomes if o.sure is not None]
    return {
        "p_optimum": sum(ratio < 1 + 1e-9 for ratio in found) / len(outcomes),
        "p_allowed": len(found) / len(outcomes),
        "mean": mean,
        "median": statistics.median(all_found),
        "p90": float(np.quantile(all_found, 0.9, method="inverted_cdf")),
        "runs": statistics.fmean(outcome.runs for outcome in outcomes),
        "spend": spend,
        "total": mean + spend / expected_runs,
        "was_sure": statistics.fmean(was for _, was in sure) if sure else None,
        "said_sure": statistics.fmean(said for said, _ in sure) if sure else None,
        "cpu_ms_a_decision": 1000 * statistics.fmean(times) if times else None,
        "cpu_ms_median": 1000 * statistics.median(times) if times else None,
        "cpu_ms_99th_percentile": 1000 * float(np.quantile(times, 0.99)) if times else None,
    }


def totals(outcomes: Sequence[Sequence[Outcome]], expected_runs: float) -> list[list[float]]:
    """The total of each search, by job and seed; infinite without a winner."""
    return [[(one.ratio or float("inf")) + one.spend / expected_runs for one in some] for some in outcomes]


def interval(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95 % interval of a mean, by resampling jobs and the seeds of each.

    Args:
        values: by job and seed; those that are not finite are left out.
    """
    rng = np.random.default_rng(0)
    finite = [np.array([value for value in some if np.isfinite(value)]) for some in values]
    jobs = [some for some in finite if len(some)]
    if not jobs:
        return float("inf"), float("inf")
    drawn = [
        np.mean([rng.choice(jobs[job], len(jobs[job])).mean() for job in rng.integers(len(jobs), size=len(jobs))])
        for _ in range(RESAMPLED)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=20, help="searches of each job and method")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", type=int, default=3, help="sets of the model's draws, which the seeds take in turn")
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation of the log of a run's own factor")
    parser.add_argument("--expected-runs", type=float, default=SearchSettings.expected_runs)
    parser.add_argument("--max-seconds", help="'median' of each job's runtimes, or a number")
    parser.add_argument(
        "--with-failures", action="store_true", help="clusters that did not complete are candidates too"
    )
    parser.add_argument("--jobs", choices=("all", "half", "other-half"), default="all", help="half: every other name")
    parser.add_argument("--methods", default="", help="only those whose names contain this")
    parser.add_argument("--json", type=Path, help="where to write the figures; they are also printed last")
    return parser.parse_args()


def _jobs(options: argparse.Namespace) -> list[Job]:
    jobs = list(read(options.table, options.with_failures).items())
    jobs = {"all": jobs, "half": jobs[::2], "other-half": jobs[1::2]}[options.jobs]
    chosen = []
    for name, runs in jobs:
        limit = options.max_seconds
        if limit == "median":
            limit = statistics.median(run.seconds for run in runs if run.completed)
        job = Job(name, runs, None if limit is None else float(limit))
        if any(job.allowed(run) for run in runs):
            chosen.append(job)
    return chosen


def _compare(options: argparse.Namespace, jobs: Sequence[Job]) -> dict[str, dict[str, Figures]]:
    """The figures of each method by part of the jobs; prints a line as soon as it is known."""
    print(f"{'method':16}" + "".join(f"{head:>8}" for head in HEADS) + "  95 % of total", flush=True)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    base = SearchSettings(expected_runs=options.expected_runs)
    figures: dict[str, dict[str, Figures]] = {}
    for name, method, settings in methods(base, max(len(job.runs) for job in jobs)):
        if options.methods not in name:
            continue
        drawn = seeds if name != "exhaustive" or options.noise else seeds[:1]
        outcomes = [
            [
                method(
                    job,
                    replace(settings, seed=seed, draws=seed % options.sets, max_seconds=job.max_seconds),
                    options.noise,
                )
                for seed in drawn
            ]
            for job in jobs
        ]
        parts = PARTS if options.jobs == "all" and len(jobs) > 1 else {"all": slice(None)}
        figures[name] = {
            part: summary([one for each in outcomes[cut] for one in each], options.expected_runs)
            for part, cut in parts.items()
        }
        for part in parts if name == OURS else ("all",):
            shown = list(figures[name][part].values())[: len(HEADS)]
            label = name if part == "all" else f"  {part}"
            low, high = interval(totals(outcomes[parts[part]], options.expected_runs))
            figures[name][part] |= {"total_low": low, "total_high": high}
            print(
                f"{label:16}" + "".join(f"{value:8.3f}" for value in shown) + f"  {low:.3f} to {high:.3f}", flush=True
            )
    return figures


def main() -> None:
    """Replay all jobs with all methods and seeds, and print the table."""
    options = _options()
    warnings.filterwarnings("ignore", module="optuna")
    jobs = _jobs(options)
    sizes = [len(job.runs) for job in jobs]
    print(
        f"{len(jobs)} jobs of {min(sizes)} to {max(sizes)} clusters, {options.seeds} seeds from {options.first_seed}\n"
    )
    figures = _compare(options, jobs)
    result = json.dumps({"options": {name: str(value) for name, value in vars(options).items()}, "methods": figures})
    if options.json:
        options.json.write_text(result + "\n")
    print("\n" + result)


if __name__ == "__main__":
    try:
        main()
    except FlowerexpError as problem:
        sys.exit(f"cluster_search: {problem}")
