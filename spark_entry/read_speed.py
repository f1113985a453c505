"""Measure how fast images can be read: `spark-submit read_speed.py --job JOB.json`."""

from flowerexp.workload.read_speed import run
from flowerexp.workload.runner import main

if __name__ == "__main__":
    main(run)
