"""What a module about one experiment may add to the analysis; here it adds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun
    from flowerexp.analysis.conclusions.evidence import Evidence
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements


class Extras:
    """The additions for one experiment; each module here has one as its `EXTRAS`.

    Attributes:
        columns: columns of its rows that say how something was measured, and are not results.
        texts: columns of text that its report reads.
        facts: facts of its runs that a report lists.
        questions: by config key, the question of a sweep that varies it, without a question mark.
        curves: columns that MLflow draws as lines over the parts of a measurement, where each is a row of its own.
    """

    columns: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    questions: Mapping[str, str] = {}
    curves: tuple[str, ...] = ()

    def doubts(self, first: Measurements) -> list[str]:
        """Why its measurements are suspect, a sentence for each reason.

        Args:
            first: the first executions.
        """
        return []

    def data(self, facts: Mapping[str, Any]) -> str | None:
        """The data that a run was measured on, in a few words.

        Args:
            facts: the run's.
        """
        return None

    def metrics(self, measurements: Measurements) -> dict[str, float]:
        """Further numbers of a run that MLflow gets, by name; what stands before ``/`` is their section.

        Args:
            measurements: of all executions.
        """
        return {}

    def draw(self, measurements: Measurements, attached: Path, folder: Path) -> list[Path]:
        """Draw further pictures of a run; returns the files.

        Args:
            measurements: of all executions.
            attached: the folder with the files that the run attached.
            folder: where the pictures go.
        """
        return []

    def compared(self, sides: Sequence[Sequence[ComparedRun]]) -> list[list[str]]:
        """A further table of a comparison: its head, and its lines; nothing for none.

        Args:
            sides: the runs of each side.
        """
        return []

    def may_differ(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> set[str]:
        """The config keys, with dots, in which two runs that are compared may differ; `data` means their data.

        Args:
            a: a run.
            b: another one.
            series: those that both have.
        """
        return set()

    def conditions(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> Iterable[tuple[str, Any, Any]]:
        """What else must be equal in runs that are compared: its name, and its value in each run.

        Args:
            a: a run.
            b: another one.
            series: those that both have.
        """
        return ()

    def decision(
        self, evidence: Evidence, varied: Mapping[str, str], facts: Sequence[Mapping[str, Any]], margin: float
    ) -> Sequence[str]:
        """The answer to the experiment's question, where more can be said than which factor changes what.

        Args:
            evidence: of valid runs.
            varied: the config keys that a sweep varies, with their labels.
            facts: of each run.
            margin: the share by which results may differ without a difference that matters.

        Returns:
            Paragraphs; none if the sentences about each factor say all.
        """
        return ()

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """What a report says in addition to what it says about every experiment.

        Args:
            material: what the report is made of.
            some: timed measurements, of which there may be a sample only.
        """
        return (), ()
