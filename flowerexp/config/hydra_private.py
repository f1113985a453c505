"""All that we use of Hydra's private modules, in one place. Hydra is pinned, and tests compare with its own results."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import yaml
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args, get_args_parser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, _utils

__all__ = [
    "BasicLauncher",
    "CachingConfigRepository",
    "Callbacks",
    "ConfigLoaderImpl",
    "Hydra",
    "IConfigRepository",
    "apply_overrides",
    "create_config_search_path",
    "get_args",
    "get_args_parser",
    "grammar_text",
    "read_in_c",
]


def apply_overrides(overrides: list[Override], config: DictConfig) -> None:
    """Apply parsed overrides to a config, as Hydra applies values to what it composed from files; in place.

    Raises:
        ConfigCompositionException: one of them cannot be applied.
    """
    ConfigLoaderImpl._apply_overrides_to_config(overrides, config)


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


def grammar_text(value: object) -> str:
    """A value of an override as Hydra's grammar writes it."""
    text: str = Override._get_value_element_as_str(value)  # type: ignore[arg-type]
    return text
