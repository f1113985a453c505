"""Measure how fast images can be read: `spark-submit read_speed.py --job JOB.json`."""

from flowerexp.workload import main
from flowerexp.workload.read_speed import measuring

if __name__ == "__main__":
    main(
        measuring.measure,
        measuring.prepare,
        ready=measuring.ready,
        possible=measuring.possible,
        warm=measuring.warm,
        warmth=measuring.warmth,
        recover=measuring.recover,
    )
