"""`flowerexp rerun RUN_ID [KEY=VALUE ...]`: run the exact config of an earlier run again, from MLflow alone."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.commands.compare import side_by_side, why_not
from flowerexp.commands.experiment import located
from flowerexp.config import Origin, keys_with, plain
from flowerexp.config.places import group_options
from flowerexp.config.redact import HIDDEN
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError, FlowerexpError, from_os_error
from flowerexp.escape import printable
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from flowerexp.orchestrate import Result
    from flowerexp.tracking.fetch import LoggedRun


def main(arguments: Sequence[str]) -> int:
    """Run it again, after showing what differs now; ends with both runs side by side."""
    parser = argparse.ArgumentParser(prog="flowerexp rerun", description="Run the config of an earlier run again.")
    parser.add_argument("run", metavar="RUN_ID", help="MLflow's run_id, or at least its first 4 characters")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="values to change; groups stay as they were")
    options = parser.parse_args(arguments)

    from flowerexp.app import composed
    from flowerexp.console import Screen
    from flowerexp.orchestrate import preflight, run
    from flowerexp.tracking import Store
    from flowerexp.tracking.fetch import find

    own = [text for text in options.overrides if _root(text) in keys_with("place")]
    others = [text for text in options.overrides if _root(text) not in keys_with("place")]
    place = composed(own)
    old = find(Store.of(place.tracking), options.run)
    origin = _RunsOrigin(overrides=options.overrides, run=old.short_id)
    config = again(plain(old.config), plain(place), others, origin)
    try:
        preflight(config)
        print(printable(_announced(old, config)), flush=True)
        name = {} if others else {"name": old.name}  # what a sweep said of it holds as long as nothing is changed
        result = run(config, _new_folder(Path(config.home)), Screen(), {"rerun_of": old.run_id, **name})
    except FlowerexpError as error:
        raise located(error, origin) from error
    _present(old, result)
    if result.error:
        raise located(result.error, origin)
    return 0


def _root(override: str) -> str:
    return override.partition("=")[0].lstrip("+~").partition(".")[0]


@dataclass(frozen=True)
class _RunsOrigin(Origin):
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

    from flowerexp.config import check
    from flowerexp.config.hydra_private import apply_overrides

    parsed = _parsed(overrides)
    now = {key: place[key] for key in keys_with("place", "sweep")}
    config = OmegaConf.create(_literal({**old, **now, "skip_finished": False}))
    try:
        apply_overrides(parsed, config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split()), where="command line") from error
    for key in _hidden(OmegaConf.to_container(config)):
        if key.partition(".")[0] not in keys_with("place"):
            problem = f"{key} was a secret, which MLflow does not keep"
            raise ConfigError(problem, where=origin.of(key), hint=f"give it again: {key}=VALUE")
    return check(config, origin)


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


def _new_folder(home: Path) -> Path:
    """Make a folder for the run, as any other run has one: home/outputs/DATE/TIME-ID.

    Raises:
        MachineError: it cannot be made.
    """
    now = datetime.now()
    folder = home / "outputs" / now.strftime("%Y-%m-%d") / f"{now.strftime('%H-%M-%S')}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True, exist_ok=False)
    except OSError as error:
        raise from_os_error(error, "making the run's folder") from error
    return folder


def _announced(old: LoggedRun, config: Config) -> str:
    """What is run again, and what differs now."""
    from flowerexp.tracking.drift import drift, here, made_with

    changes = drift(made_with(old.tags), here(config))
    lines = [["differs now", "then", "now"], *([change.what, change.then, change.now] for change in changes)]
    head = f"running {old.short_id} ({old.name}) again"
    return f"{head}\n\n{text_table(lines)}" if changes else f"{head}; nothing differs here since"


def _present(old: LoggedRun, result: Result) -> None:
    """Print old and new side by side, and where the new run is."""
    from flowerexp.tracking.fetch import find

    lines = []
    if result.run_id:
        new = find(old.store, result.run_id)
        lines.append(side_by_side([[old], [new]], why_not(old, new)))
    lines.append(f"folder    {result.run.folder}")
    if result.run_id:
        lines.append(f"run       {result.run_id}, rerun of {old.run_id}")
    print(printable("\n" + "\n".join(lines)))
