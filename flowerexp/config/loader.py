"""Hydra's config loader, in which text stays what was typed, in YAML files as on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.hydra_private import CachingConfigRepository, ConfigLoaderImpl, IConfigRepository
from flowerexp.config.omegaconf_private import read_quickly
from flowerexp.config.overrides import Parser
from flowerexp.config.renamed import config_of, path_of
from flowerexp.config.text import as_typed, holds_text
from flowerexp.errors import ConfigError


class Loader(ConfigLoaderImpl):
    """Hydra's loader, but for keys that hold text: in `path: 2024_10`, YAML would see the number 202410."""

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed = Parser.create().parse_overrides(overrides)
        repository = _Repository(self.repository)
        self._process_config_searchpath(config_name, parsed, repository)
        return parsed, repository

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        if not str(loaded.path).startswith("structured:") and OmegaConf.is_dict(loaded.config):
            package = loaded.header["package"] if default.package is None else default.package
            _rename(loaded)
            _restore_texts(loaded, str(default.config_path), "" if package in (None, "_global_") else str(package))
        return loaded


def _rename(loaded: ConfigResult) -> None:
    """Old keys of a config, by today's names."""
    content: Any = OmegaConf.to_container(loaded.config, resolve=False)
    if isinstance(content, dict) and (renamed := config_of(content)) != content:
        loaded.config = OmegaConf.create(renamed)


class _Repository(CachingConfigRepository):
    """Reads configs; names the file that cannot be read."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """See Hydra's `IConfigRepository.load_config`.

        Raises:
            ConfigError: it is not YAML that Hydra accepts.
        """
        config_path = path_of(config_path)
        try:
            loaded = self._load_quickly(config_path)
        except (yaml.YAMLError, ValueError, RecursionError, OmegaConfBaseException) as error:
            raise ConfigError(_reason(error), where=f"{config_path}.yaml") from error
        return loaded

    def _load_quickly(self, config_path: str) -> ConfigResult | None:
        loaded: ConfigResult | None
        try:
            with read_quickly():
                loaded = super().load_config(config_path)
        except yaml.YAMLError:
            loaded = super().load_config(config_path)  # whose messages say more
        return loaded


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in a line."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"this is not YAML: {error.problem or error.context}{line}"
    if isinstance(error, UnicodeDecodeError):
        return f"this is not text in UTF-8: {error.reason} at byte {error.start}"
    if isinstance(error, RecursionError):
        return "a part of it contains itself"
    if isinstance(error, OmegaConfBaseException):
        return ": ".join(filter(None, [error.full_key, str(error.msg or error).splitlines()[0]]))
    return " ".join(str(error).split())


def _restore_texts(loaded: ConfigResult, name: str, package: str) -> None:
    """Put the text back where YAML made a number or a truth value of it, though the key holds text.

    Args:
        loaded: a config, below the keys of its package.
        name: of the config, such as ``dataset/mine``.
        package: the keys with dots; empty for the whole config.

    Raises:
        ConfigError: the file's text cannot be read from here, and a number may not be what was written.
    """
    numbers = list(_numbers_for_texts(OmegaConf.to_container(loaded.config, resolve=False), [], ""))
    texts = _texts(str(loaded.path), name) if numbers else None
    depth = len(package.split(".")) if package else 0
    for path, key, value in numbers:
        text = _item(texts, path[depth:])
        if text is None:
            problem = f"{key}={value} is text, and is written as something else"
            raise ConfigError(problem, where=f"{loaded.path}: {name}", hint="put it into quotes there")
        node: Any = loaded.config
        for part in path[:-1]:
            node = node._get_node(part)
        with flag_override(node, ["readonly", "struct"], False):
            node[path[-1]] = as_typed(key, value, text)


def _numbers_for_texts(value: Any, path: list[Any], key: str) -> Iterator[tuple[list[Any], str, float]]:
    """What is a number or a truth value though its key holds text: the way to it, its key with dots, and its value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers_for_texts(inner, [*path, name], f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _numbers_for_texts(inner, [*path, place], key)
    elif isinstance(value, bool | int | float) and holds_text(key):
        yield path, key, value


class _TextLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads every scalar as text, and knows what `<<` is."""

    yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", yaml.SafeLoader.yaml_implicit_resolvers["<"][0][1])]}  # noqa: RUF012


def _texts(source: str, name: str) -> Any:
    """The content of a config's file with all scalars as text; None where that is not a file."""
    if not source.startswith("file://"):
        return None
    path = Path(source.removeprefix("file://")) / ConfigSource._normalize_file_name(name)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_TextLoader)


def _item(content: Any, path: Sequence[Any]) -> str | None:
    """The text at a place of what `_texts` gives; None where there is none."""
    for part in path:
        if isinstance(content, dict) and str(part) in content:
            content = content[str(part)]
        elif isinstance(content, list):
            content = content[part]
        else:
            return None
    return content if isinstance(content, str) else None
