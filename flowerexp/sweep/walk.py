"""How the runs of a sweep are walked: all of them, one after the other, or by a strategy that chooses among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flowerexp.plan import PlannedRun
from flowerexp.sweep.budget import check_budget

if TYPE_CHECKING:
    from flowerexp.orchestrate import Result
    from flowerexp.sweep.compose import Composer
    from flowerexp.sweep.pending import Pending
    from flowerexp.sweep.run import Sweep

Deliver = Callable[["Result"], None]


class Walk(Protocol):
    """A strategy.

    Attributes:
        chooses: whether it chooses which runs to make, and learns from how they end. Then a run that fails is an
            answer, too, a run's time counts as a whole, and runs that finished before are known and not made again.
    """

    chooses: bool

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """What the sweep's plan remembers of it, so that a resume goes on in the same way; None for a grid."""
        ...

    def composed(self, composer: Composer, overrides: Sequence[str]) -> Walk:
        """The strategy, once runs can be composed.

        Args:
            composer: of the sweep.
            overrides: those of one of its runs.

        Raises:
            ConfigError: the user's own config lacks what the strategy needs.
        """
        ...

    def refuse(self, runs: Sequence[PlannedRun]) -> None:
        """Refuse runs that cannot be walked in this way; only the configs are looked at, and nothing is written.

        Raises:
            ConfigError: they cannot.
        """
        ...

    def check(self, runs: Sequence[PlannedRun]) -> None:
        """Find what is wrong with the runs before anything is written.

        Raises:
            FlowerexpError: the first thing that is wrong.
        """
        ...

    def aside(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Further runs on the sweep's clusters, which the plan does not list."""
        ...

    def most_runs(self, runs: int) -> int:
        """How many runs are made at most, of the given number."""
        ...

    def side_by_side(self, max_clusters: int) -> int:
        """How many clusters work at once, within what the launcher allows."""
        ...

    def run(self, sweep: Sweep, deliver: Deliver, todo: Pending) -> None:
        """Make the runs, and close the sweep.

        Args:
            sweep: the sweep; its journal is held.
            deliver: called with each result.
            todo: what is still to be done.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped, and the command that goes on was shown.
            FlowerexpError: the sweep cannot go on; likewise.
        """
        ...


class Grid:
    """All runs, in the order of `sweep.order`."""

    chooses = False
    settings = None

    def composed(self, composer: Composer, overrides: Sequence[str]) -> Walk:
        """See `Walk.composed`."""
        return self

    def refuse(self, runs: Sequence[PlannedRun]) -> None:
        """See `Walk.refuse`: any runs make a grid."""

    def check(self, runs: Sequence[PlannedRun]) -> None:
        """See `Walk.check`."""
        from flowerexp.orchestrate.preflight import preflight_each  # a plan needs none of it

        preflight_each([run.config for run in runs])
        check_budget(runs)

    def aside(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """See `Walk.aside`: none."""
        return []

    def most_runs(self, runs: int) -> int:
        """See `Walk.most_runs`: all."""
        return runs

    def side_by_side(self, max_clusters: int) -> int:
        """See `Walk.side_by_side`."""
        return max_clusters

    def run(self, sweep: Sweep, deliver: Deliver, todo: Pending) -> None:
        """See `Walk.run`."""
        sweep.run(deliver, todo)
