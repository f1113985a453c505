"""`flowerexp rerun RUN [KEY=VALUE ...]`: run the exact config of an earlier run again."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.commands.experiment import located
from flowerexp.config import plain
from flowerexp.config.again import RunsOrigin, again, sets
from flowerexp.config.places import is_rehearsed
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError, FlowerexpError, from_os_error
from flowerexp.escape import printable
from flowerexp.program import program
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.lookup.saved import SavedRun
    from flowerexp.orchestrate import Result


def main(arguments: Sequence[str]) -> int:
    """Run it again, after showing what differs now; ends with both runs side by side."""
    parser = argparse.ArgumentParser(prog="flowerexp rerun", description="Run the config of an earlier run again.")
    parser.add_argument(
        "run", metavar="RUN", help="a folder or a part of its name, SWEEP/RUN, an MLflow run_id or name, or last"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="single values to change; groups cannot be changed"
    )
    options = parser.parse_args(arguments)

    from flowerexp.console import Screen
    from flowerexp.lookup.names import find
    from flowerexp.lookup.place import Place
    from flowerexp.orchestrate import preflight, run

    own = [text for text in options.overrides if sets(text, "place")]
    others = [text for text in options.overrides if not sets(text, "place")]
    place = Place(own)
    old = find(options.run, place, "run").run
    if is_rehearsed(Path(old.config.home) / "outputs"):
        problem = f"{old.short_id} was rehearsed: its servers are gone, and it would be made in the real cloud"
        raise ConfigError(problem, where="run", hint=f"rehearse it again: {program()} rehearse ...")
    origin = RunsOrigin(overrides=options.overrides, run=old.short_id)
    config = again(plain(old.config), plain(place.config), others, origin)
    try:
        preflight(config)
        print(printable(_announced(old, config)), flush=True)
        name = {} if others else {"name": old.name}  # what a sweep said of it holds as long as nothing is changed
        result = run(config, _new_folder(Path(config.home)), Screen(), {"rerun_of": old.run_id or old.short_id, **name})
    except FlowerexpError as error:
        raise located(error, origin) from error
    _present(old, result)
    if result.error:
        raise located(result.error, origin)
    return 0


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


def _announced(old: SavedRun, config: Config) -> str:
    """What is run again, and what differs now."""
    from flowerexp.tracking.drift import drift, here, made_with

    changes = drift(made_with(old.tags), here(config))
    lines = [["differs now", "then", "now"], *([change.what, change.then, change.now] for change in changes)]
    head = f"running {old.short_id} ({old.name}) again"
    return f"{head}\n\n{text_table(lines)}" if changes else f"{head}; nothing differs here since"


def _present(old: SavedRun, result: Result) -> None:
    """Print old and new side by side, and where the new run is."""
    from flowerexp.comparing.sides import Comparison, why_not
    from flowerexp.comparing.text import side_by_side
    from flowerexp.lookup.saved import FolderRun

    lines = [f"folder    {result.run.folder}"]
    if result.run_id:
        new = FolderRun.of(result.run.folder)
        lines.insert(0, side_by_side(Comparison([[old], [new]], why_not(old, new))))
        lines.append(f"run       {result.run_id}, rerun of {old.run_id or old.short_id}")
    print(printable("\n" + "\n".join(lines)))
