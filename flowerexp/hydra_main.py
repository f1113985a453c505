"""Hydra's command line: run once, sweep, or show a config, as `hydra.main` does, with errors of one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from flowerexp.app import App, Before, Task, create
from flowerexp.config import check_plugins
from flowerexp.config.hydra_private import get_args_parser
from flowerexp.config.overrides import Parser, refuse_sweep
from flowerexp.errors import ConfigError, JobError


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read Hydra's own flags and the overrides.

    Raises:
        ConfigError: there is no such flag, or its value is missing or wrong.
    """

    def refuse(message: str) -> NoReturn:
        raise ConfigError(message, where="command line", hint="flowerexp --help lists the flags")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    args = parser.parse_intermixed_args(list(arguments))
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
        app.hydra_help(config_name=name, args_parser=get_args_parser(), args=args)
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
        raise JobError(f"{failed} of {len(returns)} runs failed", hint="their reasons stand above")


def _run(app: App, args: argparse.Namespace, name: str, task: Task, before: Before) -> None:
    overrides = list(args.overrides)
    config = app.compose_config(
        name,
        overrides,
        RunMode.MULTIRUN if args.multirun else RunMode.RUN,
        with_log_configuration=True,
        validate_sweep_overrides=False,
    )
    check_plugins(config.hydra)
    if args.multirun or (not args.run and config.hydra.mode == RunMode.MULTIRUN):
        try:
            batches = app.multirun(config_name=name, task_function=task, overrides=[*overrides, "hydra.mode=MULTIRUN"])
        except (CompactHydraException, OmegaConfBaseException) as error:
            raise app.explained(error, overrides) from error
        _raise_failures(batches)
        return
    for override in Parser.create().parse_overrides(overrides):
        refuse_sweep(override, "add -m to run them all")
    app.run_checked(config, name, task, before)
