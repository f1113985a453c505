"""Compose the configs of many runs quickly: Hydra composes each choice of groups once, values are applied to copies.

Hydra's own composition takes 0.1 s a run. `_apply_overrides_to_config` is the function with which Hydra itself applies
values to what it composed from files; it is private, so Hydra is pinned, and a test compares with Hydra's results.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.app import App, origin_of, without_hydra
from flowerexp.config import Origin
from flowerexp.config.answers import answer, asks_hydra
from flowerexp.config.hydra_private import ConfigLoaderImpl, apply_overrides
from flowerexp.config.overrides import Parser, forced


@dataclass(frozen=True)
class Composed:
    """A run's composed config, not resolved and not checked.

    Attributes:
        config: the config without Hydra's node; the caller's own.
        origin: how it was composed.
        base: the whole config, with Hydra's node, of the same choice of groups and without the run's values; shared by
            all runs that choose the same, so not to be changed.
    """

    config: DictConfig
    origin: Origin
    base: DictConfig

    @property
    def overrides(self) -> Sequence[str]:
        """The run's overrides, without Hydra's own."""
        return self.origin.overrides

    @property
    def choices(self) -> Mapping[str, str | None]:
        """The option that was chosen in each group, Hydra's groups included."""
        return self.origin.choices


@dataclass(frozen=True)
class _Base:
    """What runs with the same choice of groups share.

    `plain` is the config without Hydra's node, pickled: a copy by way of that takes a fifth of the time of `deepcopy`.
    It never leaves this process.
    """

    full: DictConfig
    plain: bytes
    origin: Origin
    needs_hydra: bool


class Composer:
    """Compose runs of one application.

    Args:
        app: the application; its config loader composes.
        config_name: the main config.
        master: a sweep's own config: its Hydra overrides, and what its resolvers gave (such as `now`), hold for every
            run, as they do under Hydra's own sweeper.
    """

    def __init__(self, app: App, config_name: str, master: DictConfig | None = None) -> None:
        self._app = app
        self._config_name = config_name
        self._master = master
        self._hydra_overrides = _lines(master.hydra.overrides.hydra) if master is not None else []
        self._bases: dict[tuple[str, ...], _Base] = {}
        self._is_group: dict[tuple[str, ...], Callable[[str], bool]] = {}
        self._parse = functools.lru_cache(maxsize=65536)(Parser.create().parse_override)

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The config of one run, equal to what Hydra would compose.

        Args:
            overrides: of one run, as `grammar.expand` gives them.

        Raises:
            ConfigError: it cannot be composed; the message is that of `App.compose_config`.
        """
        lines = [*self._hydra_overrides, *overrides]
        try:
            parsed = [self._parse(line) for line in lines]
            ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, RunMode.RUN, from_shell=True)
            shaping = [line for line, override in zip(lines, parsed, strict=True) if self._shapes(override, parsed)]
        except Exception:
            self._app.compose_config(self._config_name, lines, RunMode.RUN)  # explains what is wrong
            raise
        base = self._base(tuple(shaping))
        values = [self._forced(line) for line in lines if line not in shaping]
        task = [line for line, override in zip(lines, parsed, strict=True) if not override.is_hydra_override()]
        origin = replace(base.origin, overrides=task)
        if base.needs_hydra or any(asks_hydra(str(override.value())) for override in values):
            return self._compose_whole(lines, origin)
        config = pickle.loads(base.plain)
        try:
            apply_overrides(values, config)
        except (CompactHydraException, OmegaConfBaseException) as error:
            raise self._app.explained(error, lines) from error
        return Composed(config, origin, base.full)

    def itself(self, overrides: Sequence[str]) -> Composed:
        """What `compose` gives for the overrides of the master, which is a single run's and is composed already."""
        assert self._master is not None
        plain = without_hydra(self._master)
        if asks_hydra(str(OmegaConf.to_container(plain, resolve=False))):
            return self.compose(overrides)
        self._adopt_cache(plain)
        return Composed(plain, origin_of(self._master), self._master)

    def _shapes(self, override: Override, overrides: Sequence[Override]) -> bool:
        """Does an override choose a group's option, or belong to Hydra? Only Hydra can compose these."""
        if override.is_hydra_override():
            return True
        if isinstance(override.value(), dict):
            return False
        paths = [override for override in overrides if override.key_or_group == "hydra.searchpath"]
        places = tuple(str(override.input_line) for override in paths)
        if places not in self._is_group:
            loader: Any = self._app.config_loader
            _, repository = loader._parse_overrides_and_create_caching_repo(self._config_name, list(places))
            self._is_group[places] = functools.cache(repository.group_exists)  # it looks for a folder
        return self._is_group[places](override.key_or_group)

    def _forced(self, line: str) -> Override:
        """What `forced` makes of a line, which is read only once where a `++` before it is all."""
        text = forced(line)
        if text != f"++{line}":
            return self._parse(text)
        plain = self._parse(line)
        return replace(plain, type=OverrideType.FORCE_ADD, input_line=f"++{plain.input_line}")

    def _base(self, shaping: tuple[str, ...]) -> _Base:
        if shaping not in self._bases:
            full = self._app.compose_config(self._config_name, list(shaping), RunMode.RUN)
            self._adopt_cache(full)
            plain = without_hydra(full)
            self._adopt_cache(plain)
            needs_hydra = asks_hydra(str(OmegaConf.to_container(plain, resolve=False)))
            self._bases[shaping] = _Base(full, pickle.dumps(plain), origin_of(full), needs_hydra)
        return self._bases[shaping]

    def _adopt_cache(self, config: DictConfig) -> None:
        if self._master is not None:
            OmegaConf.copy_cache(from_config=self._master, to_config=config)

    def _compose_whole(self, lines: list[str], origin: Origin) -> Composed:
        """The long way, for a config that asks Hydra's node for something: composed whole, the answers filled in."""
        full = self._app.compose_config(self._config_name, lines, RunMode.RUN)
        self._adopt_cache(full)
        answer(full)
        return Composed(without_hydra(full), origin, full)


def _lines(overrides: ListConfig) -> list[str]:
    """Overrides as they were typed: interpolations in them are not resolved."""
    lines = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(lines, list)
    return lines
