"""The two sides of a gate: with which command, and with which code, each of them makes its runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flowerexp.config.again import sets
from flowerexp.config.places import PACKAGE
from flowerexp.errors import ConfigError
from flowerexp.gate.asked import Asked
from flowerexp.gate.git import SHORT
from flowerexp.job.bundle import find_script

Name = Literal["baseline", "candidate"]


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        name: which one.
        said: what it is, for people.
        words: what stands behind `flowerexp` to make one of its runs.
        code: the folder whose `flowerexp` makes it.
    """

    name: Name
    said: str
    words: tuple[str, ...]
    code: Path


@contextmanager
def sides(asked: Asked) -> Iterator[tuple[Side, Side]]:
    """The baseline and the candidate; the baseline's code is in a folder of its own as long as this is entered.

    Raises:
        FlowerexpError: the baseline's code cannot be had.
    """
    changed = asked.repository.changes(asked.commit) if asked.repository and asked.commit else []
    candidate = Side("candidate", _working_tree(asked, changed), _words(asked, "candidate"), PACKAGE.parent)
    if not changed or not asked.repository or not asked.commit:
        yield Side("baseline", asked.said, _words(asked, "baseline"), PACKAGE.parent), candidate
        return
    script = find_script(asked.config.entrypoint.script).resolve()
    if not asked.repository.has(asked.commit, script):
        problem = f"{asked.said} has no {script.relative_to(asked.repository.root)}"
        raise ConfigError(problem, where="entrypoint.script", hint="choose a baseline that has the experiment")
    with asked.repository.worktree(asked.commit) as folder:
        words = (*_words(asked, "baseline", folder), f"entrypoint.script={_quoted(_there(asked, script, folder))}")
        yield Side("baseline", asked.said, words, _there(asked, PACKAGE.parent, folder, PACKAGE)), candidate


def _working_tree(asked: Asked, changed: list[str]) -> str:
    head = asked.repository.commit("HEAD") if asked.repository else None
    if asked.repository is None or head is None:
        return "the code that is here"
    dirty = len(asked.repository.changes(head))
    return f"the working tree at {head[:SHORT]}" + (f" with {dirty} changed file{'s' * (dirty > 1)}" if dirty else "")


def _words(asked: Asked, side: Name, folder: Path | None = None) -> tuple[str, ...]:
    """The command line of a side's runs.

    Args:
        asked: what is compared.
        side: which side.
        folder: where the commit's files are, of a baseline with other code.
    """
    overrides = asked.request.of_runs
    if asked.run:
        kept = overrides if side == "candidate" else [text for text in overrides if sets(text, "place")]
        return ("rerun", asked.run.run_id, *kept)
    own = Path(asked.request.config_dir).resolve() if asked.request.config_dir else None
    configs = ("--config-dir", str(_there(asked, own, folder))) if own else ()
    return (*configs, *overrides)


def _there(asked: Asked, path: Path, folder: Path | None, wanted: Path | None = None) -> Path:
    """The same path among a commit's files; the path itself where the commit does not have it."""
    if folder is None or asked.repository is None or asked.commit is None:
        return path
    wanted = wanted or path
    if not wanted.is_relative_to(asked.repository.root) or not asked.repository.has(asked.commit, wanted):
        return path
    return folder / path.relative_to(asked.repository.root)


def _quoted(path: Path) -> str:
    """A path as Hydra's grammar reads it, whatever characters it has."""
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
