"""Which clusters are hopeless by a smoke run: one on a small share of the data, before the search.

A smoke run is mostly start and overhead, which do not grow with the data, so it says little about how much better one
cluster is than another, and nothing is predicted from it: it only rules out what is far behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowerexp.search.candidate import Candidate
from flowerexp.search.trials import Objective, SearchSettings, Status

TOO_MUCH = 5.0
"""A cluster is hopeless if its smoke run came to more than this multiple of another's.

Chosen on scout.csv, whose nine jobs each ran on two sizes of data, one half of the other where that is recorded. With
the smaller taken for the smoke run, 5 is the least whole number that drops no cluster within 1.25 times the best on the
larger, both for dollars and for seconds (4 drops some of 1.17 and 1.12 times the best). All nine were used, so nothing
is left to check it on; and 2 % of the data lies farther from all of it than half does."""

SLOWER = 1.25
"""A dear cluster is hopeless only if its smoke run also took longer than the cheap one's, by this factor: where
overhead is all there is, smoke runs take equally long everywhere and cost what the clusters' prices say, although on
all of the data a large cluster may well pay. A choice: what repeats of one short run may differ by."""

JITTER = 10.0
"""Seconds by which a smoke run must be behind another in any case: of short ones, much is chance. A choice."""

FAILURES = 3
"""If the first so many smoke runs all fail, the fault is likelier theirs than that of so many clusters. A choice."""


@dataclass(frozen=True)
class SmokeRun:
    """How a smoke run ended on a candidate; one that is `prior` was known before, and is no part of what is spent."""

    candidate: Candidate
    status: Status
    seconds: float | None = None
    error: str = ""
    prior: bool = False

    @property
    def usd(self) -> float | None:
        """What it came to, at its cluster's price; None where nobody knows."""
        price = self.candidate.usd_per_hour
        return None if price is None or self.seconds is None else self.seconds * price / 3600


@dataclass(frozen=True)
class Bound:
    """The seconds after which a smoke run shows that its cluster is hopeless, and why it would be."""

    seconds: float
    reason: str


def bound(candidate: Candidate, seen: Sequence[SmokeRun], settings: SearchSettings) -> Bound | None:
    """How long a smoke run may take; None for as long as it likes.

    A run on all of the data takes no less than a smoke run, which is all that is said about the constraints: most of a
    smoke run does not grow with the data, so that to multiply its time would rule out clusters that keep to them.

    Args:
        candidate: where it runs.
        seen: the smoke runs so far; those that finished are what it is compared with.
        settings: what is searched for.
    """
    bounds = []
    for one in seen:
        if one.status is Status.FINISHED and one.seconds is not None and one.candidate != candidate:
            seconds = max(one.seconds * _factor(candidate, one.candidate, settings), one.seconds + JITTER)
            bounds.append(Bound(seconds, _behind(one, settings)))
    if settings.max_seconds is not None:
        bounds.append(Bound(settings.max_seconds, f"alone takes longer than max_seconds={settings.max_seconds:g}"))
    if settings.max_usd is not None and candidate.usd_per_hour is not None:
        seconds = settings.max_usd / candidate.usd_per_hour * 3600
        bounds.append(Bound(seconds, f"alone costs more than max_usd={settings.max_usd:g}"))
    return min(bounds, key=lambda one: one.seconds, default=None)


def hopeless(seen: Mapping[str, SmokeRun], settings: SearchSettings) -> dict[str, str]:
    """The candidates that are to be left out.

    What failed is left out if any other finished; if none did, the fault may be that of the smoke runs.

    Args:
        seen: the smoke runs by their candidates' names; those that were refused a cluster say nothing here.
        settings: what is searched for.

    Returns:
        The reason of each, by its name.
    """
    runs = list(seen.values())
    any_finished = any(one.status is Status.FINISHED for one in runs)
    out = {}
    for name, one in seen.items():
        limit = bound(one.candidate, runs, settings)
        if one.status is Status.FAILED and any_finished:
            out[name] = f"its smoke run failed: {one.error or 'nobody knows why'}"
        elif one.status is Status.ABORTED:
            out[name] = f"its smoke run {one.error}"
        elif one.status is Status.FINISHED and limit and one.seconds is not None and one.seconds > limit.seconds:
            out[name] = f"its smoke run {limit.reason}"
    return out


def in_vain(seen: Sequence[SmokeRun]) -> bool:
    """Do the smoke runs themselves fail, rather than one cluster or another?"""
    ran = [one.status for one in seen if one.status.ran]
    return len(ran) >= FAILURES and set(ran) == {Status.FAILED}


def _factor(candidate: Candidate, other: Candidate, settings: SearchSettings) -> float:
    """How many times the seconds of another's smoke run make this one hopeless.

    It must be `TOO_MUCH` in what is searched for. Where something else counts as well, it must be behind in that, too:
    else the other may be the one that breaks a constraint.
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
