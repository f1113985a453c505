"""Runs side by side: which ones repeat each other, whether they can be compared, and the ratios of the sides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from flowerexp.analysis.compare import Ratio, comparable, ratios
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.errors import ConfigError, DataError
from flowerexp.experiment import Experiment
from flowerexp.lookup.saved import SavedRun

Side = Sequence[SavedRun]
"""A run, or several that repeat it."""


@dataclass(frozen=True)
class Comparison:
    """Some sides, the first of which is the base.

    Attributes:
        sides: the sides.
        reasons: why they cannot be compared; none if they can.
    """

    sides: Sequence[Side]
    reasons: Sequence[str] = ()

    @cached_property
    def measured(self) -> list[list[ComparedRun]]:
        """The runs of each side, with their measurements."""
        return [[measured(run) for run in side] for side in self.sides]

    @cached_property
    def ratios(self) -> list[list[Ratio]]:
        """The ratios of each side but the base, a series at a time; none where sides cannot be compared."""
        if self.reasons:
            return []
        base, *others = self.measured
        return [ratios(base, other, len(others)) for other in others]

    @property
    def experiment(self) -> Experiment:
        """What was measured."""
        return self.sides[0][0].config.entrypoint

    @property
    def runs(self) -> list[SavedRun]:
        """All runs."""
        return [run for side in self.sides for run in side]


def compared(runs: Sequence[SavedRun]) -> Comparison:
    """Compare runs with the first one; those that repeat each other are one side.

    Raises:
        ConfigError: a run is given twice, or there is only one.
        DataError: they cannot be compared.
    """
    if len(runs) < 2:
        problem = "a comparison needs two runs, and one is given"
        raise ConfigError(problem, where="command line", hint="name two runs, or a sweep to rank its settings")
    ids = [run.run_id or run.short_id for run in runs]
    twice = next((run for place, run in enumerate(runs) if ids[place] in ids[:place]), None)
    if twice:
        raise ConfigError(f"run {twice.short_id} is given twice", where="command line", hint="name another one")
    for other in runs[1:]:
        if reasons := why_not(runs[0], other):
            problem = f"runs {runs[0].short_id} and {other.short_id} cannot be compared: {'; '.join(reasons)}"
            raise DataError(problem, hint="compare runs over the same data, grid and target size")
    return Comparison(grouped(runs))


def why_not(base: SavedRun, other: SavedRun) -> list[str]:
    """Why two runs cannot be compared; nothing where they can."""
    return comparable(measured(base), measured(other))


def measured(run: SavedRun) -> ComparedRun:
    """A run with its measurements, as it is compared."""
    kept = (run.short_id, run.config, run.measurements, run.facts, run.phases, run.error, run.verdict)
    return ComparedRun(*kept, sweep=run.tags.get("sweep_id"))


def grouped(runs: Sequence[SavedRun]) -> list[Side]:
    """Put runs that repeat each other on one side: the same choices, made with the same things.

    Where that leaves one side only, each run is a side of its own.
    """
    from flowerexp.tracking.drift import made_with

    sides: dict[str, list[SavedRun]] = {}
    for run in runs:
        params = {key: value for key, value in run.choices.items() if key != "repeat"}
        sides.setdefault(json.dumps([params, made_with(run.tags)], sort_keys=True), []).append(run)
    return list(sides.values()) if len(sides) > 1 else [[run] for run in runs]
