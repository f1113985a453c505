"""Check a composed config against the schema: unknown keys, types, ranges; and resolve it to plain values."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.convert import plain as as_plain
from flowerexp.config.convert import typed
from flowerexp.config.declared import check_values, drop_unused, infer_types
from flowerexp.config.hints import hints_of
from flowerexp.config.kinds import CLUSTERS, DATASETS, Kinds
from flowerexp.config.near import meant
from flowerexp.config.origin import Origin
from flowerexp.config.paths import resolved
from flowerexp.config.places import group_options
from flowerexp.config.schema import Config, Sampling
from flowerexp.config.text import written
from flowerexp.config.together import check_together
from flowerexp.config.values import values
from flowerexp.errors import ConfigError, did_you_mean
from flowerexp.experiment import USES


def check(config: DictConfig, origin: Origin | None = None) -> Config:
    """Check a composed config and resolve it.

    Args:
        config: the composed config, without Hydra's own node.
        origin: how it was composed, for messages.

    Returns:
        The config: interpolations resolved, local folders absolute, a single value where a list is wanted made a
        list of one, without what its experiment does not use.

    Raises:
        ConfigError: on the first thing that is wrong; the message names the key, where it was set, and what to do.
    """
    origin = dataclasses.replace(origin or Origin(), config=config)
    sampling = config.get("sampling")
    if isinstance(sampling, DictConfig) and "on_short" not in sampling:  # a setting of read_speed refers to it
        with flag_override(sampling, ["readonly", "struct"], False):
            sampling["on_short"] = Sampling.on_short
    plain = _plain(config, origin)
    drop_unused(plain, origin)
    if isinstance(plain.get("entrypoint"), dict):
        infer_types(plain["entrypoint"], origin)
    check_node(plain, Config, "", origin)
    check_values(plain, origin, _scalar)
    cluster = plain["cluster"]
    cluster["name"] = cluster["name"] or cluster["kind"]
    cluster["spark"] = _flat(cluster["spark"])
    check_together(plain, origin)
    return typed(resolved(plain, origin))


def _flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Spark's properties by their whole names: `+cluster.spark.spark.local.dir=DIR` comes as nested groups of keys."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _plain(config: DictConfig, origin: Origin) -> dict[str, Any]:
    try:
        return typing.cast("dict[str, Any]", values(config))
    except OmegaConfBaseException as error:
        for key in _missing(config):
            hint = f"add {key}=VALUE to the command line"
            raise ConfigError(f"{key} has no value", where=origin.of(key), hint=hint) from error
        key = error.full_key or ""
        message = str(error.msg or error).splitlines()[0]
        raise ConfigError(f"{key} cannot be resolved: {message}", where=origin.of(key)) from error


def _missing(config: DictConfig) -> list[str]:
    """The keys that have no value; looked for only where something is wrong, since it takes as long as all the rest."""
    try:
        return sorted(OmegaConf.missing_keys(config))
    except OmegaConfBaseException:
        return []


_KINDS: dict[str, Kinds] = {"dataset.": DATASETS, "cluster.": CLUSTERS}


def _schema(node: dict[str, Any], schema: type, prefix: str, origin: Origin) -> type:
    """The class that describes a node; a cluster's and a data set's depend on their kind."""
    kinds = _KINDS.get(prefix)
    if kinds is None:
        return schema
    try:
        return kinds.config(str(node.get("kind")))
    except ConfigError as error:
        raise ConfigError(error.problem, where=origin.of(f"{prefix}kind"), hint=error.hint) from error


@functools.cache
def _fields(schema: type) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """A schema's fields and their types; reading the types takes longer than checking against them."""
    return {spec.name: spec for spec in dataclasses.fields(schema)}, hints_of(schema)


def check_node(node: dict[str, Any], schema: type, prefix: str, origin: Origin) -> None:
    """Check one node of the config against its class, and fill in what that has a default for; in place."""
    schema = _schema(node, schema, prefix, origin)
    fields, hints = _fields(schema)
    for key in node:
        if key not in fields:
            if schema is Config:
                hint = meant(
                    key, {name: node[name] for name in fields if name in node}, [*group_options(), "experiment"]
                )
            else:
                hint = did_you_mean(f"{prefix}{key}", [prefix + name for name in fields])
            raise ConfigError(f"unknown key {prefix}{key}", where=origin.of(f"{prefix}{key}"), hint=hint)
    for name, spec in fields.items():
        if name not in node:
            node[name] = _default(spec, prefix + name)
        node[name] = _check_value(node[name], hints[name], spec.metadata, prefix + name, origin)
    for name in USES if schema is Config else ():
        if node[name] is None:
            if name in node["entrypoint"]["uses"]:
                raise ConfigError(f"{name} is not set", where=origin.of(name), hint=f"add +{name}=VALUE")
            del node[name]


