"""Replay a table of cluster runtimes through the search: `python benchmarks/cluster_search.py TABLE.csv [--seeds 20]`.

The table has a row for each job and cluster: job, machine_type, nodes, runtime_s, cost_usd; and if it likes config_id,
vcpus and mem_gb (of a node), usd_h_node, completed, cpu_class and disk_class. Each method searches each job with each
seed, and is judged by what its winner costs in the table, against the cheapest cluster of the job.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from flowerexp.errors import DataError, FlowerexpError
from flowerexp.search import ALIKE, Candidate, Observation, Rule, Search, SearchSettings, Shape, Status, Stop

NEEDED = ("job", "machine_type", "nodes", "runtime_s", "cost_usd")


PARTS = {"all": slice(None), "half": slice(0, None, 2), "other half": slice(1, None, 2)}
"""The constants of our rule were chosen on half of the jobs of scout.csv, by name; the other half is the check."""

RESAMPLED = 1000
"""Bootstrap samples of jobs, and of the seeds of each, for the interval of a total."""

HEADS = ("p(opt)", "p(ok)", "mean", "median", "p90", "runs", "spend", "total")
OURS = "ours (saving)"
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Run:
    """What one cluster came to, in the table."""

    candidate: Candidate
    machine_type: str
    seconds: float
    cost: float
    completed: bool


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


def searched(job: Job, settings: SearchSettings, noise: float) -> Outcome:
    """Replay a job through the search, as the live sweep asks and tells it."""
    factors = _noise(job, settings.seed, noise)
    search = Search([run.candidate for run in job.runs], settings)
    runs = {run.candidate.name: (run, factor) for run, factor in zip(job.runs, factors, strict=True)}
    spend, cpu = 0.0, [time.process_time()]
    while True:
        step = search.suggest()
        cpu[-1] = time.process_time() - cpu[-1]
        if isinstance(step, Stop):
            break
        run, factor = runs[step.candidate.name]
        cost, seconds, limit = run.cost * factor, run.seconds * factor, step.limits.usd
        status = Status.FINISHED if run.completed else Status.FAILED
        if limit is not None and cost > limit:
            cost, seconds, status = limit, seconds * limit / cost, Status.ABORTED
        search.tell(step.candidate, Observation(status, cost, seconds))
        spend += cost
        cpu.append(time.process_time())
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


def read(path: Path, failures: bool) -> dict[str, list[Run]]:
    """The table by job.

    Raises:
        DataError: a column is missing, or nothing is left.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a CSV file") from error
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}", hint=f"it needs {', '.join(NEEDED)}")
    if "completed" not in table:
        table["completed"] = True
    table["completed"] = table["completed"].astype(str).str.strip().str.lower().isin(("true", "1", "1.0", "yes"))
    jobs: dict[str, list[Run]] = {}
    for row in table.to_dict("records"):
        run = _run({str(name): value for name, value in row.items()})
        if run is not None and (run.completed or failures):
            jobs.setdefault(str(row["job"]), []).append(run)
    jobs = {name: _distinct(runs) for name, runs in jobs.items()}
    jobs = {name: runs for name, runs in sorted(jobs.items()) if sum(run.completed for run in runs) > 1}
    if not jobs:
        raise DataError(f"{path} has no job with two completed runs")
    return jobs


def _run(row: dict[str, object]) -> Run | None:
    """A row, or None if it says nothing: no cost, no time, no nodes."""

    def number(name: str) -> float | None:
        value = pd.to_numeric(row.get(name), errors="coerce")  # type: ignore[call-overload]
        return float(value) if pd.notna(value) and value > 0 else None

    def text(name: str) -> str:
        return str(row[name]) if pd.notna(row.get(name)) else ""  # type: ignore[call-overload]

    cost, seconds, nodes, kind = number("cost_usd"), number("runtime_s"), number("nodes"), text("machine_type")
    if cost is None or seconds is None or nodes is None:
        return None
    each = number("usd_h_node")
    price = each * nodes if each is not None else cost / seconds * 3600
    family = re.split(r"[.\-]", kind)[0]
    shape = Shape(
        number("vcpus") or 1.0, number("mem_gb") or 1.0, nodes, text("cpu_class") or family, text("disk_class")
    )
    name = text("config_id") or f"{nodes:g}x{kind} {text('disk_class')}".strip()
    return Run(Candidate(name, shape, price), kind, seconds, cost, bool(row["completed"]))


def _distinct(runs: list[Run]) -> list[Run]:
    """One run for each cluster: of repeated ones the one of median cost, a completed one if there is any."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.candidate.name, []).append(run)
    kept = []
    for group in groups.values():
        some = [run for run in group if run.completed] or group
        kept.append(sorted(some, key=lambda run: run.cost)[(len(some) - 1) // 2])
    return kept


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


def interval(outcomes: Sequence[Sequence[Outcome]], expected_runs: float) -> tuple[float, float]:
    """The 95 % interval of a method's total, by resampling jobs and the seeds of each.

    Args:
        outcomes: by job and seed; those without a winner are left out.
        expected_runs: by which a total spreads what the search spends.
    """
    rng = np.random.default_rng(0)
    each = [[one.ratio + one.spend / expected_runs for one in some if one.ratio is not None] for some in outcomes]
    totals = [np.array(some) for some in each if some]
    if not totals:
        return float("inf"), float("inf")
    drawn = [
        np.mean(
            [rng.choice(totals[job], len(totals[job])).mean() for job in rng.integers(len(totals), size=len(totals))]
        )
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
            low, high = interval(outcomes[parts[part]], options.expected_runs)
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
