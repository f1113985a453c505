"""`flowerexp new NAME [FOLDER]`: make a project with an experiment of your own, or add one to a project."""

from __future__ import annotations

import argparse
import keyword
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowerexp.config.places import OWN, belongs_to_another, group_options, own_folder
from flowerexp.errors import ConfigError, from_os_error
from flowerexp.escape import printable
from flowerexp.job.modules import is_installed

_TEMPLATES = Path(__file__).parent / "templates"
_KEPT = ("README.md", ".gitignore")
"""Files of the whole project, which stay as they are where an experiment is added to it."""


def main(arguments: Sequence[str]) -> int:
    """Write the files, and say what to type next."""
    parser = argparse.ArgumentParser(
        prog="flowerexp new",
        description="Make an experiment of your own: a script, its YAML, a grid, a ready-made sweep, and a test.",
        epilog="Files that exist are never overwritten.",
    )
    parser.add_argument("name", metavar="NAME", help="the experiment's name: small letters, digits and _")
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path,
        help="the project; by default the current folder if it has your own conf/, else a new folder NAME",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    _check_name(options.name)
    configs = _configs(options.name, options.folder)
    files = _files(options.name, configs)
    made = _write(files)
    print(printable(_told(options.name, configs.parent, made)))
    return 0


def _check_name(name: str) -> None:
    """Refuse a name that could not be that of a Python module, or that something else has."""
    hint = "choose another name, such as my_experiment"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
        good = re.fullmatch(r"[a-z][a-z0-9_]*", plain) and not keyword.iskeyword(plain)
        problem = f"'{name}' cannot name an experiment: small letters, digits and _, a letter first"
        raise ConfigError(problem, where="command line", hint=f"write {plain}" if good else hint)
    if name in group_options()["entrypoint"]:
        raise ConfigError(f"flowerexp has an experiment {name}", where="command line", hint=hint)
    if is_installed(name):  # the script of its name would take its place in a job
        raise ConfigError(f"{name} is an installed Python module", where="command line", hint=hint)


def _configs(name: str, folder: Path | None) -> Path:
    """The config folder that the experiment goes into: of the project that is named, found here, or to be made."""
    if folder is None:
        return own_folder() or Path(name, OWN).absolute()
    configs = (folder.expanduser() / OWN).absolute()
    if belongs_to_another(configs):
        problem = f"{configs} has a config.yaml, so it belongs to another Hydra application, or to flowerexp itself"
        raise ConfigError(problem, where="command line", hint="name another folder")
    return configs


def _files(name: str, configs: Path) -> dict[Path, str]:
    """All files of a new project with their content."""
    project = configs.parent
    templates = {
        project / f"{name}.py": "script.py",
        configs / "entrypoint" / f"{name}.yaml": "entrypoint.yaml",
        configs / "grid" / f"{name}.yaml": "grid.yaml",
        configs / "experiment" / f"{name}_caching.yaml": "experiment.yaml",
        project / f"test_{name}.py": "test.py",
        project / "README.md": "README.md",
        project / ".gitignore": "gitignore",
    }
    texts = {path: (_TEMPLATES / f"{template}.template").read_text("utf-8") for path, template in templates.items()}
    return {path: text.replace("NAME", name).replace("CONF", configs.name) for path, text in texts.items()}


def _write(files: Mapping[Path, str]) -> list[Path]:
    """Write the files that are not there; returns them.

    Raises:
        ConfigError: a file of the experiment itself is there already; nothing was written.
        MachineError: they cannot be written.
    """
    for path in files:
        if path.exists() and path.name not in _KEPT:
            raise ConfigError(f"{_shown(path)} exists already", where="command line", hint="choose another name")
    made = [path for path in files if not path.exists()]
    try:
        for path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(files[path])
    except OSError as error:
        raise from_os_error(error, "writing") from error
    return made


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _told(name: str, project: Path, made: Sequence[Path]) -> str:
    lines = [f"{'made' if not number else '':<10}{_shown(path)}" for number, path in enumerate(made)]
    steps = [] if project == Path.cwd() else [f"cd {shlex.quote(_shown(project))}"]
    steps += [f"flowerexp entrypoint={name}"]
    lines += [f"{'run it' if not number else '':<10}{step}" for number, step in enumerate(steps)]
    return "\n".join([*lines, f"{'change it':<10}{name}.py measures; the YAML file of its name says what may vary"])
