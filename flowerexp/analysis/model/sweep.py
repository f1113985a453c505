"""The factors of a sweep: the values that differ between the configs of its runs, each once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from flowerexp.config import measured_part
from flowerexp.experiment import Experiment

_NO_FACTORS = {"repeat", "seed", "repetitions"}
"""Keys that only say how often, or in which order, something is measured."""


def factors(
    configs: Sequence[Mapping[str, Any]], experiment: Experiment, varied: Collection[str] = ()
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The factors in which runs differ.

    Of keys that always change together, one is the factor: one that the sweep varies, or else a number if all but names
    are numbers, or else a name.

    Args:
        configs: of each run.
        experiment: of all of them; its parameters are not factors of a sweep, because each row has its own.
        varied: the keys that were written on the command line.

    Returns:
        The factors of each run: numbers, true or false, or texts; and why keys that change together with a factor are
        not factors.
    """
    flat = [dict(_flat(measured_part(config))) for config in configs]
    keys = dict.fromkeys(key for of_run in flat for key in of_run)
    wanted = [key for key in keys if not _is_excluded(key, experiment)]
    values = {key: [of_run.get(key) for of_run in flat] for key in wanted}
    together: dict[tuple[int, ...], list[str]] = {}
    for key, of_runs in values.items():
        texts = [json.dumps(value, sort_keys=True) for value in of_runs]
        if len({*texts}) > 1:
            together.setdefault(tuple(map(texts.index, texts)), []).append(key)
    chosen = {_one_of(keys, values, varied): keys for keys in together.values()}
    plain = {key: _plain(values[key]) for key in chosen}
    aliases = {
        key: f"it changes together with {factor}" for factor, keys in chosen.items() for key in keys if key != factor
    }
    return [{key: of_runs[place] for key, of_runs in plain.items()} for place in range(len(configs))], aliases


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_excluded(key: str, experiment: Experiment) -> bool:
    first, _, rest = key.partition(".")
    is_parameter = (rest if first == "grid" else key) in experiment.parameters
    return is_parameter or first in _NO_FACTORS or key.rpartition(".")[2] in _NO_FACTORS


def _one_of(keys: Sequence[str], values: Mapping[str, Sequence[Any]], varied: Collection[str]) -> str:
    names = [key for key in keys if key.endswith(".name")]
    others = [key for key in keys if key not in names]
    numeric = others if all(_is_number(value) for key in others for value in values[key]) else []
    return next(iter([*(key for key in keys if key in varied), *numeric, *names, *keys]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(values: Sequence[Any]) -> list[Any]:
    """Values of the same kind: numbers, or true and false, or else texts."""
    if all(map(_is_number, values)) or all(isinstance(value, bool) for value in values):
        return list(values)
    return [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values]
