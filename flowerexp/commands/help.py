"""`flowerexp --help`: prints the help page with all experiments and config groups; composes no config."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from flowerexp.config.places import CONFIG, OWN, config_folder, group_options, own_folder, passed_over
from flowerexp.errors import ConfigError

_WIDTH = 108  # characters of an experiment's question

_PAGE = """\
flowerexp: describe an experiment in YAML, run it on Spark, compare the runs in MLflow.

usage: flowerexp [FLAGS] [KEY=VALUE ...]      run one experiment
       flowerexp COMMAND [...]

commands:
  new NAME [FOLDER] make an experiment of your own: a folder with script, YAML, grid, sweep and test, or add to one
  plan [-m] [...]   show what would run, what is done already and how long it takes; starts nothing (--json)
  rehearse [-m] [...]  simulate the same runs in Google Cloud on this machine, at no cost (--fault NAME)
  resume SWEEP      run what is missing in a sweep that was stopped or killed
  attach SWEEP      follow a sweep that was started with --detach; Ctrl-C leaves its jobs running
  rerun RUN         show what differs now, then run an earlier run again; KEY=VALUE changes single values
  compare RUN RUN   is one run faster than another? compare SWEEP ranks its settings (--details: its runs)
  history [NAME]    how has a metric changed over commits and dates? on each machine, with the commits where it changed
  gate BASELINE     is the code in your working tree slower than a baseline? for CI: exits with 0, 1, 2 or 3
  predict RUN [...] what would a cell give that was not measured? KEY=VALUE chooses the cell
  report RUN|SWEEP  make the report of a sweep or a run: an HTML page with tables, pictures and verdicts
  clusters          list your running clusters and batches, and what they cost an hour (--watch: every ten seconds)
  cleanup           delete what is left in the cloud (--dry-run only lists it; --bucket also deletes all data)
  ui [SWEEP]        show your runs in MLflow, in a browser, at the newest sweep (--port N, --no-browser)
  verify [FOLDER]   check the files of prepared data, and name those that are damaged
  log RUN|SWEEP     log runs to MLflow, for example after the server failed

RUN and SWEEP are a folder or a part of its name, SWEEP/3, an MLflow run_id or its beginning, a run's name, or last.

experiments (entrypoint=NAME; * marks the defaults, here and below):
{experiments}

ready-made sweeps and runs (experiment=NAME):
{sweeps}

config groups (GROUP=OPTION):
{groups}

examples:
  flowerexp                                                generated photographs, a quick grid
  flowerexp dataset=folder dataset.path=DIR grid=notebook  your own photographs: DIR/CLASS/*.jpg
  flowerexp entrypoint=write_shards preprocess.shards=32 caching=false
  flowerexp experiment=caching                             the sweep in conf/experiment/caching.yaml

flags (they come first): -m sweeps over comma-separated values; --detach submits a sweep's jobs and ends;
  --cfg job shows the config; --info shows its sources; --version; --hydra-help lists the rest;
  eval "$(flowerexp -sc install=bash)" turns on completion in bash

your own configs: {own}

where results go: outputs/DATE/TIME-ID/ (one folder for each run), data/ (generated and prepared data),
  mlruns/ (MLflow's store), in the current folder or in FLOWEREXP_HOME
"""

EXPERIMENTS, SWEEPS = "entrypoint", "experiment"
LISTED = (EXPERIMENTS, SWEEPS)
"""The config groups that hold experiments and their ready-made sweeps."""


def page() -> str:
    """The help page, with the experiments and options of the user's own configs."""
    own, said = _own()
    folders = [config_folder(), *([own] if own else [])]
    chosen = _defaults(folders[0])
    asked = [
        (_marked(name, name == chosen[EXPERIMENTS]), _question(path)) for name, path in _files(folders, EXPERIMENTS)
    ]
    ready = [(name, _first_sentence(path)) for name, path in _files(folders, SWEEPS)]
    others = [
        f"  {group:<12}{', '.join(_marked(name, name == chosen.get(group)) for name, _ in _files(folders, group))}"
        for group in group_options()
        if group not in LISTED
    ]
    page = _PAGE.format(experiments=_lines(asked), sweeps=_lines(ready), groups="\n".join(others), own=said)
    return page.rstrip()


def _own() -> tuple[Path | None, str]:
    """The folder of the user's own configs, and what to say of it."""
    order = f"--config-dir DIR, else {CONFIG}, else {OWN}/ in the current folder"
    try:
        own = own_folder()
    except ConfigError as error:
        return None, f"none ({error})"
    return own, f"{os.path.relpath(own)} ({order})" if own else passed_over() or f"none ({order})"


def _defaults(folder: Path) -> dict[str, str]:
    """The options that a run takes by default: those of `config.yaml`, and those that its experiment chooses."""
    found = dict(re.findall(r"^  - (\w+): (\w+)", (folder / "config.yaml").read_text(encoding="utf-8"), re.MULTILINE))
    experiment = (folder / EXPERIMENTS / f"{found[EXPERIMENTS]}.yaml").read_text(encoding="utf-8")
    return found | dict(re.findall(r"^ *- /(\w+)@_global_\.\w+: (\w+)", experiment, re.MULTILINE))


def _marked(option: str, is_default: bool) -> str:
    return f"{option}*" if is_default else option


def _lines(named: Sequence[tuple[str, str]]) -> str:
    width = max(17, *(len(name) for name, _ in named))
    return "\n".join(f"  {name:<{width}} {shorten(text, _WIDTH, placeholder=' ...')}".rstrip() for name, text in named)


def _files(folders: Sequence[Path], group: str) -> Iterator[tuple[str, Path]]:
    """The options of a config group with their files; one of a later folder takes the place of one before."""
    found = {path.stem: path for folder in folders for path in sorted((folder / group).glob("*.yaml"))}
    yield from found.items()


def _question(path: Path) -> str:
    """What an experiment asks; nothing where its file says nothing of it, or is not YAML."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    return str(content.get("question") or "") if isinstance(content, dict) else ""


def _first_sentence(path: Path) -> str:
    """The first sentence of the comment that a file begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            lines.append(line.lstrip("# ").rstrip())
    return re.split(r"(?<=[.?!:])\s", " ".join(lines))[0].rstrip(".:")
