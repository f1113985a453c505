"""Train a network, and measure how fast it learns and what it waits for: `spark-submit train.py --job JOB.json`."""

from flowerexp.workload import main
from flowerexp.workload.train import training

if __name__ == "__main__":
    main(
        training.measure,
        training.prepare,
        ready=training.ready,
        possible=training.possible,
        recover=training.recover,
    )
