"""How long until there is a result: `python benchmarks/time_to_first_result.py`.

`flowerexp` with its defaults, its data prepared and its store made, beside a bare spark-submit of the same entrypoint
with a job file of the same run, in turn. And `--help` and `plan` beside `python -c "import hydra"`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import wall
from targets import Target, finish

from flowerexp.cluster import spark_submit
from flowerexp.cluster.java import find


def bare(home: Path) -> list[str]:
    """A spark-submit as people write it, with the job file, script and code of the newest run; its results go aside."""
    folder = max(home.rglob("job.json"), key=lambda path: path.stat().st_mtime).parent
    job = json.loads((folder / "job.json").read_text())
    for number, run in enumerate(job["runs"]):
        run["output"] = str(home / "bare" / str(number))
    written = home / "bare.json"
    written.write_text(json.dumps(job))
    (code,) = folder.glob("*.zip")
    shutil.copy(code, home / code.name)
    script = Path(__file__).parents[1] / "spark_entry" / "read_speed.py"
    submit = spark_submit.spark_home() / "bin" / "spark-submit"
    master = f"local[{len(os.sched_getaffinity(0))}]"
    return [str(submit), "--master", master, "--py-files", str(home / code.name), str(script), "--job", str(written)]


def main() -> None:
    """Measure in turn, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("overrides", nargs="*", help="of the run's config")
    options = parser.parse_args()
    for name, value in (("JAVA_HOME", find().home), ("PYSPARK_PYTHON", sys.executable)):
        os.environ[name] = str(value)
    os.environ |= spark_submit.workers_environment()
    flowerexp = [sys.executable, "-m", "flowerexp"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run = [*flowerexp, f"home={home}", *options.overrides]
        wall(run)
        commands = {
            "flowerexp": run,
            "spark-submit": bare(home),
            "import hydra": [sys.executable, "-c", "import hydra"],
            "--help": [*flowerexp, "--help"],
            "plan": [*flowerexp, "plan", f"home={home}", *options.overrides],
        }
        walls: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                walls[name].append(wall(command))
    for name, values in walls.items():
        print(f"{name:<14} {statistics.median(values):8.2f} s")

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(walls[one], walls[other], strict=True))

    finish(
        [
            Target(
                "a run with the defaults, warm, against a bare spark-submit", ratio("flowerexp", "spark-submit"), 0.65
            ),
            Target("flowerexp --help against `import hydra`", ratio("--help", "import hydra"), 2.0),
            Target("flowerexp plan against `import hydra`", ratio("plan", "import hydra"), 2.0),
        ],
        walls=walls,
    )


if __name__ == "__main__":
    main()
