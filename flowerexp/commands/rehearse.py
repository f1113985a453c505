"""`flowerexp rehearse [-m] [overrides]`: the same runs against servers of this machine that stand for Google."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowerexp.cluster.google.kind import GoogleKind
from flowerexp.cluster.kind import kind_of
from flowerexp.config.again import root_of
from flowerexp.config.paths import data_folders
from flowerexp.config.places import default_home, group_options, own_folder
from flowerexp.config.schema import LIVE
from flowerexp.errors import ClusterError, ConfigError, FlowerexpError, did_you_mean, require
from flowerexp.escape import printable
from flowerexp.plan import PlannedRun
from flowerexp.program import program

HOME = "rehearsal"
"""The folder of rehearsals, in the home folder."""
_PROJECT = "GOOGLE_CLOUD_PROJECT"
_STAND_IN = "rehearsal-project"
_OWN = re.compile(r"[+~]*(home|tracking[@.][^=]*|tracking|skip_finished|hydra\.(run|sweep)\.dir)(=|$)")
"""What a rehearsal decides for itself, so that it is never mixed with real runs."""
_DATA = ("dataset=synthetic", "dataset.images=160", "sampling=smoke")
"""The data of an experiment that uses any, where the command line names none."""


def main(arguments: Sequence[str]) -> int:
    """Rehearse, and print the account."""
    from flowerexp.rehearsal.plays import PLAYS

    faults = "".join(f"\n  {name:<13} {play.said}" for name, play in PLAYS.items())
    parser = argparse.ArgumentParser(
        prog="flowerexp rehearse",
        description="Make the same runs against servers on this machine that stand for Google, at no cost.",
        epilog=f"faults:{faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep over comma-separated values")
    parser.add_argument("--config-name", "-cn", metavar="NAME", default="config", help="another main config")
    parser.add_argument("--fault", metavar="NAME", help="let one thing go wrong, see below")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="those of the real command")
    options = parser.parse_intermixed_args(list(arguments))
    if options.fault is not None and options.fault not in PLAYS:
        hint = did_you_mean(options.fault, PLAYS) or f"choose from {', '.join(PLAYS)}"
        raise ConfigError(f"'{options.fault}' is not the name of a fault", where="command line: --fault", hint=hint)
    return _rehearse(options.overrides, options.multirun, options.config_name, options.fault)


def _rehearse(typed: Sequence[str], multirun: bool, name: str, fault: str | None) -> int:
    from flowerexp.commands import experiment

    os.environ.setdefault(_PROJECT, _STAND_IN)
    home = _home(typed)
    kept = [text for text in typed if not _OWN.match(text)]
    overrides = [*kept, *_sample(kept, multirun, name), *_apart(home)]
    runs = _planned(overrides, multirun, name)
    if any(run.config.budget.prices == LIVE for run in runs):  # which would be asked for in the real cloud
        overrides.append("budget.prices=null")
        runs = _planned(overrides, multirun, name)
    require("flowerexp rehearse", ("gcp_storage_emulator", "google.cloud.dataproc_v1", "google.cloud.storage", "gcsfs"))
    from flowerexp.rehearsal.rehearsal import rehearsing

    with rehearsing(runs, home, _project(runs), fault) as rehearsal:
        print("rehearsal: servers on this machine stand for Google; nothing is created, and nothing costs money")
        if len(kept) < len(typed):
            print(f"left out: {' '.join(text for text in typed if text not in kept)}: a rehearsal has its own")
        print()
        try:
            experiment.main(["--config-name", name, *(["-m"] if multirun else []), *overrides])
        finally:
            print(printable("\n" + "\n".join(rehearsal.lines())))
            print("note      rates and answers are those of this machine, and say nothing about the cloud")
            print(f"kept in   {home}: FLOWEREXP_HOME={home} {program()} ui", flush=True)
        if left := rehearsal.left():
            raise ClusterError(
                f"the rehearsal has left {', '.join(left)}", hint="this is a bug of flowerexp: report it"
            )
    return 0


def _home(typed: Sequence[str]) -> Path:
    """The folder of the rehearsals: in the home folder that the real command would have."""
    named = [text.partition("=")[2] for text in typed if root_of(text) == "home"]
    return (Path(named[-1]).expanduser().absolute() if named else default_home()) / HOME


def _sample(typed: Sequence[str], multirun: bool, name: str) -> Iterator[str]:
    """What is small where the command line says nothing of it."""
    named = {root_of(text) for text in typed}
    if "measure" not in named:
        yield "measure.repetitions=1"
    if not named & {"dataset", "sampling"} and "dataset" in _uses(typed, multirun, name):
        yield from _DATA


def _uses(overrides: Sequence[str], multirun: bool, name: str) -> Sequence[str]:
    """The config nodes that the experiment declares to use; of several, the first one."""
    from hydra.core.global_hydra import GlobalHydra

    from flowerexp.app import create
    from flowerexp.hydra_main import first_composed

    try:
        uses: Sequence[str] = first_composed(create(), overrides, multirun, name).entrypoint.get("uses", ())
    finally:
        GlobalHydra.instance().clear()
    return uses


def _apart(home: Path) -> Iterator[str]:
    """What keeps a rehearsal apart from real runs."""
    yield f"home={home}"
    yield "tracking.uri=sqlite:///${home}/mlruns/mlflow.db"
    yield "tracking.artifacts=${home}/mlruns/artifacts"
    yield "skip_finished=false"


def _planned(overrides: Sequence[str], multirun: bool, name: str) -> list[PlannedRun]:
    """All runs.

    Raises:
        ConfigError: a cluster is not in Google Cloud, or there are several projects; or a run would be refused.
    """
    from flowerexp.cluster_search import walk_of_sweeper
    from flowerexp.sweep.forecast import forecast

    runs = [item.run for item in forecast(overrides, multirun, walk_of_sweeper, config_name=name).items]
    for run in runs:
        if not isinstance(kind_of(run.config.cluster), GoogleKind):
            problem = f"cluster={run.config.cluster.name} is not in Google Cloud, so there is nothing to rehearse"
            raise ConfigError(problem, where="cluster", hint=f"choose from cluster={', '.join(_in_google(overrides))}")
        for key, path in data_folders(run.config).items():
            if path.startswith("gs://"):
                hint = "leave dataset=... out, and a rehearsal takes a few generated photographs"
                problem = f"{path} is in the real cloud, which a rehearsal never reads"
                raise ConfigError(problem, where=f"dataset.{key}", hint=hint)
    return runs


def _in_google(overrides: Sequence[str]) -> Iterator[str]:
    """The names of the cluster configs that are made for Google Cloud."""
    from flowerexp.app import composed

    others = [text for text in overrides if root_of(text) in ("gcp", "home")]
    own = own_folder()
    folders = [group_options(), group_options(own) if own else {}]
    for name in sorted({name for groups in folders for name in groups.get("cluster", ())}):
        with contextlib.suppress(FlowerexpError):  # one that lacks a value
            if isinstance(kind_of(composed([f"cluster={name}", *others]).cluster), GoogleKind):
                yield name


def _project(runs: Sequence[PlannedRun]) -> str:
    projects = {run.config.cluster.project for run in runs}  # type: ignore[attr-defined]
    if len(projects) > 1:
        problem = f"the runs are in {len(projects)} projects: {', '.join(sorted(projects))}"
        raise ConfigError(problem, where="gcp.project", hint="rehearse those of one project at a time")
    return str(projects.pop())
