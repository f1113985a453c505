"""Start a run or a sweep from Python, in this process, on the same path as the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.api.left_alone import left_alone
from flowerexp.api.results import Run, Sweep
from flowerexp.config.unswept import refuse_sweeps, refuse_unswept
from flowerexp.errors import ConfigError
from flowerexp.lookup.place import quoted

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from flowerexp.app import App

StrPath = str | Path

_HINT = "call flowerexp.sweep with the same words"


def run(*overrides: str, config_dir: StrPath | None = None, home: StrPath | None = None) -> Run:
    """Run one experiment, as `flowerexp OVERRIDES` does, and wait for it.

    Args:
        *overrides: what to choose, such as ``"entrypoint=aggregate"`` and ``"caching=false"``.
        config_dir: a folder of your own configs.
        home: the folder that data, outputs and the MLflow store are in; by default ``FLOWEREXP_HOME``, or else the
            current one.

    Returns:
        The finished run.

    Raises:
        FlowerexpError: the config is wrong, and nothing was started; or the run failed.
    """
    from flowerexp.app import origin_of
    from flowerexp.commands.experiment import Task, before_run
    from flowerexp.hydra_main import first_composed, is_sweep

    with left_alone():
        app, words = _app(overrides, config_dir, home)
        config = first_composed(app, words, multirun=False)
        refuse_sweeps(overrides, _HINT)
        if is_sweep(config):
            raise ConfigError(f"{', '.join(overrides)} is a sweep", where="flowerexp.run", hint=_HINT)
        refuse_unswept(config, origin_of(config), _HINT)
        returned = app.run_checked(config, "config", Task(present=False), before_run)
    assert returned.hydra_cfg is not None
    return Run(Path(str(returned.hydra_cfg.hydra.runtime.output_dir)))


def sweep(*overrides: str, config_dir: StrPath | None = None, home: StrPath | None = None) -> Sweep:
    """Run a sweep, as `flowerexp -m OVERRIDES` does, and wait for it.

    Args:
        *overrides: what to choose, and what to vary, such as ``"preprocess.shards=2,16"`` or
            ``"experiment=caching"``.
        config_dir: a folder of your own configs.
        home: the folder that data, outputs and the MLflow store are in; by default ``FLOWEREXP_HOME``, or else the
            current one.

    Returns:
        The sweep. That runs failed is no error: `Sweep.failed` says which ones, and why.

    Raises:
        FlowerexpError: the config is wrong, and nothing was started; or the sweep was stopped.
    """
    from flowerexp.commands.experiment import Task
    from flowerexp.hydra_main import first_composed
    from flowerexp.hydra_main import sweep as start

    with left_alone():
        app, words = _app(overrides, config_dir, home)
        config = first_composed(app, words, multirun=True)
        folder = _folder(config)
        start(app, [*words, f"hydra.sweep.dir={quoted(folder)}"], config, Task(present=False))
    return Sweep(folder)


def _app(overrides: tuple[str, ...], config_dir: StrPath | None, home: StrPath | None) -> tuple[App, list[str]]:
    from flowerexp.app import create

    words = [*overrides, *([f"home={quoted(Path(home).absolute())}"] if home is not None else [])]
    return create(None if config_dir is None else str(config_dir)), words


def _folder(config: DictConfig) -> Path:
    """The folder of the sweep that a config is about to become, which has a name of its own each time."""
    return Path(str(config.hydra.sweep.dir)).absolute()
