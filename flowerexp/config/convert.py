"""Between a checked config as plain values, as JSON holds it, and as typed objects."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

from flowerexp.config.hints import hints_of
from flowerexp.config.kinds import CLUSTERS, DATASETS, Kinds
from flowerexp.config.schema import Cluster, Config, Dataset
from flowerexp.experiment import USES

T = TypeVar("T")

_KINDS: dict[type, Kinds] = {Cluster: CLUSTERS, Dataset: DATASETS}


def typed(node: Mapping[str, Any], kind: type[T] = Config) -> T:  # type: ignore[assignment]
    """Make objects of a checked config's plain values.

    Args:
        node: the values.
        kind: the class of the node.

    Raises:
        TypeError: the class does not know a key.
        ConfigError: the kind of its cluster or data set is not installed.
    """
    schema: Any = _KINDS[kind].config(node["kind"]) if kind in _KINDS else kind
    makers = _makers(schema)
    return cast("T", schema(**{name: makers[name](value) if name in makers else value for name, value in node.items()}))


def plain(node: Any) -> Any:
    """A config's objects as dictionaries, lists and plain values; what the experiment does not use is absent."""
    kind = type(node)
    if kind in _VALUES:
        return node
    if (names := _fields(cast("Hashable", kind))) is not None:
        values = {name: plain(getattr(node, name)) for name in names}
        return {name: value for name, value in values.items() if value is not None or name not in USES}
    if isinstance(node, Mapping):
        return {name: plain(value) for name, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, list | tuple) else node


_VALUES = frozenset({str, int, float, bool, type(None)})


@functools.cache
def _fields(kind: Any) -> tuple[str, ...] | None:
    """The names of a class's fields; None for what has none. A sweep asks for them many times a run."""
    return tuple(spec.name for spec in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


def key_of(node: Any) -> str:
    """A text that is the same for nodes that hold the same."""
    return json.dumps(plain(node), sort_keys=True)


Make = Callable[[Any], Any]


@functools.cache
def _makers(kind: type) -> dict[str, Make]:
    """What makes objects of the values of those fields that are not plain values themselves."""
    hints = hints_of(kind)
    makers = {spec.name: _maker(hints[spec.name]) for spec in dataclasses.fields(kind)}
    return {name: maker for name, maker in makers.items() if maker is not None}


def _maker(hint: Any) -> Make | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _or_none(_maker(next(argument for argument in arguments if argument is not type(None))))
    if origin is tuple:
        return _tuple_of(_maker(arguments[0]))
    if origin in (dict, Mapping):
        return _dict_of(_maker(arguments[1]))
    return functools.partial(typed, kind=cast("Any", hint)) if dataclasses.is_dataclass(hint) else None


def _or_none(make: Make | None) -> Make | None:
    return make and (lambda value: None if value is None else make(value))


def _tuple_of(make: Make | None) -> Make:
    return (lambda values: tuple(map(make, values))) if make else tuple


def _dict_of(make: Make | None) -> Make | None:
    return make and (lambda values: {name: make(value) for name, value in values.items()})