def _default(spec: dataclasses.Field[Any], key: str) -> Any:
    if spec.default_factory is not dataclasses.MISSING:
        return as_plain(spec.default_factory())
    if spec.default in (dataclasses.MISSING, "???"):
        raise ConfigError(f"{key} is not set", where="config", hint=f"add +{key}=VALUE to the command line")
    return as_plain(spec.default)


def _wrong(key: str, value: Any, wanted: str, origin: Origin, hint: str | None = None) -> ConfigError:
    key = origin.source(key)
    shown = str(value).lower() if isinstance(value, bool) else "null" if value is None else value
    return ConfigError(f"{key}={shown} must be {wanted}", where=origin.of(key), hint=hint)


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word or path"}


def _check_value(value: Any, hint: Any, limits: Mapping[str, Any], key: str, origin: Origin) -> Any:
    """Check a leaf, a list or an open mapping against its type and limits; returns it, converted where that is safe."""
    form, inner, is_optional = _form(hint)
    if value is None and is_optional:
        return None
    if form in ("node", "mapping"):
        if not isinstance(value, dict):
            raise _wrong(key, value, "a group of keys", origin)
        if form == "node":
            check_node(value, inner, f"{key}.", origin)
            return value
        return {name: _check_value(one, inner, {}, f"{key}.{name}", origin) for name, one in value.items()}
    if form == "list":
        items = value if isinstance(value, list) else [value]
        items = [_check_value(item, inner, limits, key, origin) for item in items]
        _check_list(items, limits, key, origin)
        return items
    return _scalar(value, inner, limits, key, origin) if inner is not Any else value


@functools.cache
def _form(hint: Any) -> tuple[typing.Literal["node", "mapping", "list", "value"], Any, bool]:
    """What a type asks for, the type of what is in it, and whether None will do."""
    arguments = typing.get_args(hint)
    if type(None) in arguments:
        form, inner, _ = _form(next(argument for argument in arguments if argument is not type(None)))
        return form, inner, True
    if dataclasses.is_dataclass(hint):
        return "node", hint, False
    form_of = {dict: "mapping", Mapping: "mapping", tuple: "list"}.get(typing.get_origin(hint))
    if form_of == "mapping":
        return "mapping", arguments[1], False
    return ("list", arguments[0], False) if form_of == "list" else ("value", hint, False)


def _check_list(items: list[Any], limits: Mapping[str, Any], key: str, origin: Origin) -> None:
    if limits.get("nonempty") and not items:
        raise _wrong(key, "[]", "a list of at least one", origin)
    if "length" in limits and len(items) != limits["length"]:
        raise _wrong(key, items, f"a list of {limits['length']}", origin)
    if limits.get("unique") and len(set(items)) != len(items):
        raise _wrong(key, items, "a list without repetitions", origin)


def _scalar(value: Any, kind: type, limits: Mapping[str, Any], key: str, origin: Origin) -> Any:
    if limits.get("share") and isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?\s*%", value):
        value = float(f"{value.rstrip('% ')}e-2")  # not divided: 0.1 % is the same number as 0.001
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is str and isinstance(value, bool | int | float):
        value = written(value)  # a folder named 2024, say; whatever a number would change is text already
    fits = kind is Any or (isinstance(value, kind) and isinstance(value, bool) == (kind is bool))
    if not fits or value == "":
        quote = f"if you mean the word, quote it: '{key}=\"null\"'" if kind is str and value is None else None
        raise _wrong(key, value, _NAMES[kind], origin, limits.get("hint") or quote)
    for wanted, hint in _violations(value, limits):
        raise _wrong(key, value, wanted, origin, hint or limits.get("hint"))
    return value


def _violations(value: Any, limits: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    if "choices" in limits and value not in limits["choices"]:
        yield f"one of {', '.join(limits['choices'])}", did_you_mean(str(value), limits["choices"])
    if "choices_of_numbers" in limits and value not in limits["choices_of_numbers"]:
        yield f"one of {', '.join(map(str, limits['choices_of_numbers']))}", None
    if "pattern" in limits and not re.fullmatch(limits["pattern"], str(value)):
        hint = limits["pattern_hint"]
        yield limits["pattern_wanted"], hint(str(value)) if callable(hint) else hint
    low, above, high = limits.get("min"), limits.get("above"), limits.get("max")
    if low is not None and not value >= low:
        yield f"{low} or more", None
    if above is not None and not value > above:
        yield f"more than {above}", None
    if high is not None and not value <= high:
        yield f"at most {high:,}", None
