"""How long an empty environment takes to be filled: `python benchmarks/setting_up.py [--rounds 1]`.

With uv, as `make setup` does it, beside pip: the same pinned versions, in turn, each with an empty cache, so both
download everything. Needs a package index.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import Cost, measure
from targets import Target, finish

ROOT = Path(__file__).parents[1]
WANTED = ["--quiet", "--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[all,dev]"]


def fill(installer: str) -> Cost:
    """Fill a new environment, and throw it away."""
    with tempfile.TemporaryDirectory() as folder:
        environment, python = Path(folder, "environment"), str(Path(folder, "environment", "bin", "python"))
        measure([sys.executable, "-m", "venv", str(environment)])
        os.environ |= {"UV_CACHE_DIR": f"{folder}/uv", "PIP_CACHE_DIR": f"{folder}/pip"}
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", python]
        return measure([*(uv if installer == "uv" else [python, "-m", "pip", "install"]), *WANTED])


def main() -> None:
    """Measure in turn, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = [{name: fill(name) for name in ("uv", "pip")} for _ in range(parser.parse_args().rounds)]
    for name in ("uv", "pip"):
        wall, cpu = (statistics.median(getattr(costs[name], what) for costs in rounds) for what in ("wall", "cpu"))
        print(f"{name:<4} {wall:8.1f} s, {cpu:6.1f} s of CPU")
    ratio = statistics.median(costs["uv"].wall / costs["pip"].wall for costs in rounds)
    finish([Target("filling an empty environment with uv against pip", ratio, 0.5)], rounds=len(rounds))


if __name__ == "__main__":
    main()
