"""`flowerexp [overrides]`: run one experiment, or with -m a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.config.schema import Config
from flowerexp.errors import FlowerexpError
from flowerexp.escape import printable

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from flowerexp.config import Origin
    from flowerexp.orchestrate import Result


def main(arguments: Sequence[str]) -> int:
    """`flowerexp [overrides]`: the Hydra application."""
    from flowerexp import hydra_main

    hydra_main.main(arguments, Task(), before_run)
    return 0


def before_run(config: Config, origin: Origin) -> None:
    """Before a single run's folder is made: what can be found to be wrong already?"""
    from flowerexp.orchestrate import preflight
    from flowerexp.plan import PlannedRun
    from flowerexp.sweep.budget import check_budget

    try:
        preflight(config)
        check_budget([PlannedRun("", config, Path(), "")])
    except FlowerexpError as error:
        raise located(error, origin) from error


def located(error: FlowerexpError, origin: Origin) -> FlowerexpError:
    """The same error; where it names a config key, with the place where that was set."""
    if error.where is None or not re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", error.where):
        return error
    place = origin.of(error.where).partition(": ")[0]
    return type(error)(error.problem, where=f"{error.where} ({place})", hint=error.hint)


class Task:
    """What Hydra runs: one experiment. Our launcher knows by the mark that it may ship many of them as one batch.

    Args:
        present: whether a single run's table and answer are printed.
    """

    flowerexp_batches = True

    def __init__(self, present: bool = True) -> None:
        self._present = present

    def __call__(self, config: DictConfig) -> str | None:
        """One run, called by Hydra with its composed config.

        Returns:
            MLflow's run_id.

        Raises:
            FlowerexpError: the run failed.
        """
        return _run(config, self._present)


def _run(config: DictConfig, present: bool) -> str | None:
    from hydra.core.hydra_config import HydraConfig

    from flowerexp.app import origin_of
    from flowerexp.config import check, plain
    from flowerexp.config.redact import hide_in
    from flowerexp.console import Screen
    from flowerexp.orchestrate import run

    hydra: Any = HydraConfig.instance().cfg
    screen = Screen()
    folder = Path(hydra.hydra.runtime.output_dir)
    origin = origin_of(hydra)
    try:
        checked = check(config, origin)
        hide_in(folder.glob(f"{hydra.hydra.output_subdir}/*.yaml"), plain(checked))
        result = run(checked, folder, screen)
    except FlowerexpError as error:
        raise located(error, origin) from error
    if present:
        _present(result)
    if result.error:
        raise located(result.error, origin)
    return result.run_id


def _present(result: Result) -> None:
    """Print the table, the verdict, the answer, where things are, and the command that opens the UI."""
    from flowerexp.console import table
    from flowerexp.program import program

    lines: list[str] = []
    if result.analysis:
        verdict = result.analysis.verdict
        reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        lines += [
            "",
            table(result.analysis.summary.groups, result.run.config.experiment),
            "",
            f"verdict   {verdict.state}{reasons}",
        ]
        if pace := result.run.config.storage.simulated:
            lines.append(f"bucket    simulated: {pace}")
        if verdict.state == "valid":  # else the answer would say the same as the verdict
            lines.append(f"answer    {result.analysis.answer}")
    phases = {name: seconds for name, seconds in result.outcome.phases.items() if "." not in name}
    lines.append("seconds   " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in phases.items()))
    lines.append(f"folder    {_short(result.run.folder)}")
    if result.run_id:
        lines += [f"MLflow    run {result.run_id}", f"open      {program()} ui"]
    print(printable("\n".join(lines)))


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
