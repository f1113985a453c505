"""How the runs of a sweep are labelled on screen, and why a run must not bring a sweep of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from omegaconf import DictConfig, OmegaConf

from flowerexp.config.redact import redacted
from flowerexp.config.text import holds_text
from flowerexp.errors import ConfigError

_IN_YAML = {"True": "true", "False": "false"}  # as YAML has them


def labels(runs: Sequence[Sequence[str]], given: Collection[str] = ()) -> list[dict[str, str]]:
    """The overrides of each run that not all runs of the sweep share, secrets hidden.

    Args:
        runs: the overrides of each.
        given: those of the sweep itself, where the runs are only some of its runs.
    """
    shared = set(given) or (set(runs[0]).intersection(*runs[1:]) if len(runs) > 1 else set())
    split = [[override.partition("=") for override in overrides if override not in shared] for overrides in runs]
    return [{key.lstrip("+~"): _shown(key.lstrip("+~"), value) for key, _, value in own} for own in split]


def _shown(key: str, value: str) -> str:
    """An override's value as a label has it: true for on, and no secret."""
    return str(redacted(value if holds_text(key) else _IN_YAML.get(value, value), key))


def refuse_sweep_within(own: DictConfig, sweep: DictConfig) -> None:
    """Refuse a run whose own config asks for another sweep than the one that it is part of.

    That happens under `-m experiment=a,b` where these have axes: Hydra reads them when it composes the run, too late.

    Args:
        own: the run's `sweep` node.
        sweep: that of the sweep's config.

    Raises:
        ConfigError: they differ.
    """
    if OmegaConf.to_container(own) != OmegaConf.to_container(sweep):
        raise ConfigError(
            "its config has sweep axes of its own, in which it cannot be swept over",
            where="sweep",
            hint="run experiments with axes one at a time, such as experiment=caching",
        )
