"""What a result was made with: the versions of packages, and the git commit of the experiment's script."""

from __future__ import annotations

import functools
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flowerexp import __version__

_PACKAGES = ("pyspark", "tensorflow", "numpy", "opencv-python-headless", "simplejpeg", "pillow")


@functools.cache
def provenance(script: Path | None = None) -> dict[str, str | bool]:
    """Versions of the packages that shape a measurement, and the state of the script's git repository.

    Args:
        script: the experiment's; the repository is the one that it lies in, flowerexp's own for a shipped one. Nothing
            is said of a repository that ignores the script, as it does a virtual environment.
    """
    facts: dict[str, str | bool] = {"version.flowerexp": __version__}
    for package in _PACKAGES:
        try:
            facts[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    commit = _git(script, "rev-parse", "HEAD") if script else ""
    if script and commit and not _git(script, "check-ignore", str(script)):
        facts["git_commit"] = commit
        facts["git_dirty"] = bool(_git(script, "status", "--porcelain", ":/"))
    return facts


def _git(script: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=script.parent, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
