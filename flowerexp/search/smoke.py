"""Which clusters do smoke runs rule out? A smoke run uses a small share of the data, before the search.

It is mostly start-up and overhead, which do not grow with the data, so it says little about how much better one cluster
is than another. No time is predicted from it; it rules out clusters that are far behind, and estimates the memory that
all of the data needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from flowerexp.search.candidate import Candidate
from flowerexp.search.trials import Objective, SearchSettings, Status

TOO_MUCH = 5.0
"""A cluster is ruled out if its smoke run took or cost more than this multiple of another's.

Chosen on scout.csv, whose nine jobs each ran on two sizes of data, one half of the other where that is recorded. With
the smaller size as the smoke run, 5 is the smallest whole number that drops no cluster within 1.25 times the best on
the larger, for dollars and for seconds (4 drops some at 1.17 and 1.12 times the best). All nine jobs were used, so none
is left to check it on; and a smoke run on 2 % of the data is less like the whole run than one on half of it."""

SLOWER = 1.25
"""An expensive cluster is ruled out only if its smoke run also took longer than the cheap one's, by this factor. Where
smoke runs are all overhead, they take equally long everywhere and differ only by the clusters' prices, although a large
cluster may pay off on all of the data. The value is a choice: repeats of a short run may differ by this much."""

JITTER = 10.0
"""Seconds by which a smoke run must be slower than another in any case: short runs vary by chance. A choice."""

FAILURES = 3
"""If this many smoke runs fail first, the smoke runs are probably at fault, not the clusters. A choice."""


@dataclass(frozen=True)
class SmokeRun:
    """How a smoke run on a candidate ended; a `prior` one was known before, and does not count as spent."""

    candidate: Candidate
    status: Status
    seconds: float | None = None
    error: str = ""
    prior: bool = False
    needs_gb: float | None = None  # the memory that all of the data should need, by what this run used

    @property
    def usd(self) -> float | None:
        """Its cost in dollars at its cluster's price; None if that is unknown."""
        price = self.candidate.usd_per_hour
        return None if price is None or self.seconds is None else self.seconds * price / 3600


@dataclass(frozen=True)
class Bound:
    """The seconds after which a smoke run rules its cluster out, and the reason."""

    seconds: float
    reason: str


def bound(candidate: Candidate, seen: Sequence[SmokeRun], settings: SearchSettings) -> Bound | None:
    """How long a smoke run may take; None without a limit.

    A run on all of the data takes at least as long as a smoke run, so a smoke run must keep to the constraints itself.
    Its time is not multiplied: most of it does not grow with the data, and clusters that keep to them would be ruled
    out.

    Args:
        candidate: where it runs.
        seen: the smoke runs so far; those that finished are what it is compared with.
        settings: what is searched for.
    """
    bounds = []
    for run in seen:
        if run.status is Status.FINISHED and run.seconds is not None and run.candidate != candidate:
            seconds = max(run.seconds * _factor(candidate, run.candidate, settings), run.seconds + JITTER)
            bounds.append(Bound(seconds, _behind(run, settings)))
    if settings.max_seconds is not None:
        bounds.append(Bound(settings.max_seconds, f"alone takes longer than max_seconds={settings.max_seconds:g}"))
    if settings.max_usd is not None and candidate.usd_per_hour is not None:
        seconds = settings.max_usd / candidate.usd_per_hour * 3600
        bounds.append(Bound(seconds, f"alone costs more than max_usd={settings.max_usd:g}"))
    return min(bounds, key=lambda each: each.seconds, default=None)


def hopeless(seen: Mapping[str, SmokeRun], settings: SearchSettings) -> dict[str, str]:
    """The candidates to leave out.

    One whose smoke run failed is left out if another one finished; if none did, the smoke runs may be at fault.

    Args:
        seen: the smoke runs by their candidates' names; those that were refused a cluster say nothing here.
        settings: what is searched for.

    Returns:
        The reason for each, by its name.
    """
    runs = list(seen.values())
    any_finished = any(run.status is Status.FINISHED for run in runs)
    reasons = {}
    for name, run in seen.items():
        limit = bound(run.candidate, runs, settings)
        if run.status is Status.FAILED and any_finished:
            reasons[name] = f"its smoke run failed: {run.error or 'unknown cause'}"
        elif run.status is Status.ABORTED:
            reasons[name] = f"its smoke run {run.error}"
        elif run.status is Status.FINISHED and limit and run.seconds is not None and run.seconds > limit.seconds:
            reasons[name] = f"its smoke run {limit.reason}"
    return reasons


def in_vain(seen: Sequence[SmokeRun]) -> bool:
    """Whether the smoke runs themselves are at fault, rather than single clusters."""
    ran = [run.status for run in seen if run.status.ran]
    return len(ran) >= FAILURES and set(ran) == {Status.FAILED}


def needed_memory(seen: Sequence[SmokeRun]) -> float | None:
    """The memory in GB that all of the data should need on all nodes together: the median of what each run says.

    Args:
        seen: the smoke runs; None is said where none that finished knows.
    """
    said = [run.needs_gb for run in seen if run.status is Status.FINISHED and run.needs_gb is not None]
    return median(said) if said else None


def _factor(candidate: Candidate, other: Candidate, settings: SearchSettings) -> float:
    """The multiple of another's smoke run in seconds that rules this candidate out.

    It must be `TOO_MUCH` by the objective. Where a constraint limits something else, it must be worse in that, too:
    otherwise the other candidate may be the one that breaks the constraint.
    """
    prices = candidate.usd_per_hour, other.usd_per_hour
    cheaper = prices[1] / prices[0] if prices[0] and prices[1] else 1.0
    if settings.objective is Objective.COST:
        return max(TOO_MUCH * cheaper, SLOWER)
    return max(TOO_MUCH, SLOWER * cheaper) if settings.max_usd is not None else TOO_MUCH


def _behind(other: SmokeRun, settings: SearchSettings) -> str:
    if settings.objective is Objective.COST:
        return f"took longer than that of {other.candidate.name}, and cost more than {TOO_MUCH:g} times as much"
    return f"took more than {TOO_MUCH:g} times as long as that of {other.candidate.name}"
