"""What a sweep would cost, as far as that is known before it starts, and whether the budget allows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flowerexp import index
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.kind import kind_of
from flowerexp.config import key_of
from flowerexp.config.schema import Cluster, Quota
from flowerexp.errors import BudgetError, ConfigError
from flowerexp.plan import PlannedRun

_UNPRICED = "set budget.prices=live, or add it to a file that it names"


@dataclass(frozen=True)
class Expense:
    """What one cluster would cost.

    Attributes:
        cluster: its config.
        quota: the quota that its first run's config names.
        prices: those that it names.
        runs: how many runs the cluster carries.
        rate: what it costs in an hour; None where that is not known.
        unpriced: why it is not, in words.
        start: seconds that are paid for beside the runs, see `Kind.start_seconds`.
        seconds: what the runs take, as far as earlier runs show.
        unknown: how many runs take an unknown time.
    """

    cluster: Cluster
    quota: Quota
    prices: Prices
    runs: int
    rate: Rate | None
    unpriced: str
    start: float
    seconds: float
    unknown: int

    @property
    def usd(self) -> float | None:
        """US dollars; the least that it costs, where runs are of unknown length; None without a rate."""
        return None if self.rate is None else self.rate.usd(self.start + self.seconds)


def expenses(runs: Iterable[tuple[PlannedRun, float | None]]) -> list[Expense]:
    """What the clusters of a sweep would cost; each carries all runs that ask for it.

    Args:
        runs: each run, with the seconds that it will take, where earlier runs show that.

    Returns:
        One for each cluster, in the order in which they first appear.

    Raises:
        ConfigError: the user's own file of prices cannot be read.
    """
    groups: dict[str, list[tuple[PlannedRun, float | None]]] = {}
    for run, seconds in runs:
        groups.setdefault(key_of(run.config.cluster), []).append((run, seconds))
    return [_expense(group) for group in groups.values()]


def _expense(group: Sequence[tuple[PlannedRun, float | None]]) -> Expense:
    config = group[0][0].config
    prices = Prices.of(config.budget, config.cluster)
    kind = kind_of(config.cluster)
    known = [seconds for _, seconds in group if seconds is not None]
    unpriced = ""
    try:
        rate = kind.rate(prices)
    except ConfigError as error:
        rate, unpriced = None, error.problem
    start = kind.starts(len({run.config.entrypoint.script for run, _ in group})) * kind.start_seconds
    unknown = len(group) - len(known)
    return Expense(config.cluster, config.quota, prices, len(group), rate, unpriced, start, sum(known), unknown)


def total(found: Iterable[Expense]) -> float:
    """US dollars of all clusters together, as far as they are known."""
    return sum(expense.usd or 0.0 for expense in found)


def budget(runs: Iterable[PlannedRun]) -> float | None:
    """The budget of a sweep in US dollars: the smallest that one of its runs names; None without any."""
    named = [run.config.budget.usd for run in runs]
    return min((float(usd) for usd in named if usd is not None), default=None)


def over(found: Sequence[Expense], allowed: float | None) -> BudgetError | None:
    """The error that a sweep would exceed its budget, or that its cost is unknown; None if it may start."""
    if allowed is None:
        return None
    hint = "raise budget.usd, or take fewer runs or smaller clusters; flowerexp plan shows the parts"
    for expense in found:
        if expense.unpriced:
            problem = f"{expense.unpriced}: so it is unknown whether the sweep stays below ${allowed:,.2f}"
            return BudgetError(problem, where="budget.usd", hint=_UNPRICED)
    least, open_end = total(found), any(expense.unknown and expense.rate for expense in found)
    if least <= allowed:
        return None
    least_or_about = "at least" if open_end else "about"
    problem = f"this would cost {least_or_about} ${least:,.2f}, more than the budget of ${allowed:,.2f}"
    return BudgetError(problem, where="budget.usd", hint=hint)


def check_budget(runs: Sequence[PlannedRun]) -> None:
    """Refuse runs that would cost more than `budget.usd` allows, as far as earlier runs show how long they take.

    Args:
        runs: all of a sweep; those that are left out as finished cost nothing.

    Raises:
        BudgetError: they would, or a cluster's price is not known.
        ConfigError: the user's own file of prices cannot be read.
    """
    allowed = budget(runs)
    if allowed is None:
        return
    seen: dict[str, str | None] = {}
    left = []
    for run in runs:
        known = index.load(run.config)
        if run.config.skip_finished and known.find(run.run_key, index.current_fingerprint(run.config, seen)):
            continue
        left.append((run, known.estimate(run)))
    error = over(expenses(left), allowed)
    if error is not None:
        raise error
