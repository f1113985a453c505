"""What each run of a sweep varies: the values in which the runs differ, by config key, with their own types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flowerexp.analysis.earlier import key_today
from flowerexp.config import upgraded
from flowerexp.config.redact import redacted
from flowerexp.experiment import RESERVED, Experiment


def varied(plan: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The overrides of each run that not all runs share.

    Args:
        plan: the runs of a sweep's plan, each with its overrides and its config.

    Returns:
        For each run by config key: what its config holds there, without secrets; for a config group, which holds many
        values, the option's name, and for a list its values in one text.
    """
    overrides = [
        {key_today(key, run["config"]): text for key, text in map(_key_and_value, run["overrides"])} for run in plan
    ]
    keys = dict.fromkeys(key for of_run in overrides for key in of_run if not key.startswith("hydra"))
    differing = [key for key in keys if len({of_run.get(key) for of_run in overrides}) > 1]
    found = []
    for run, own in zip(plan, overrides, strict=True):
        config = redacted(upgraded(run["config"]))
        found.append({key: _value(config, key, str(redacted(own[key], key))) for key in differing if key in own})
    return found


def _key_and_value(override: str) -> tuple[str, str]:
    key, _, text = override.lstrip("+~").partition("=")
    return key, text


def _value(config: Mapping[str, Any], key: str, text: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        return value[0] if len(value) == 1 else ", ".join(map(str, value))
    return text if value is None or isinstance(value, Mapping) else value


def column_of(key: str, experiment: Experiment) -> str:
    """A column's name for a config key: one that no column of a table has."""
    return f"config.{key}" if key in (*RESERVED, *experiment.parameters, experiment.count) else key


def kind_of(values: Iterable[Any]) -> str:
    """The Arrow type of a column with some values: `int64`, `double`, `bool` or `string`; None fits all of them."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float}:
        return "double" if float in kinds else "int64"
    return "bool" if kinds == {bool} else "string"


def typed(values: Sequence[Any]) -> list[Any]:
    """The values of a column as its `kind_of` has them: of several kinds, as text."""
    from flowerexp.analysis.report.runs import shown

    makers: dict[str, Callable[[Any], Any]] = {"string": shown, "double": float, "int64": int, "bool": bool}
    make = makers[kind_of(values)]
    return [None if value is None else make(value) for value in values]
