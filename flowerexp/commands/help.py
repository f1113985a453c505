"""`flowerexp --help`: prints the help page with all experiments and config groups; composes no config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from flowerexp.config.places import config_folder, group_options

_WIDTH = 108  # characters of an experiment's question

_PAGE = """\
flowerexp: describe an experiment in YAML, run it on Spark, compare the runs in MLflow.

usage: flowerexp [FLAGS] [KEY=VALUE ...]      run one experiment
       flowerexp COMMAND [...]

commands:
  plan [-m] [...]   show what would run, what is done already and how long it takes; starts nothing (--json)
  resume SWEEP      run what is missing of a sweep that was stopped or killed; SWEEP is its folder, or part of its name
  rerun RUN         show what differs now, then run an earlier run again; KEY=VALUE changes single values
  compare RUN RUN   is one run faster than another? ratios with confidence intervals; RUN is MLflow's run_id
  predict RUN [...] what would a cell give that was not measured? KEY=VALUE chooses it; RUN is a run_id or a sweep's id
  report FOLDER     make the report of a sweep or a run: an HTML page with tables, pictures and verdicts
  clusters          list your running clusters and batches, and what they cost an hour
  cleanup           delete what is left in the cloud (--dry-run only lists it; --bucket also deletes all data)
  ui [--port N]     serve the MLflow pages of your runs
  verify [FOLDER]   check the files of prepared data, and name those that are damaged
  log FOLDER        log a run's folder to MLflow, for example after the server failed

experiments (entrypoint=NAME; * marks the defaults, here and below):
{experiments}

ready-made sweeps (experiment=NAME):
{sweeps}

config groups (GROUP=OPTION):
{groups}

examples:
  flowerexp                                                generated photographs, a quick grid
  flowerexp dataset=folder dataset.path=DIR grid=notebook  your own photographs: DIR/CLASS/*.jpg
  flowerexp entrypoint=write_tfrecords preprocess.partitions=32 caching=false
  flowerexp experiment=caching                             the sweep in conf/experiment/caching.yaml

flags (they come first): -m sweeps over comma-separated values; --cfg job shows the config; --info shows its sources;
  --config-dir DIR adds your own configs; --version; --hydra-help lists the rest;
  eval "$(flowerexp -sc install=bash)" turns on completion in bash

where results go: outputs/DATE/TIME-ID/ (one folder for each run), data/ (generated and prepared data),
  mlruns/ (MLflow's store), in the current folder or in FLOWEREXP_HOME
"""

EXPERIMENTS, SWEEPS = "entrypoint", "experiment"
LISTED = (EXPERIMENTS, SWEEPS)
"""The config groups that hold experiments and their ready-made sweeps."""


def page(config_dir: str | None = None) -> str:
    """The help page.

    Args:
        config_dir: a folder of the user's own configs, whose experiments are listed too.
    """
    folders = [config_folder(), *([Path(config_dir)] if config_dir and Path(config_dir).is_dir() else [])]
    chosen = _defaults(folders[0])
    asked = [
        (_marked(name, name == chosen[EXPERIMENTS]), _question(path)) for name, path in _files(folders, EXPERIMENTS)
    ]
    ready = [(name, _first_sentence(path)) for name, path in _files(folders, SWEEPS)]
    others = [
        f"  {group:<12}{', '.join(_marked(option, option == chosen.get(group)) for option in options)}"
        for group, options in group_options().items()
        if group not in LISTED
    ]
    return _PAGE.format(experiments=_lines(asked), sweeps=_lines(ready), groups="\n".join(others)).rstrip()


def _defaults(folder: Path) -> dict[str, str]:
    """The options that a run takes by default: those of `config.yaml`, and those that its experiment chooses."""
    found = dict(re.findall(r"^  - (\w+): (\w+)", (folder / "config.yaml").read_text(encoding="utf-8"), re.MULTILINE))
    experiment = (folder / EXPERIMENTS / f"{found[EXPERIMENTS]}.yaml").read_text(encoding="utf-8")
    return found | dict(re.findall(r"^ *- /(\w+)@_global_\.\w+: (\w+)", experiment, re.MULTILINE))


def _marked(option: str, is_default: bool) -> str:
    return f"{option}*" if is_default else option


def _lines(named: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<17} {shorten(text, _WIDTH, placeholder=' ...')}".rstrip() for name, text in named)


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
