"""Is an accelerator that sleeps (`grid.accelerator`) as busy as a real one that the same reader feeds?

    python benchmarks/real_accelerator.py [--images 4096] [--batch 256] [--workers 1 2 3 4 8] [--out FILE.json]

It needs PyTorch with a GPU, beside what the readers need. A ResNet-50 trains (bfloat16, channels last, SGD) on
generated photographs that `tfrecords_native` reads, with few and with many threads, so that sometimes the reader and
sometimes the GPU is the limit. The time of a step is measured first, with a batch that is in memory; then real training
and the accelerator that sleeps for that time take turns on the same files. Printed are both utilisations, and how they
differ.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from flowerexp.workload import formats
from flowerexp.workload.images import synthetic, transform
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.feeding import AHEAD, feed
from flowerexp.workload.read_speed.readers import Options, Source

READER, SIDE, SHARDS = "tfrecords_native", 224, 16


def prepared(index: int) -> tuple[bytes, int]:
    """A generated photograph as it is kept in a shard, and a class."""
    _, content = synthetic.photograph(index, seed=0)
    return transform.encode(transform.resize_and_crop(transform.decode(content), SIDE, SIDE), 95), index % 5


def write(folder: Path, images: int) -> Source:
    """Shards of generated photographs."""
    kind = formats.of("tfrecord")
    each, files = images // SHARDS, []
    with ProcessPoolExecutor() as processes:
        samples = list(processes.map(prepared, range(each * SHARDS), chunksize=32))
    for shard in range(SHARDS):
        path = folder / f"part-{shard:05d}{kind.suffix}"
        path.touch()
        kind.write(str(path), samples[shard * each : (shard + 1) * each], None)
        files.append(str(path))
    return Source(READER, files, [each] * SHARDS, (SIDE, SIDE))


class Trainer:
    """A ResNet-50 on the GPU, trained a batch at a time."""

    def __init__(self) -> None:
        import torch
        import torchvision

        self.torch = torch
        self.network = torchvision.models.resnet50(num_classes=5).cuda().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9)
        self.loss = torch.nn.CrossEntropyLoss()

    def on_gpu(self, batch: Any) -> tuple[Any, Any]:
        """A batch of NumPy arrays as tensors on the GPU."""
        images, labels = (self.torch.from_numpy(part) for part in batch)
        return images.cuda().permute(0, 3, 1, 2), labels.long().cuda()

    def step(self, images: Any, labels: Any) -> None:
        """One step of training; it has ended when this returns."""
        torch = self.torch
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            scaled = images.to(torch.float32, memory_format=torch.channels_last) / 255
            loss = self.loss(self.network(scaled), labels)
        loss.backward()
        self.optimizer.step()
        torch.cuda.synchronize()

    def step_seconds(self, batch: Any, steps: int = 40) -> float:
        """The median time of a step, the copy to the GPU included, as training has it."""
        taken = []
        for number in range(steps + 10):
            started = time.perf_counter()
            self.step(*self.on_gpu(batch))
            if number >= 10:  # the first ones choose algorithms
                taken.append(time.perf_counter() - started)
        return statistics.median(taken)


def trained(trainer: Trainer, batches: Any, step: float) -> float:
    """Train with all batches, two of them read ahead.

    Returns:
        The share of the time from the first batch to the last in which the GPU is busy if each step takes `step`.
    """
    coming: queue.Queue[Any] = queue.Queue(AHEAD)

    def read() -> None:
        for batch in batches:
            coming.put(batch)
        coming.put(None)

    threading.Thread(target=read, daemon=True).start()
    begun = []
    while (batch := coming.get()) is not None:
        begun.append(time.perf_counter())
        trainer.step(*trainer.on_gpu(batch))
    return step * (len(begun) - 1) / (begun[-1] - begun[0])


def compare(trainer: Trainer, source: Source, workers: int, batch: int, step: float) -> dict[str, float]:
    """Both utilisations with a number of reading threads, one after the other."""
    number = source.images // batch

    def batches() -> Any:
        return pipeline.dataset(source, source.files, Options(workers=workers)).batch(batch).take(number)

    asleep = feed(batches(), number, step / batch, AHEAD).columns["accelerator_utilisation"]
    return {"workers": workers, "real": trained(trainer, batches(), step), "sleeping": float(asleep or 0)}


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, trainer = write(Path(folder), options.images), Trainer()
        first = next(iter(pipeline.dataset(source, source.files).batch(options.batch).take(1)))
        step = trainer.step_seconds(first)
        print(f"{trainer.torch.cuda.get_device_name()}: {1000 * step:.1f} ms for a step of {options.batch} images")
        pairs = [
            compare(trainer, source, workers, options.batch, step)
            for _ in range(options.pairs)
            for workers in options.workers
        ]
    print("threads  real GPU  sleeping  difference (medians, percentage points)")
    for workers in options.workers:
        real, asleep = (
            statistics.median(pair[name] for pair in pairs if pair["workers"] == workers)
            for name in ("real", "sleeping")
        )
        print(f"{workers:>7} {real:>9.1%} {asleep:>9.1%} {100 * (asleep - real):>+8.1f}")
    if options.out:
        options.out.write_text(json.dumps({"step_seconds": step, "batch": options.batch, "pairs": pairs}))


if __name__ == "__main__":
    main()
