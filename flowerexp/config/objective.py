"""What a sweeper of Hydra's optimises: a metric of each run, by its name in MLflow, and which way is better."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from flowerexp.config.convert import typed
from flowerexp.config.declared import infer_types
from flowerexp.config.origin import Origin
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError, did_you_mean
from flowerexp.experiment import Experiment, Parameter

KEY = "objective"
_DIRECTION = "hydra.sweeper.direction"  # of Optuna's sweeper
_SECTIONS = ("time", "data", "facts", "spark", "cost")
"""What stands before the `/` in metrics that belong to no series."""
_BETTER = {"maximize": "higher", "minimize": "lower"}


@dataclass(frozen=True)
class Objective:
    """A metric.

    Attributes:
        name: its name in MLflow, such as `tfrecords/steady_images_per_second`.
        written: as the config has it.
        experiment: whose metric it is.
    """

    name: str
    written: str
    experiment: Experiment

    @classmethod
    def of(cls, written: str, experiment: Experiment) -> Objective:
        """The metric that a config names; `SERIES`, `SERIES.value`, `.rate`, `.steady` and `.seconds` are short forms.

        Args:
            written: what the config says.
            experiment: whose metric it is.
        """
        series, _, last = written.rpartition(".")
        short = _short(experiment)
        if "/" in written:
            name = written
        elif series and last in short:
            name = f"{series}/{short[last]}"
        else:
            name = f"{written}/{experiment.value_name}"
        return cls(_accepted(name), written, experiment)

    def refuse_unknown(self, config: Config, where: str) -> None:
        """Refuse a metric of a series that the run's grid does not have; what else there is shows when one has run.

        Args:
            config: the run's.
            where: where the objective was set.

        Raises:
            ConfigError: there will be no such series.
        """
        section = self.name.partition("/")[0]
        series = _series(config)
        if section not in (*series, *_SECTIONS):
            raise self.unknown(
                [f"{one}/{metric}" for one in series for metric in _short(self.experiment).values()], where
            )

    @property
    def better(self) -> str | None:
        """`higher` or `lower`; None where nothing says so."""
        section, _, metric = self.name.rpartition("/")
        if metric == self.experiment.value_name:
            return self.experiment.value.better
        if metric in (self.experiment.rate, f"steady_{self.experiment.rate}"):
            return "higher"
        return "lower" if section in ("time", "cost") or metric.endswith("seconds") else None

    def unknown(self, known: Iterable[str], where: str) -> ConfigError:
        """What to say where there is no such metric, but others."""
        names = list(known)
        shown = " (" + self.name + ")" if self.name != self.written else ""
        hint = did_you_mean(self.name, names) or f"there are {', '.join(names[:5])}, ..."
        return ConfigError(f"{KEY}={self.written}: no run has such a metric{shown}", where=where, hint=hint)


def _short(experiment: Experiment) -> dict[str, str]:
    """The short forms, with what they stand for."""
    short = {"value": experiment.value_name, "rate": experiment.rate, "seconds": "seconds"}
    return {**short, "steady": f"steady_{experiment.rate}"} if experiment.parts else short


def _series(config: Config) -> list[str]:
    """The names of the series that a run will have, as the table of its measurements makes them."""
    declared = config.entrypoint.parameters
    values = [
        [_part(name, value, declared[name]) for value in config.grid[name]] for name in config.entrypoint.categorical
    ]
    chosen = (" ".join(filter(None, parts)) for parts in itertools.product(*values))
    return [_accepted(name or config.entrypoint.name) for name in chosen]


def _part(name: str, value: Any, declared: Parameter) -> str:
    """What a series is called by a value of a parameter; nothing by its default."""
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return "" if value == declared.default else f"{name}={text}" if declared.is_named else text


def _accepted(name: str) -> str:
    """A name with the letters that MLflow accepts."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def of_runs(configs: Iterable[Config], where: str) -> Objective | None:
    """The objective of the runs of a batch; None where they have none.

    Raises:
        ConfigError: none of them can have such a metric, or its runs may be left out.
    """
    found = None
    for config in configs:
        if config.objective is not None:
            found = Objective.of(config.objective, config.entrypoint)
            found.refuse_unknown(config, where)
            if config.skip_finished:
                problem = f"{KEY} needs a result of each run, and skip_finished leaves runs out"
                raise ConfigError(problem, where="skip_finished", hint="set it to false")
    return found


def direction(config: DictConfig, overrides: Iterable[str]) -> list[str]:
    """The override that tells Optuna's sweeper which way is better, where its own config does not say it.

    Args:
        config: a sweep's own composed config.
        overrides: those of the command line.

    Raises:
        ConfigError: nothing says which way is better.
    """
    sweeper = config.hydra.sweeper
    written = OmegaConf.select(config, KEY)
    is_set = isinstance(sweeper.get("direction"), str | list) or any(_DIRECTION in override for override in overrides)
    if written is None or "direction" not in sweeper or is_set:
        return []
    node: Any = OmegaConf.to_container(config.entrypoint, resolve=True)
    infer_types(node, Origin())
    better = Objective.of(str(written), typed(node, Experiment)).better
    if better is None:
        hint = f"set {_DIRECTION}=minimize or {_DIRECTION}=maximize"
        raise ConfigError(f"which way of {written} is better is not known", where=KEY, hint=hint)
    return [f"{_DIRECTION}={'maximize' if better == 'higher' else 'minimize'}"]


def worst(objective: Objective, hydra: Mapping[str, Any]) -> float:
    """The value of a failed run: the infinity that no sweeper wants.

    Args:
        objective: the objective.
        hydra: Hydra's node.
    """
    chosen: Any = hydra["sweeper"].get("direction")
    better = _BETTER.get(str(getattr(chosen, "name", chosen)), objective.better)
    return math.inf if better == "lower" else -math.inf
