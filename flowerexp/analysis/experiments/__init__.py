"""What the analysis says of one experiment alone: a module each, found by the experiment's name.

Everything else in `analysis` follows from an experiment's declaration. Deleting an experiment's module leaves a report
that says less, and nothing that breaks.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp.experiment import Experiment

if TYPE_CHECKING:
    from flowerexp.analysis.compare import Measured
    from flowerexp.analysis.report.gather import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements


class Extras:
    """What there is to say of an experiment that says nothing of its own; a module's `EXTRAS` says more.

    Attributes:
        columns: those of its rows that say how something was measured, and are no results of their own.
        texts: those of them that hold text which its report reads.
        facts: those of its runs that a report lists.
        questions: what a sweep asks that varies a config key, without a question mark.
    """

    columns: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    questions: Mapping[str, str] = {}

    def doubts(self, first: Measurements) -> list[str]:
        """Why its measurements are suspect, a sentence a reason.

        Args:
            first: the first executions.
        """
        return []

    def data(self, facts: Mapping[str, Any]) -> str | None:
        """What a run has measured on, in a few words.

        Args:
            facts: the run's.
        """
        return None

    def may_differ(self, a: Measured, b: Measured, series: set[str]) -> set[str]:
        """The config keys, with dots, in which two runs may differ that are compared; `data` stands for the data.

        Args:
            a: a run.
            b: another one.
            series: those that both have.
        """
        return set()

    def conditions(self, a: Measured, b: Measured, series: set[str]) -> Iterable[tuple[str, Any, Any]]:
        """What else has to be equal in runs that are compared: its name, and its value in each.

        Args:
            a: a run.
            b: another one.
            series: those that both have.
        """
        return ()

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """What a report says beside what it says of every experiment.

        Args:
            material: what the report is made of.
            some: timed measurements, of which there may be a sample only.
        """
        return (), ()


_NEUTRAL = Extras()


def extras_of(experiment: Experiment) -> Extras:
    """What only this experiment's module says."""
    name = f"{__name__}.{experiment.name}"
    if not experiment.name.isidentifier() or importlib.util.find_spec(name) is None:
        return _NEUTRAL
    found: Extras = getattr(importlib.import_module(name), "EXTRAS", _NEUTRAL)
    return found
