"""The input of the engine: an experiment's declaration, its functions, and what `prepare` returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp.workload.engine.until import FEWEST, Value

Row = dict[str, Any]

_NUMERIC = ("int", "float")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The functions of an experiment's script; `flowerexp.workload.main` and `Hooks` describe them."""

    measure: Callable[[Any, Any], Any]
    prepare: Callable[[Any, dict[str, Any]], Any]
    ready: Callable[[Any, Any], Any] | None = None
    possible: Callable[[Any, Any], str | None] | None = None
    warm: Callable[[Any, Any], object] | None = None
    warmth: Callable[[Any, Any], Any] | None = None
    recover: Callable[[Any, dict[str, Any], Any, Exception], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The columns of parts that are rows of their own; see `flowerexp.experiment.Parts`."""

    column: str
    planned: str
    count: str
    first_count: str
    first_seconds: str

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Parts | None:
        """Read a declaration; None if parts are not rows of their own."""
        if not declared.get("column"):
            return None
        return cls(**{name: declared[name] for name in cls.__dataclass_fields__})

    def filled(self, number: int, count: float | None, seconds: float) -> Row:
        """The columns of one part.

        Args:
            number: its number, counted from 1.
            count: how many units it counted; None if it was stopped.
            seconds: how long it took.
        """
        first = {self.first_count: count, self.first_seconds: seconds}
        return {self.column: number, self.count: 1, **(first if number == 1 else dict.fromkeys(first))}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An experiment and how one run measures it.

    Attributes:
        name: the experiment's name.
        run_key: the run's key.
        on_executors: whether a measurement is a task on an executor, not a job of the driver.
        count: the column with the number of counted units.
        grid: the values of each parameter, in the declared order of the parameters.
        idle: the parameters that are not in the grid, since they have their default alone.
        optional: the parameters of the grid that have a default. They do not change the seed of a measurement.
        numeric: the parameters that are numbers.
        products: groups of them whose product matters as well.
        repetitions: the number of measurements of each cell; with `until`, the smallest number.
        seed: decides the order of cells, and the random choices of measurements.
        concurrency: the number of measurements at once on one host.
        warm_up_seconds: how long a process may warm up for a series; 0 turns warm-up off.
        max_seconds: how long a measurement may take; None for no limit.
        caching: whether the data that is measured on is cached.
        storage_level: Spark's name of the storage level; None for Spark's default.
        probe: whether the host's speed is probed beside each measurement.
        value: the number that the experiment is about.
        until: how far the interval of a cell may reach to each side, as a share, before it is measured no more; None
            to measure each cell `repetitions` times.
        until_seconds: how long a run may measure to get there.
        parts: the columns of parts that are rows of their own; None where a measurement is one row.
    """

    name: str
    run_key: str
    on_executors: bool
    count: str
    grid: Mapping[str, Sequence[Any]]
    idle: Mapping[str, Any]
    optional: frozenset[str]
    numeric: tuple[str, ...]
    products: tuple[tuple[str, ...], ...]
    repetitions: int
    seed: int
    concurrency: int
    warm_up_seconds: float
    max_seconds: float | None
    caching: bool
    storage_level: str | None
    probe: bool
    value: Value
    until: float | None
    until_seconds: float
    parts: Parts | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any], run_key: str) -> Declared:
        """Read a run's config."""
        experiment, measure = config["entrypoint"], config["measure"]
        parameters, count = experiment["parameters"], experiment.get("column") or experiment["unit"]
        value, parts = experiment.get("value") or {}, experiment.get("parts") or {}
        defaults = {name: one["default"] for name, one in parameters.items() if one.get("default") is not None}
        grid = {name: config["grid"][name] for name in parameters}
        idle = {name: only for name, only in defaults.items() if list(grid[name]) == [only]}
        return cls(
            name=experiment["name"],
            run_key=run_key,
            on_executors=experiment["where"] == "executor",
            count=count,
            grid={name: values for name, values in grid.items() if name not in idle},
            idle=idle,
            optional=frozenset(defaults),
            numeric=tuple(name for name, one in parameters.items() if one["type"] in _NUMERIC and name not in idle),
            products=tuple(map(tuple, experiment.get("products", ()))),
            repetitions=max(measure["repetitions"], FEWEST if measure["until"] else 1),
            seed=measure["seed"],
            concurrency=measure["concurrency"],
            warm_up_seconds=measure["warm_up_seconds"],
            max_seconds=measure["max_seconds"],
            caching=config["caching"],
            storage_level=measure["storage_level"],
            probe=measure["probe"],
            value=Value(value.get("name", "rate"), count, parts.get("first_count"), parts.get("first_seconds")),
            until=measure["until"],
            until_seconds=measure["until_seconds"],
            parts=Parts.of(parts),
        )

    @property
    def categorical(self) -> tuple[str, ...]:
        """The parameters that split results into series."""
        return tuple(name for name in self.grid if name not in self.numeric)


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        experiment: the experiment, and how this run measures it.
        workload: the functions of its script.
        prepared: what `prepare` returned; on an executor, a copy of it.
    """

    experiment: Declared
    workload: Workload
    prepared: Any
