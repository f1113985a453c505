"""What Hydra says of a config that it cannot compose, in one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.near import meant
from flowerexp.config.overrides import unreadable
from flowerexp.config.places import group_options, passed_over
from flowerexp.errors import ConfigError, did_you_mean, require


def explain(error: Exception, overrides: Sequence[str], loader: ConfigLoader) -> ConfigError:
    """Say in one line what Hydra says in several.

    Args:
        error: what Hydra or OmegaConf raised while it composed.
        overrides: of the command line.
        loader: the application's.
    """
    text = " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if (group, option) == ("hydra/sweeper", "optuna"):
            require("hydra/sweeper=optuna", ("hydra_plugins.hydra_optuna_sweeper",))
        is_typed = any(override.lstrip("+").partition("=")[::2] == (group, option) for override in overrides)
        return ConfigError(
            f"there is no {group}={option}" if group else f"there is no config {option}",
            where=(None if is_typed else _file(text)) or ("command line" if group else None),
            hint="; ".join(filter(None, [did_you_mean(option, error.options or []), passed_over()])) or None,
        )
    if isinstance(error, RecursionError):
        return ConfigError(
            "the defaults lists refer to each other in a circle", hint="look at the defaults lists of your own"
        )
    if isinstance(error, OverrideParseException):
        override = str(error.override)
        return unreadable(override if override in overrides else override.removeprefix("++"))
    if isinstance(error, ValueError) and not isinstance(error, OmegaConfBaseException):
        of_group = "Config group override" in text
        wrong = [
            override
            for override in overrides
            if of_group and override.partition("=")[0].lstrip("+~") in group_options()
        ]
        if not wrong:
            return ConfigError(text, hint="put names in the defaults list into quotes" if "defaults" in text else None)
        return ConfigError(
            f"{wrong[-1]} does not name an option", where="command line", hint="name one of the group's options"
        )
    if text.startswith("Error merging override "):
        problem = f"{text.removeprefix('Error merging override ').removeprefix('++')} does not fit what is there"
        return ConfigError(problem, where="command line")
    return _of_an_override(text, overrides, loader) or _of_a_key(text)


def explain_setup(error: Exception) -> ConfigError:
    """Say in one line why Hydra could not set up logging, or the environment of a run."""
    if isinstance(error, KeyError):
        return ConfigError(f"there is no environment variable {error}", where="hydra.job.env_copy")
    if isinstance(error, AssertionError | TypeError):
        return ConfigError("it must be true, false, or the names of loggers", where="hydra.verbose")
    reason = f": {error.__cause__}" if error.__cause__ else ""
    return ConfigError(" ".join(f"{error}{reason}".split()), where="hydra.job_logging")


def _of_an_override(text: str, overrides: Sequence[str], loader: ConfigLoader) -> ConfigError | None:
    """What is wrong with an override, where that is what is wrong."""
    nameless = next((override for override in overrides if override.startswith("=")), None)
    if nameless is not None:
        return unreadable(nameless)
    key = _unknown_key(text, overrides)
    if key in group_options():
        chosen = next(override for override in overrides if override.partition("=")[0] == key)
        hint = f"the experiment has no {key}: leave it out, or choose another entrypoint"
        return ConfigError(f"{chosen} has no effect", where="command line", hint=hint)
    if key == "experiment":
        chosen = next(override for override in overrides if override.startswith("experiment="))
        hint = passed_over() or "put experiment/NAME.yaml into conf/ in the current folder"
        return ConfigError(f"there is no {chosen}", where="command line", hint=hint)
    adding = next((override for override in overrides if override.startswith(f"{key}={{")), None)
    if key and adding and "To append to your config" in text:
        return ConfigError(f"{adding} sets keys that are not in {key}", where="command line", hint=f"write '+{adding}'")
    if key:
        return ConfigError(f"unknown key {key}", where="command line", hint=_near(key, overrides, loader))
    if twice := re.match(r"(?:Multiple values for )?(\S+?)(?:\. To override| appears more than once in)", text):
        hint = f"leave the + out: {twice[1]}=OPTION"
        return ConfigError(f"{twice[1]} is chosen already", where="command line", hint=hint)
    groups = group_options()
    asking = [line for line in overrides if "${" in line and line.partition("=")[0].lstrip("+") in groups]
    if asking and "nterpolation" in text:
        return ConfigError(
            f"{asking[0]} does not name an option", where="command line", hint="name one of the group's options"
        )
    return None


def _of_a_key(text: str) -> ConfigError:
    """What OmegaConf says of a key, which it names on a line of its own."""
    problem, _, rest = text.partition(" full_key: ")
    file = _file(text)
    if file:
        return ConfigError(problem.partition("': ")[2], where=file)
    return ConfigError(problem, where=rest.partition(" ")[0] or None)


def _file(text: str) -> str | None:
    """The config file of which Hydra speaks; None where that is the main one, and so most likely the command line."""
    named = re.match(r"In '([^']+)': ", text)
    return f"{named[1]}.yaml" if named and "/" in named[1] and not named[1].startswith("hydra/") else None


def _unknown_key(text: str, overrides: Sequence[str]) -> str | None:
    if "Could not override" not in text and "does not exist" not in text and "No match in the defaults" not in text:
        return None
    keys = [override.partition("=")[0].lstrip("+~") for override in overrides]
    return next((key for key in keys if f"'{key}'" in text or key in text.split()), None)


def _near(key: str, overrides: Sequence[str], loader: ConfigLoader) -> str | None:
    """The key that was meant by one that does not exist."""
    groups = group_options()
    kept = [line for line in overrides if line.partition("=")[0] in groups and line.count("=") == 1 and "," not in line]
    try:
        config = loader.load_configuration("config", kept, RunMode.RUN)
    except (HydraException, OmegaConfBaseException):
        config = loader.load_configuration("config", [], RunMode.RUN)
    plain: Any = OmegaConf.to_container(config, resolve=False)
    first = key.partition(".")[0]
    if first in group_options() and first not in plain:
        return f"the experiment has no {first}: leave it out, or choose another entrypoint"
    return meant(key, plain, [*group_options(), "experiment"])
