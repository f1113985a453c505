"""Hydra's command line: run once, sweep, or show a config, as `hydra.main` does, with errors of one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from flowerexp.app import App, Before, Task, create, origin_of
from flowerexp.config import check_plugins
from flowerexp.config.hydra_private import get_args_parser
from flowerexp.config.objective import direction
from flowerexp.config.unswept import refuse_sweeps, refuse_unswept
from flowerexp.errors import ConfigError, JobError

_HINT = "add -m to run them all"


def parser() -> argparse.ArgumentParser:
    """Hydra's own flags, and `--detach`."""
    flags = get_args_parser()
    flags.add_argument("--detach", action="store_true", help="leave a sweep to itself once its jobs are submitted")
    return flags


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read Hydra's own flags and the overrides.

    Raises:
        ConfigError: there is no such flag, or its value is missing or wrong.
    """

    def refuse(message: str) -> NoReturn:
        raise ConfigError(message, where="command line", hint="flowerexp --help lists the flags")

    flags = parser()
    flags.error = refuse  # type: ignore[method-assign]
    args = flags.parse_intermixed_args(list(arguments))
    for flag in ("config_path", "experimental_rerun"):
        if getattr(args, flag) is not None:
            refuse(f"flowerexp has no --{flag.replace('_', '-')}")
    return args


def main(arguments: Sequence[str], task: Task, before: Before) -> None:
    """Do what Hydra's command line does: run, sweep, or show.

    Args:
        arguments: the command line without the program's name.
        task: called with each composed config, without its Hydra node.
        before: called with a single run's checked config before its folder is made.

    Raises:
        FlowerexpError: what a user can mend.
    """
    args = parse(arguments)
    app = create(args.config_dir)
    name = args.config_name or "config"
    try:
        if not _show(app, args, name):
            _run(app, args, name, task, before)
    finally:
        GlobalHydra.instance().clear()


def _show(app: App, args: argparse.Namespace, name: str) -> bool:
    """Serve the flags that only show something; True if there was one."""
    if args.hydra_help:
        app.hydra_help(config_name=name, args_parser=parser(), args=args)
    elif args.cfg:
        app.show_cfg(name, args.overrides, cfg_type=args.cfg, package=args.package, resolve=args.resolve)
    elif args.info:
        app.show_info(args.info, config_name=name, overrides=args.overrides)
    elif args.shell_completion:
        app.shell_completion(config_name=name, overrides=args.overrides)
    else:
        return False
    return True


def _raise_failures(batches: Any) -> None:
    """End a sweep in which runs failed with an error; each of them was shown with its own reason."""
    returns = [job for batch in batches or [] for job in batch if isinstance(job, JobReturn)]
    failed = sum(job.status is JobStatus.FAILED for job in returns)
    if failed:
        raise JobError(f"{failed} of {len(returns)} runs failed", hint="the reasons are above")


def _run(app: App, args: argparse.Namespace, name: str, task: Task, before: Before) -> None:
    overrides = list(args.overrides)
    config = first_composed(app, overrides, args.multirun, name)
    if args.multirun or (not args.run and is_sweep(config)):
        app.detach = args.detach
        _raise_failures(sweep(app, overrides, config, task, name))
        return
    if args.detach:
        raise ConfigError("only a sweep can be detached", where="--detach", hint="add -m to make it a sweep")
    refuse_sweeps(overrides, _HINT)
    if not args.run:  # with --run, a single run of what describes a sweep is what was asked for
        refuse_unswept(config, origin_of(config), _HINT)
    app.run_checked(config, name, task, before)


def first_composed(app: App, overrides: Sequence[str], multirun: bool, name: str = "config") -> DictConfig:
    """The config of a run, or that of a sweep itself, with Hydra's node, and its plugins checked.

    Args:
        app: the application.
        overrides: those of the command line.
        multirun: whether a sweep was asked for; an experiment may be one by itself, see `is_sweep`.
        name: of the main config.

    Raises:
        ConfigError: it is wrong.
    """
    mode = RunMode.MULTIRUN if multirun else RunMode.RUN
    config = app.compose_config(name, [*overrides], mode, with_log_configuration=True, validate_sweep_overrides=False)
    check_plugins(config.hydra)
    return config


def is_sweep(config: DictConfig) -> bool:
    """Whether a composed config says that it is that of a sweep."""
    return bool(config.hydra.mode == RunMode.MULTIRUN)


def sweep(app: App, overrides: Sequence[str], config: DictConfig, task: Task, name: str = "config") -> Any:
    """Sweep; gives what the sweeper returns.

    Args:
        app: the application.
        overrides: those of the command line.
        config: what `first_composed` made of them.
        task: called with each composed config.
        name: of the main config.

    Raises:
        FlowerexpError: something is wrong, and nothing was started; or all was stopped.
    """
    more = ["hydra.mode=MULTIRUN", *(direction(config, overrides) if config.get("objective") else ())]
    try:
        return app.multirun(config_name=name, task_function=task, overrides=[*overrides, *more])
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise app.explained(error, overrides) from error
    finally:
        if app.at_end:
            app.at_end()
