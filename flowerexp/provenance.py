"""What a result was made with: flowerexp's version, its git commit, and whether the checkout had changes."""

from __future__ import annotations

import functools
import subprocess
from importlib.metadata import PackageNotFoundError, version

from flowerexp import __version__
from flowerexp.config.places import PACKAGE

_PACKAGES = ("pyspark", "tensorflow", "numpy", "opencv-python-headless", "simplejpeg", "pillow")


@functools.cache
def provenance() -> dict[str, str | bool]:
    """Versions of the packages that shape a measurement, and the checkout's state where there is one."""
    facts: dict[str, str | bool] = {"version.flowerexp": __version__}
    for package in _PACKAGES:
        try:
            facts[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    if (PACKAGE.parent / ".git").exists():
        commit = _git("rev-parse", "HEAD")
        if commit:
            facts["git_commit"] = commit
            facts["git_dirty"] = bool(_git("status", "--porcelain"))
    return facts


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
