"""All that we use of OmegaConf's private modules beside its nodes: the same results in less time."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf, _utils
from omegaconf import base as _base

_TEXTS = 4096
"""How many different interpolations and files are remembered: those of a config, and those that a sweep sets."""

_load = OmegaConf.load
_parse = lru_cache(_TEXTS)(_base.parse)  # type: ignore[attr-defined]


@contextmanager
def parsed_once() -> Iterator[None]:
    """Let OmegaConf parse an interpolation of the same text once: all configs have the same ones."""
    nodes: Any = _base  # whose `parse` is not declared
    own = nodes.parse
    nodes.parse = _parse
    try:
        yield
    finally:
        nodes.parse = own


@contextmanager
def read_quickly() -> Iterator[None]:
    """Let OmegaConf read YAML with libyaml, where PyYAML has it, and the same text once in a process.

    Each composition reads all files that it needs anew, and they are the same ones.
    """
    whole: Any = OmegaConf
    own, own_load = _utils.get_yaml_loader, whole.load
    loader = _loader(own)
    _utils.get_yaml_loader, whole.load = lambda: loader, staticmethod(_read_once)
    try:
        yield
    finally:
        _utils.get_yaml_loader, whole.load = own, staticmethod(own_load)


def _read_once(file: Any) -> Any:
    """What `OmegaConf.load` gives, for a file that is open or a path."""
    return pickle.loads(_read(file.read())) if hasattr(file, "read") else _load(file)


@lru_cache(_TEXTS)
def _read(text: str | bytes) -> bytes:
    """A text's config, pickled: a copy by way of that takes a fraction of the time of reading it."""
    return pickle.dumps(_load(io.StringIO(text) if isinstance(text, str) else io.BytesIO(text)))


def to_yaml(config: DictConfig | ListConfig) -> str:
    """What `OmegaConf.to_yaml` gives, written with libyaml where PyYAML has it, which is faster."""
    return values_to_yaml(OmegaConf.to_container(config, resolve=False, enum_to_str=True))


def values_to_yaml(values: Any) -> str:
    """What `to_yaml` gives for a config that holds these values."""
    return str(yaml.dump(values, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=_dumper()))


@cache
def _loader(get_yaml_loader: Any) -> type:
    """OmegaConf's loader on libyaml's parser: the same types of scalars, and no key twice."""
    slow = get_yaml_loader()
    if not hasattr(yaml, "CSafeLoader"):
        return slow  # type: ignore[no-any-return]

    class Loader(yaml.CSafeLoader):
        yaml_implicit_resolvers = slow.yaml_implicit_resolvers
        yaml_constructors = slow.yaml_constructors

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys: set[str] = set()
            for key, _ in node.value:
                if key.tag == yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG:
                    if key.value in keys:
                        problem = f"found duplicate key {key.value}"
                        raise yaml.constructor.ConstructorError(
                            "while constructing a mapping", node.start_mark, problem, key.start_mark
                        )
                    keys.add(key.value)
            return super().construct_mapping(node, deep=deep)

    return Loader


@cache
def _dumper() -> Any:
    """OmegaConf's dumper on libyaml's emitter."""
    slow = _utils.get_omega_conf_dumper()
    if not hasattr(yaml, "CDumper"):
        return slow

    class Dumper(yaml.CDumper):
        yaml_representers = slow.yaml_representers
        yaml_multi_representers = slow.yaml_multi_representers

    return Dumper
