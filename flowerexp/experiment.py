"""What an experiment says about itself: its question, what it counts, what it varies, and what it uses.

An entrypoint's YAML file (`conf/entrypoint/NAME.yaml`) holds it, and every other part of flowerexp follows from it:
nothing else knows what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

TYPES = ("int", "float", "bool", "text")

RESERVED = frozenset(
    {
        *("repetition", "execution", "order", "attempt", "censored", "seconds", "waited_seconds", "neighbours"),
        *("warm_ups", "warm_up_steady", "host", "pid", "started_at", "started_ns", "ended_ns", "load_before"),
        *("host_cores", "memory_available_bytes", "cpu_percent", "others_cpu_percent", "net_bytes_s", "disk_bytes_s"),
        *("probe_seconds", "discarded", "executors_lacking"),
        *("spark_jobs", "spark_stages", "spark_tasks", "shuffle_read_bytes", "shuffle_write_bytes", "spill_bytes"),
        *("gc_seconds", "task_seconds", "executor_cpu_seconds", "slowest_task_seconds", "median_task_seconds"),
        *("reused", "bytes", "repetitions", "executions", "low", "high", "cell_median", "value"),
        *("run", "series", "parts", "count", "cell", "setting", "rate", "first_count", "first_seconds", "verdict"),
        *("top", "bottom", "block"),
        *("steady_rate", "median_rate", "later_count", "later_seconds", "seconds_alone", "neighbours_alone"),
    }
)
"""Columns of measurements and of reports that are ours: no parameter can be called so."""

USES = ("dataset", "sampling", "preprocess")
"""The config groups that an experiment reads only if it says so."""

NUMERIC = ("int", "float")
"""The types of parameters that are numbers: lines and regressions are drawn against them."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One thing that a run's grid varies, or one setting: its type and limits.

    Attributes:
        type: `int`, `float`, `bool` or `text`.
        choices: the values that are allowed; None for all.
        min: the smallest number that is allowed.
        above: a number that all have to exceed.
        max: the largest number that is allowed.
        default: its value where a grid or the settings leave it out. A parameter that has no other value in a run is
            not shown: its results are named, seeded and compared like those of a run that does not know it.
        optional: whether a setting may be null.
        unit: of a number, such as `rows`.
        label: what to call it in pictures and tables; its name by default.
        labels: the same of each choice, where that differs from it.
        requires: what the cluster has to have for some choices: the module, and the requirement that brings it.
        compare: whether its values are alternatives, of which the better one is chosen. If not, they say what is
            measured, such as how many rows; results are never compared between them.
        independent: for some choices, the config keys that their results do not depend on; such a choice is not
            compared between values of these keys.
        besides: for some choices, what else differs between them and others, so that a comparison is not of the choice
            alone: `decode full-size photographs`, to be read after the choice's label.
    """

    type: str = field(metadata={"choices": TYPES})
    choices: tuple[Any, ...] | None = None
    min: float | None = None
    above: float | None = None
    max: float | None = None
    default: Any = None
    optional: bool = False
    unit: str | None = None
    label: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    requires: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    compare: bool = True
    independent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    besides: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_numeric(self) -> bool:
        """Is it a number? Others split results into series."""
        return self.type in NUMERIC

    @property
    def is_named(self) -> bool:
        """Do series say its name beside its value? One that has a default is in their names only where it differs."""
        return self.type == "bool" or self.default is not None


@dataclass(frozen=True, kw_only=True)
class Value:
    """The number that an experiment is about.

    Attributes:
        name: `rate`, `steady_rate` (of the parts after the first), `seconds`, or a column that `measure` returns.
        better: `higher` or `lower`.
    """

    name: str = "rate"
    better: str = field(default="higher", metadata={"choices": ("higher", "lower")})


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts that a measurement has, such as batches, and the columns that say how the first one went.

    Attributes:
        name: what one part is called, such as `batch`.
        count: the column that holds how many there were.
        planned: the parameter that says how many there should be; for rows that lack `count`.
        first_count: the column that holds how many units were counted in the first part.
        first_seconds: the column that holds how long the first part took.
        column: the column that holds a part's number, counted from 1, if each part is a row of its own, such as an
            epoch of training; `measure` then yields the result of each part (see `flowerexp.workload.main`), and
            `planned` is needed. The columns above are then the framework's, and those of the first part are in its row.
    """

    name: str
    count: str
    planned: str | None = None
    first_count: str
    first_seconds: str
    column: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Values that an experiment cannot measure together.

    Attributes:
        when: config keys with dots, each with a value; all of them together are refused.
        because: the reason.
        hint: what to do instead.
    """

    when: Mapping[str, Any]
    because: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An entrypoint with its declaration.

    Attributes:
        name: short, for tables.
        question: the sentence that heads its report.
        script: the file that runs on the cluster.
        where: `driver` if a measurement is a Spark job of the driver; `executor` if it is a task on an executor.
        unit: what a measurement counts, in the plural; a rate is unit/s.
        column: the column that holds how many it counted; the unit's name by default.
        value: the number that it is about.
        parameters: what the grid of a run varies; categorical ones split results into series.
        products: the numeric parameters whose product is fitted as well.
        parts: the parts of a measurement, if it has some.
        uses: the config groups that it reads: `dataset`, `sampling`, `preprocess`.
        needs: the parameters whose product says how many samples of the data set a cell needs.
        settings: its own settings, as checked.
        limits: the type and limits of each setting.
        requires: what it imports on the cluster beside PySpark: the module, and the requirement that brings it.
        requires_for: what it imports besides for some values of config keys: for each key, by the value.
        phases: what the phases of its runs are called on screen.
        shared: the phases that make what later runs of the same data find made, so that the first run alone takes them.
        repeatable: whether a run that is made again measures the same; false where it leaves its results to be found.
        refuses: values that do not go together.
        simulates_bucket: whether it can read its data through a simulated bucket (`storage.latency_ms`).
    """

    name: str
    question: str
    script: str
    where: str = field(default="driver", metadata={"choices": ("driver", "executor")})
    unit: str
    column: str | None = None
    value: Value = field(default_factory=Value)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    products: tuple[tuple[str, ...], ...] = ()
    parts: Parts | None = None
    uses: tuple[str, ...] = field(default=(), metadata={"choices": USES})
    needs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Parameter] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)
    requires_for: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    repeatable: bool = True
    refuses: tuple[Refusal, ...] = ()
    simulates_bucket: bool = False

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The parameters that are numbers: lines and regressions are drawn against them."""
        return tuple(name for name, one in self.parameters.items() if one.is_numeric)

    @cached_property
    def categorical(self) -> tuple[str, ...]:
        """The parameters that split results into series."""
        return tuple(name for name, one in self.parameters.items() if not one.is_numeric)

    def idle(self, *grids: Mapping[str, Any]) -> list[str]:
        """The parameters of which these grids hold nothing but the default."""
        optional = {name: [one.default] for name, one in self.parameters.items() if one.default is not None}
        return [name for name, only in optional.items() if all(list(grid.get(name, only)) == only for grid in grids)]

    def in_play(self, grids: Iterable[Mapping[str, Any]]) -> Experiment:
        """The experiment without the parameters that are idle in all of these grids: those need not be shown."""
        idle = self.idle(*grids)
        kept = {name: one for name, one in self.parameters.items() if name not in idle}
        return replace(self, parameters=kept) if idle else self

    @property
    def count(self) -> str:
        """The column that holds how many of its unit a measurement counted."""
        return self.column or self.unit

    @property
    def rate(self) -> str:
        """What its rate is called in files."""
        return f"{self.unit}_per_second"

    @property
    def rate_unit(self) -> str:
        """What its rate is called where people read it."""
        return f"{self.unit}/s"

    @property
    def value_unit(self) -> str:
        """What the number that it is about is called where people read it, such as `steady images/s`."""
        known = {"rate": self.rate_unit, "steady_rate": f"steady {self.rate_unit}"}
        return known.get(self.value.name, self.value.name.replace("_", " "))

    @property
    def value_name(self) -> str:
        """What the number that it is about is called in files and metrics, such as `steady_images_per_second`."""
        known = {"rate": self.rate, "steady_rate": f"steady_{self.rate}"}
        return known.get(self.value.name, self.value.name)

    @property
    def one(self) -> str:
        """The unit in the singular, for `seconds per image`."""
        return self.unit.removesuffix("s")

    def label_of(self, name: str) -> str:
        """What to call a parameter, or a product such as `a x b`, where people read it."""
        parameter = self.parameters.get(name)
        words = (parameter.label if parameter else None) or name.replace("_", " ")
        return f"{words} ({parameter.unit})" if parameter and parameter.unit else words
