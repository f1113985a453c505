"""All that we use of OmegaConf's private modules beside its nodes: the same results in less time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf, _utils
from omegaconf import base as _base

_TEXTS = 4096
"""Different interpolations that are known by heart: those of a config, and those that a sweep sets."""


@contextmanager
def parsed_once() -> Iterator[None]:
    """Let OmegaConf parse an interpolation of the same text once: in a sweep, each run's config has the same ones."""
    nodes: Any = _base  # whose `parse` is not declared
    own = nodes.parse
    nodes.parse = lru_cache(_TEXTS)(own)
    try:
        yield
    finally:
        nodes.parse = own


@contextmanager
def read_in_c() -> Iterator[None]:
    """Let OmegaConf read YAML with libyaml, where PyYAML has it: that is faster than its own reader."""
    own = _utils.get_yaml_loader
    loader = _loader(own)
    _utils.get_yaml_loader = lambda: loader
    try:
        yield
    finally:
        _utils.get_yaml_loader = own


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
