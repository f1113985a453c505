"""What a sweep costs beside its measuring: `python benchmarks/sweep_overhead.py`.

A sweep of short runs (each measures for some 0.2 s) as one batch, beside one such run, and beside Hydra's basic
launcher, which starts one Spark application a run. The aim: at most one run's wall time plus 0.12 s for each run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import wall
from targets import Target, finish

MORE = 0.12
# About 0.2 s of read loops: one cell of 144 images, with both readers, once.
RUN = ["dataset.images=200", "grid.batch_size=[8]", "grid.batch_number=[18]", "measure.repetitions=1"]


def main() -> None:
    """Measure in turn, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-runs", type=int, default=3, help="runs under Hydra's basic launcher; scaled to --runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        flowerexp = [sys.executable, "-m", "flowerexp"]
        single = [*flowerexp, f"home={home}", *RUN]
        sweep = [*flowerexp, "-m", f"home={home}", *RUN, f"measure.seed=range({options.runs})"]
        peer = [
            *flowerexp,
            "-m",
            "hydra/launcher=basic",
            f"home={home}",
            *RUN,
            f"measure.seed=range({options.peer_runs})",
        ]
        wall(single)
        walls: dict[str, list[float]] = {"single": [], "sweep": [], "peer": []}
        for _ in range(options.rounds):
            walls["single"].append(wall(single))
            walls["sweep"].append(wall(sweep))
            walls["peer"].append(wall(peer) / options.peer_runs * options.runs)
        reading = _reading_seconds(Path(home))
    medians = {name: statistics.median(values) for name, values in walls.items()}
    more = (medians["sweep"] - medians["single"]) / options.runs
    print(f"one run                      {medians['single']:8.1f} s, of which {reading:.2f} s in read loops")
    print(f"sweep of {options.runs} runs             {medians['sweep']:8.1f} s: {more:.2f} s more for each run")
    print(f"Hydra's basic launcher       {medians['peer']:8.1f} s, scaled from {options.peer_runs} runs")
    target = Target(f"seconds more for each of {options.runs} runs of a sweep", more, MORE)
    finish([target], runs=options.runs, more_a_run=more, reading=reading, walls=walls)


def _reading_seconds(home: Path) -> float:
    """Seconds in read loops of the newest single run."""
    newest = max(home.glob("outputs/*/*/results/measurements.jsonl"), key=lambda path: path.stat().st_mtime)
    return sum(json.loads(line)["seconds"] for line in newest.read_text().splitlines())


if __name__ == "__main__":
    main()
