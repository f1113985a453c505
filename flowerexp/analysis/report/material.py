"""What a report is made of: the runs of a sweep, or one run, with their rows and what follows from them."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow

from flowerexp import index
from flowerexp.analysis import words
from flowerexp.analysis.event_log import EventLog, find_logs, read
from flowerexp.analysis.instability import STEADY, Instability, instability
from flowerexp.analysis.report.rows import no_rows, of_each_run, of_runs, read_rows, together, where
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.waiting import Span, with_waits
from flowerexp.config import Config
from flowerexp.config.places import flags_for
from flowerexp.errors import FlowerexpError
from flowerexp.experiment import Experiment, Parameter
from flowerexp.measurements.coded import Coded, joined, numbered
from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class Typed:
    """A command line.

    Attributes:
        overrides: without secrets.
        configs: the folder with the user's own configs.
        folder: the one in which it was typed.
    """

    overrides: Sequence[str] = ()
    configs: Path | None = None
    folder: Path = field(default_factory=Path)


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes:
        folder: the sweep's or the run's.
        is_sweep: whether it is a sweep's.
        runs: in the order of the sweep.
        typed: the command line.
        planned: the experiment of its first run, which may never have started.
        texts: the columns of text that the report reads.
        damage: the message about a damaged journal; None if it is whole.
    """

    folder: Path
    is_sweep: bool
    runs: Sequence[Run]
    typed: Typed
    planned: Experiment
    texts: tuple[str, ...]
    damage: str | None = None

    @property
    def other_data(self) -> str | None:
        """A message about runs that should have read the same data, and did not; None if there are none."""
        known = [(run, run.config) for run in self.measured if run.config]
        whole = [(run, config) for run, config in known if config.dataset and config.sampling]
        return index.other_data((run.name, config, run.facts.get("data_fingerprint")) for run, config in whole)

    @property
    def complaints(self) -> list[str]:
        """A message for each damaged file."""
        broken = [f"run {run.name}: {run.record['error']}" for run in self.runs if run.state == "damaged"]
        return [*([self.damage] if self.damage else []), *broken]

    @property
    def simulated(self) -> str | None:
        """A sentence about the simulated buckets that runs have read through; None if there is none."""
        paces = list(dict.fromkeys(run.simulated for run in self.measured))
        if not any(paces):
            return None
        which = "the bucket is" if None not in paces else "the bucket of some runs is"
        return f"{which} simulated: {'; or '.join(pace for pace in paces if pace)}"

    @property
    def varied(self) -> list[str]:
        """The keys that a sweep varies, without its repeats."""
        return [key for key in dict.fromkeys(key for run in self.runs for key in run.varied) if key != "repeat"]

    @property
    def measured(self) -> list[Run]:
        """The runs that have measurements."""
        return [run for run in self.runs if run.summary.get("groups")]

    @property
    def command(self) -> str:
        """The command that runs all of it again; without the home, which is of one machine."""
        overrides, own = self.typed.overrides, self.typed.configs
        ready_made = any(override.startswith("experiment=") for override in overrides)
        flags = flags_for(own, self.typed.folder) if own else []
        flags += ["-m"] if self.is_sweep and not ready_made else []
        chosen = [override for override in overrides if not override.startswith("home=")]
        return shlex.join(["flowerexp", *flags, *chosen])

    @property
    def place(self) -> Path:
        """Its folder relative to its home, or else the folder's name: the rest of the path is of one machine."""
        homes = {run.config.home for run in self.runs if run.config}
        whole = self.folder.absolute()
        return next((whole.relative_to(home) for home in homes if whole.is_relative_to(home)), Path(whole.name))

    @property
    def margin(self) -> float:
        """The share by which results may differ without a difference that matters, as the newest run has it."""
        return next((run.config.margin for run in reversed(self.runs) if run.config), Config.margin)

    @property
    def experiment(self) -> Experiment:
        """What was measured: that of the first run."""
        return next((self.experiment_of(run) for run in self.measured if run.config), self.planned)

    def experiment_of(self, run: Run) -> Experiment:
        """What a run measured, with the parameters that are in play in any of the runs that measured the same."""
        if run.config is None:
            return self.experiment
        own = run.config.entrypoint
        configs = [other.config for other in self.measured if other.config]
        return own.in_play(config.grid for config in configs if config.entrypoint.name == own.name)

    @cached_property
    def series(self) -> list[str]:
        """The names of all series, in the declared order."""
        names = [name for run in self.runs for name in run.rates]
        return words.ordered(self.experiment, [*names, *self.rows["series"].unique()])

    @cached_property
    def tones(self) -> dict[str, str]:
        """Each series' colour: the same in all pictures."""
        return words.colours(self.experiment, self.series)

    def label(self, series: str) -> str:
        """The name of a series within a sentence or a table."""
        return words.inside(words.series(self.experiment, series))

    @property
    def cell(self) -> list[str]:
        """The columns that identify a line of ``cells.csv``."""
        return ["run", "series", *self.experiment.numeric]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows of all runs: the run's name, the series, the parameters, and what was counted and timed."""
        frames = {}
        for run in self.measured:
            path = run.folder / "analysis" / "measurements.parquet"
            if path.exists():
                frames[run.name] = read_rows(path, self.experiment_of(run), self.texts)
        return together(frames or {"": no_rows(self.experiment, self.texts)})

    def table_of(self, rows: pd.DataFrame) -> Measurements:
        """Some of the `rows` as measurements."""
        known, parts = self.experiment.parameters, self.experiment.parts
        experiment = replace(
            self.experiment,
            column="count",
            parameters={"series": Parameter(type="text")} | {name: known[name] for name in self.experiment.numeric},
            parts=parts and replace(parts, count="parts", first_count="first_count", first_seconds="first_seconds"),
        )
        return Measurements(pyarrow.Table.from_pandas(rows, preserve_index=False), experiment)

    @cached_property
    def firsts(self) -> pd.DataFrame:
        """First executions.

        Measurements that repeat each other, also in repeats of a run, have the same number as their ``cell``.
        """
        rows = self.rows
        chosen = rows["execution"].isna() | (rows["execution"] == 1)
        firsts = where(rows, chosen)
        settings = [*dict.fromkeys(self.setting(run) for run in self.measured)]
        numbers = {run.name: settings.index(self.setting(run)) for run in self.measured}
        keys = [of_each_run(firsts, numbers).to_numpy(int), firsts["series"].cat.codes.to_numpy()]
        # Rows that lack a number come last.
        keys += [Coded.of(firsts[name].fillna(np.inf).to_numpy()).places for name in self.experiment.numeric]
        return firsts.assign(cell=joined(keys, len(firsts)))

    @cached_property
    def timed(self) -> pd.DataFrame:
        """The first executions that have a rate: they were timed and counted something."""
        return where(self.firsts, (self.firsts["count"] > 0) & (self.firsts["seconds"] > 0))

    @cached_property
    def valued(self) -> pd.DataFrame:
        """The first executions that have the experiment's value, with the columns that say what it is and where."""
        firsts = self.firsts[[*self.cell, "cell", "repetition", "top", "bottom"]]
        return where(firsts, firsts["bottom"] > 0)

    @cached_property
    def fair(self) -> pd.DataFrame:
        """The rows with the experiment's value by which settings and series are compared.

        Cells in which some measurement was stopped are left out, in all runs and series: only their fast measurements
        are left.
        """
        stopped, keys = self.rows[self.rows["censored"]], list(self.experiment.numeric)
        if not len(stopped) or not keys:
            return self.valued
        marked = self.valued.merge(stopped[keys].drop_duplicates(), on=keys, how="left", indicator="value")
        return marked[marked["value"] == "left_only"].drop(columns="value")

    @cached_property
    def instability(self) -> dict[str, Instability]:
        """How far the machine's speed varied during each run, by all its series together."""
        by_run = {run.name: STEADY for run in self.measured}
        known = self.valued[["run", "cell", "top", "bottom", "repetition"]]
        known = where(known, (known["top"] > 0) & known["repetition"].notna())
        for name, rows in known.groupby("run", observed=True):
            logs = np.log((rows["top"] / rows["bottom"]).to_numpy(float))
            by_run[str(name)] = instability(logs, numbered(rows["cell"].to_numpy()), rows["repetition"].to_numpy(float))
        return by_run

    def setting(self, run: Run) -> tuple[Any, ...]:
        """A run's values of all keys that the sweep varies, without its repeat."""
        return tuple(run.varied.get(key) for key in self.varied)

    @cached_property
    def disagreement(self) -> dict[str, tuple[float, int]]:
        """How far runs of one setting disagree, by series.

        The standard deviation of the logarithm of their values, pooled over settings, and its degrees of freedom.
        """
        by_series = {}
        for series in dict.fromkeys(series for run in self.measured for series in run.values):
            logs: dict[tuple[Any, ...], list[float]] = {}
            for run in self.measured:
                if run.values.get(series, 0) > 0:
                    logs.setdefault(self.setting(run), []).append(math.log(run.values[series]))
            freedom = sum(len(repeats) - 1 for repeats in logs.values())
            squares = math.fsum((log - statistics.fmean(repeats)) ** 2 for repeats in logs.values() for log in repeats)
            by_series[series] = (math.sqrt(squares / freedom) if freedom else 0.0, freedom)
        return by_series

    def runs_of(self, log: EventLog) -> list[Run]:
        """The measured runs of a Spark application; several may have run at the same time."""
        return [run for run in self.measured if run.facts.get("application_id") == log.application]

    @cached_property
    def logs(self) -> list[EventLog]:
        """The event logs of its jobs, without those that cannot be read: a report is useful without them."""
        logs = []
        for folder in (self.folder / "job", *sorted((self.folder / "jobs").glob("*"))):
            for path in find_logs(folder):
                try:
                    logs.append(self._with_waits(read(path)))
                except FlowerexpError:
                    continue
        return logs

    def _with_waits(self, log: EventLog) -> EventLog:
        """A log in which each task has the times when it waited for its turn to measure."""
        wanted = ["host", "pid", "started_at", "seconds", "waited_seconds"]
        rows = of_runs(self.rows[["run", *wanted]], self.runs_of(log)).dropna()[wanted]
        return with_waits(log, (Span(*row) for row in rows.itertuples(index=False, name=None)))
