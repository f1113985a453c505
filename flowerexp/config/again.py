"""The config of an earlier run, taken up again: as MLflow has it, at this machine's places, with values changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp.config import Origin, check, is_of, keys_with
from flowerexp.config.earlier import with_optional
from flowerexp.config.places import group_options
from flowerexp.config.redact import HIDDEN
from flowerexp.config.roles import Role
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def root_of(override: str) -> str:
    """The first part of the key that an override sets."""
    return override.partition("=")[0].lstrip("+~").partition(".")[0]


def sets(override: str, *roles: Role) -> bool:
    """Does an override set something that has one of these roles?"""
    return is_of(override.partition("=")[0].lstrip("+~"), *roles)


@dataclass(frozen=True)
class RunsOrigin(Origin):
    """Where a value of a rerun was set: on the command line, else in the run's own config."""

    run: str = ""

    def of(self, key: str) -> str:
        """See `Origin.of`."""
        place = super().of(key)
        return f"config of run {self.run}: {key}" if place == f"config: {key}" else place


def again(old: Mapping[str, Any], place: Mapping[str, Any], overrides: Sequence[str], origin: Origin) -> Config:
    """The checked config of a rerun.

    Args:
        old: the run's config, as it was logged: resolved, secrets hidden.
        place: a config of this machine; where data and runs are kept is taken from it.
        overrides: single values to change, in Hydra's grammar.
        origin: where values come from, for messages.

    Raises:
        ConfigError: an override is wrong, or a secret is missing.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from flowerexp.config.hydra_private import apply_overrides

    parsed = _parsed(overrides)
    config = OmegaConf.create(_literal({**_placed(with_optional(old), place, origin), "skip_finished": False}))
    try:
        apply_overrides(parsed, config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split()), where="command line") from error
    for key in _hidden(OmegaConf.to_container(config)):
        if not is_of(key, "place"):
            problem = f"{key} was a secret, which MLflow does not keep"
            raise ConfigError(problem, where=origin.of(key), hint=f"give it again: {key}=VALUE")
    return check(config, origin)


def _placed(old: Mapping[str, Any], place: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """A run's config at this machine's places; with `storage=OPTION` on the command line, all of that is new."""
    chosen = {"storage"} if any(text.startswith("storage=") for text in origin.overrides) else set()
    placed = {**old}
    for key in (*sorted(keys_with("place", "sweep")), *chosen):
        node, _, name = key.partition(".")
        if node in place:
            placed[node] = {**placed.get(node, {}), name: place[node][name]} if name else place[node]
    return placed


def _parsed(overrides: Sequence[str]) -> list[Override]:
    """The overrides, if each sets a single value.

    Raises:
        ConfigError: one of them cannot be read, is a sweep, or chooses a config group.
    """
    from hydra.errors import OverrideParseException

    from flowerexp.config.overrides import Parser, refuse_sweep, unreadable

    parsed = []
    for text in overrides:
        try:
            (override,) = Parser.create().parse_overrides([text])
        except OverrideParseException as error:
            raise unreadable(text) from error
        key = override.key_or_group
        refuse_sweep(override, "choose one")
        if "/" in key or (key in group_options() and not isinstance(override.value(), dict)):
            hint = f"change single values, such as {key}.KEY=VALUE, or start a new run: flowerexp {text}"
            raise ConfigError(f"{text} chooses a config, and a rerun keeps its own", where="command line", hint=hint)
        parsed.append(override)
    return parsed


def _literal(value: Any) -> Any:
    """The same value, with what looks like an interpolation escaped: the config is resolved already."""
    if isinstance(value, dict):
        return {key: _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _hidden(value: Any, key: str = "") -> Iterator[str]:
    """The keys whose values were hidden when the run was logged."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _hidden(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        if any(True for inner in value for _ in _hidden(inner, key)):
            yield key
    elif isinstance(value, str) and HIDDEN in value:
        yield key
