"""An experiment of a stranger's in a git repository of its own; its clock is simulated, so that gates are certain."""

from __future__ import annotations

import subprocess
from pathlib import Path

DECLARATION = """
defaults: [{/grid@_global_.grid: steps}, _self_]
name: steps
question: How fast are steps taken?
script: steps.py
unit: steps
parameters:
  how: {choices: [left, right]}
  distance: {min: 1}
settings: {noise: 0.0}
limits: {noise: {type: float, min: 0}}
"""
GRID = "{how: [left, right], distance: [10, 20]}"
SCRIPT = '''"""Take steps; how long each takes is computed, and not measured."""
import random

from flowerexp.workload import main

SECONDS = 0.01  # a step takes so long


def run(spark, config):
    noise = config["entrypoint"]["settings"]["noise"]
    for how in config["grid"]["how"]:
        for distance in config["grid"]["distance"]:
            seconds = SECONDS * distance * random.lognormvariate(0, noise)
            yield {"how": how, "distance": distance, "steps": distance, "repetition": 1, "seconds": seconds}


if __name__ == "__main__":
    main(run)
'''
OWN = ("--config-dir", "mine", "entrypoint=steps")


def make(folder: Path) -> Path:
    """Make the repository, with one commit on its branch `main`."""
    for name, text in (
        ("mine/entrypoint/steps.yaml", DECLARATION),
        ("mine/grid/steps.yaml", GRID),
        ("mine/steps.py", SCRIPT),
        (".gitignore", "home/\n__pycache__/\n"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """Commit all that there is; gives the commit's hash."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "steps")
    return git(folder, "rev-parse", "HEAD")


def change(folder: Path, old: str, new: str) -> None:
    """Change the script in the working tree."""
    script = folder / "mine" / "steps.py"
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new))


def git(folder: Path, *words: str) -> str:
    """Run git there, as somebody who is known to it."""
    who = ("-c", "user.name=Me", "-c", "user.email=me@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
