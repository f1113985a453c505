"""Check what an experiment declares, and the values of its parameters and settings against that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowerexp.config.near import meant
from flowerexp.config.origin import Origin
from flowerexp.errors import ConfigError, did_you_mean
from flowerexp.experiment import NUMERIC, RESERVED, TYPES, USES

CheckItem = Callable[[Any, type, Mapping[str, Any], str, Origin], Any]
"""Checks one value: the value, its type, its limits, its key, and where values were set; returns it."""

_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "text": str}


def infer_types(entrypoint: Mapping[str, Any], origin: Origin) -> None:
    """Give each parameter and limit that names no type the type of its limits; in place.

    Raises:
        ConfigError: nothing says what the type is, or a name is taken.
    """
    for node in ("parameters", "limits"):
        for name, spec in _mapping(entrypoint, node, origin).items():
            key = f"entrypoint.{node}.{name}"
            if not isinstance(spec, dict):
                hint = f"write {name}: {{min: 1}}, {{choices: [a, b]}} or {{type: bool}}"
                raise ConfigError(f"{key}={spec} must be a group of keys", where=origin.of(key), hint=hint)
            if node == "parameters" and (name in RESERVED or not name.isidentifier()):
                problem = f"{key} cannot have this name: flowerexp has a column of this name"
                problem = problem if name in RESERVED else f"{key} is not a name of letters, digits and _"
                raise ConfigError(problem, where=origin.of(key), hint="choose another name")
            if spec.get("type") is None:
                spec["type"] = _type_of(spec, key, origin)


def _mapping(entrypoint: Mapping[str, Any], node: str, origin: Origin) -> dict[str, Any]:
    found = entrypoint.get(node)
    if found is not None and not isinstance(found, dict):
        key = f"entrypoint.{node}"
        raise ConfigError(f"{key}={found} must be a group of keys", where=origin.of(key))
    return found or {}


def _type_of(spec: Mapping[str, Any], key: str, origin: Origin) -> str:
    limits = ("min", "above", "max", "default")
    examples = spec.get("choices") or [spec[limit] for limit in limits if spec.get(limit) is not None]
    examples = examples if isinstance(examples, list) else [examples]  # a single choice is a list of one
    kinds = {type(value) for value in examples}
    if kinds and kinds <= {bool}:
        return "bool"
    if kinds and kinds <= {int, float}:
        return "float" if float in kinds or spec.get("above") is not None else "int"
    if kinds == {str}:
        return "text"
    raise ConfigError(f"{key} has no type", where=origin.of(key), hint=f"add type: {', '.join(TYPES)}")


def check_values(plain: dict[str, Any], origin: Origin, check: CheckItem) -> None:
    """Check the grid against the parameters, the settings against their limits, and what else the declaration names.

    Args:
        plain: the config, whose declaration has been checked; its grid and settings are changed in place.
        origin: how it was composed, for messages.
        check: checks one value.

    Raises:
        ConfigError: a key is missing or unknown, or a value is wrong.
    """
    entrypoint = plain["entrypoint"]
    parameters = entrypoint["parameters"]
    for node, values in (("parameters", plain["grid"]), ("limits", entrypoint["settings"])):
        _fill_in(values, entrypoint[node], f"entrypoint.{node}", origin, check)
    _check_keys(plain, parameters, ("grid", "parameters"), origin)
    grid = plain["grid"]
    plain["grid"] = {key: _values(grid[key], spec, f"grid.{key}", origin, check) for key, spec in parameters.items()}
    settings = "entrypoint.settings"
    _check_keys(plain, entrypoint["limits"], (settings, "limits"), origin)
    entrypoint["settings"] = {
        key: _value(entrypoint["settings"][key], spec, f"{settings}.{key}", origin, check)
        for key, spec in entrypoint["limits"].items()
    }
    _check_products(entrypoint, origin)
    _check_parts(plain, origin)


def _fill_in(values: dict[str, Any], known: Mapping[str, Any], node: str, origin: Origin, check: CheckItem) -> None:
    """Give what has no value its default, if it declares one; in place."""
    for name, spec in known.items():
        if spec["default"] is not None:
            spec["default"] = _value(spec["default"], spec, f"{node}.{name}.default", origin, check)
            values.setdefault(name, spec["default"])
        elif spec["optional"]:
            values.setdefault(name, None)


def _check_keys(plain: Mapping[str, Any], known: Mapping[str, Any], nodes: tuple[str, str], origin: Origin) -> None:
    """Are there values for all that is declared, and for nothing else?

    Args:
        plain: the whole config.
        known: what is declared.
        nodes: the key of the values, and below `entrypoint` that of the declarations.
        origin: how the config was composed.
    """
    node, declared = nodes
    entrypoint, may_be = plain["entrypoint"], dict.fromkeys(known)
    values = plain["grid"] if node == "grid" else entrypoint["settings"]
    for name in values:
        if name not in known:
            key, declare = f"{node}.{name}", f"leave it out, or declare it in entrypoint.{declared}"
            rest = {"grid": may_be} if node == "grid" else {"entrypoint": {**entrypoint, "settings": may_be}}
            hint = meant(key, {**plain, **rest}) or (None if known else declare)
            raise ConfigError(f"unknown key {key}", where=origin.of(key), hint=hint)
    for name in known:
        if name not in values:
            key = f"{node}.{name}"
            raise ConfigError(f"{key} has no value", where=origin.of(key), hint=f"add {key}=VALUE")


def _values(values: Any, spec: Mapping[str, Any], key: str, origin: Origin, check: CheckItem) -> list[Any]:
    found = [_value(item, spec, key, origin, check) for item in (values if isinstance(values, list) else [values])]
    if not found:
        raise ConfigError(f"{key}=[] must be a list of at least one", where=origin.of(key))
    if len(set(found)) != len(found):
        raise ConfigError(f"{key}={found} must be a list without repetitions", where=origin.of(key))
    return found


def _value(value: Any, spec: Mapping[str, Any], key: str, origin: Origin, check: CheckItem) -> Any:
    kind, choices = spec["type"], spec["choices"]
    if value is None and spec["optional"]:
        return None
    if kind == "text" and not isinstance(value, str) and value is not None and not choices:
        # What was typed may have been 2024_10, of which a number has kept 202410.
        hint = f"put it into quotes: '{key}=\"TEXT\"'"
        raise ConfigError(f"{key}={value} must be text", where=origin.of(origin.source(key)), hint=hint)
    limits: dict[str, Any] = {name: spec[name] for name in ("min", "above", "max") if spec[name] is not None}
    limits = {name: int(limit) if limit.is_integer() else limit for name, limit in limits.items()}
    if choices is not None:
        limits["choices_of_numbers" if kind in NUMERIC else "choices"] = choices
    return check(value, _TYPES[kind], limits, key, origin)


def _check_products(entrypoint: Mapping[str, Any], origin: Origin) -> None:
    parameters = entrypoint["parameters"]
    numeric = [name for name, spec in parameters.items() if spec["type"] in NUMERIC]
    products = [("products", product) for product in entrypoint["products"]]
    for node, product in [*products, ("needs", entrypoint["needs"])]:
        for name in product if isinstance(product, list) else [product]:
            if name not in numeric:
                key = f"entrypoint.{node}"
                problem = f"{key}: {name} is not a numeric parameter of {entrypoint['name']}"
                raise ConfigError(problem, where=origin.of(key), hint=did_you_mean(str(name), numeric))


def _check_parts(plain: Mapping[str, Any], origin: Origin) -> None:
    """Can parts be rows of their own?"""
    entrypoint, key = plain["entrypoint"], "entrypoint.parts.column"
    parts = entrypoint["parts"] or {}
    if not parts.get("column"):
        return
    if entrypoint["where"] != "driver":
        problem = f"{key}: only measurements in the driver can have parts that are rows of their own"
        raise ConfigError(problem, where=origin.of(key), hint="set where: driver, or leave it out")
    if parts["planned"] not in entrypoint["parameters"]:
        problem = f"{key}: entrypoint.parts.planned must be the parameter that says how many parts there will be"
        raise ConfigError(problem, where=origin.of("entrypoint.parts.planned"), hint="name a parameter")
    if plain["measure"]["until"]:
        problem = f"measure.until does not work here: each {parts['name']} is a row, and these rows are not repetitions"
        raise ConfigError(problem, where=origin.of("measure.until"), hint="set it to null")


def drop_unused(plain: dict[str, Any], origin: Origin) -> None:
    """Take out of a config what its experiment does not use; in place.

    Raises:
        ConfigError: the command line sets something of it, which would have no effect.
    """
    entrypoint = plain.get("entrypoint")
    uses = (entrypoint.get("uses") if isinstance(entrypoint, dict) else None) or []
    if not isinstance(uses, list):
        return  # the check of types refuses it
    for node in USES:
        if node in uses:
            continue
        for override in origin.overrides:
            key = override.partition("=")[0].lstrip("+~").partition("@")[0]
            if key == node or key.startswith(f"{node}."):
                name = entrypoint.get("name") if isinstance(entrypoint, dict) else "the experiment"
                problem = f"{override} has no effect: {name} does not use {node}"
                raise ConfigError(problem, where="command line", hint="leave it out")
        plain.pop(node, None)
