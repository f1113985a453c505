"""Read images as read_speed does, but slower by a known share: `spark-submit planted.py --job JOB.json`."""

import time
from dataclasses import dataclass
from typing import Any

from flowerexp.workload import main
from flowerexp.workload.read_speed import measuring


@dataclass(frozen=True)
class Planted:
    """What read_speed has prepared, and the share by which each measurement takes longer after its first batch."""

    prepared: Any
    slowdown: float


def prepare(spark: Any, config: dict[str, Any]) -> Planted:
    """Prepare as read_speed does, which does not know the settings of the slowdown."""
    settings = dict(config["entrypoint"]["settings"])
    slowdown, _ = settings.pop("slowdown"), settings.pop("copy")
    own = {**config, "entrypoint": {**config["entrypoint"], "settings": settings}}
    return Planted(measuring.prepare(spark, own), slowdown)


def ready(planted: Planted, cell: Any) -> Any:
    """What read_speed gets ready, with the slowdown."""
    return Planted(measuring.ready(planted.prepared, cell), planted.slowdown)


def measure(planted: Planted, cell: Any) -> Any:
    """Read, and then keep the CPU busy for the planted share of the time that the batches after the first one took."""
    started = time.perf_counter()
    result = measuring.measure(planted.prepared, cell)
    ended = time.perf_counter()
    until = ended + planted.slowdown * (ended - started - result["first_batch_seconds"])
    while time.perf_counter() < until:
        pass
    return result


if __name__ == "__main__":
    main(
        measure,
        prepare,
        ready=ready,
        possible=lambda planted, cell: measuring.possible(planted.prepared, cell),
        warm=lambda planted, cell: measuring.warm(planted.prepared, cell),
        warmth=lambda planted, cell: measuring.warmth(planted.prepared, cell),
    )
