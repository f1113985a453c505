"""All that we use of Hydra's private modules, in one place. Hydra is pinned, and tests compare with its own results."""

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args, get_args_parser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

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
]


def apply_overrides(overrides: list[Override], config: DictConfig) -> None:
    """Apply parsed overrides to a config, as Hydra applies values to what it composed from files; in place.

    Raises:
        ConfigCompositionException: one of them cannot be applied.
    """
    ConfigLoaderImpl._apply_overrides_to_config(overrides, config)


def grammar_text(value: object) -> str:
    """A value of an override as Hydra's grammar writes it."""
    text: str = Override._get_value_element_as_str(value)  # type: ignore[arg-type]
    return text
