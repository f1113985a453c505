"""A long sweep of an entrypoint that does nothing, and the plan of a longer one: `python benchmarks/long_sweep.py`.

What is left is the launcher: its memory after the tenth and the last run, and its own CPU and wall time a run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from side_by_side import wall
from targets import Target, finish

SCRIPT = """
from flowerexp.workload import main

def run(spark, config):
    yield {"n": config["entrypoint"]["settings"]["n"]}

if __name__ == "__main__":
    main(run)
"""


@dataclass(frozen=True)
class Look:
    """One look at the launcher: runs that have ended, its memory in MB, its CPU seconds, and when."""

    done: int
    memory: float
    cpu: float
    at: float


def _look(pid: int, home: Path) -> Look | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    except (OSError, StopIteration):
        return None
    journals = list(home.glob("outputs/*/*/journal.jsonl"))
    done = journals[0].read_text().count('"finished"') if journals else 0
    return Look(done, memory, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), time.perf_counter())


def main() -> None:
    """Run the sweep, look at its launcher, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--planned", type=int, default=10_000, help="runs of the sweep that is only planned")
    options = parser.parse_args()
    runs = options.runs
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "mine" / "entrypoint").mkdir(parents=True)
        (home / "noop.py").write_text(SCRIPT)
        entrypoint = {"name": "noop", "question": "What does a run cost that does nothing?", "unit": "numbers"}
        entrypoint |= {"script": str(home / "noop.py"), "settings": {"n": 0}, "limits": {"n": {"type": "int"}}}
        (home / "mine" / "entrypoint" / "noop.yaml").write_text(json.dumps(entrypoint))
        flowerexp = [sys.executable, "-m", "flowerexp"]
        own = ["-m", "--config-dir", str(home / "mine"), f"home={home}", "entrypoint=noop"]
        command = [*flowerexp, *own, f"entrypoint.settings.n=range({runs})"]
        planned = wall([*flowerexp, "plan", *own, f"entrypoint.settings.n=range({options.planned})"])
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        looks: list[Look] = []
        while process.poll() is None:
            look = _look(process.pid, home)
            if look:
                looks.append(look)
            time.sleep(0.2)
        seconds = time.perf_counter() - start
    first, last = next(look for look in looks if look.done >= 10), looks[-1]
    count = last.done - first.done
    result = {
        "runs": runs,
        "seconds": seconds,
        "seconds_to_plan": planned,
        "exit_code": process.returncode,
        "memory_growth_mb": last.memory - first.memory,
        "cpu_seconds_a_run": (last.cpu - first.cpu) / count,
        "wall_seconds_a_run": (last.at - first.at) / count,
    }
    for name, value in result.items():
        print(f"{name:<20} {value:10.3f}" if isinstance(value, float) else f"{name:<20} {value:>10}")
    finish(
        [
            Target("seconds for a sweep of 1,000 runs that do nothing", seconds / runs * 1000, 60),
            Target("seconds to plan 10,000 runs", planned / options.planned * 10_000, 20),
        ],
        **result,
    )


if __name__ == "__main__":
    main()
