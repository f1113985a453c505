"""Generate the synthetic data set with Spark, unless it is there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images.generated import COMPLETE, synthetic_fingerprint, synthetic_folder
from flowerexp.workload.images.source import Source


def generate(spark: Any, config: dict[str, Any]) -> str:
    """Generate a run's synthetic data set in parallel; a complete one is reused.

    Returns:
        Its folder.
    """
    folder = synthetic_folder(config)
    if storage.exists(storage.join(folder, COMPLETE)):
        return folder
    count, seed = config["dataset"]["images"], config["dataset"]["seed"]

    def write(indices: Iterable[int]) -> Iterator[int]:
        from flowerexp.workload.images import synthetic  # imports OpenCV: 50 MB that other data sets do not need

        photographs = (synthetic.photograph(index, seed) for index in indices)
        return storage.write_each((storage.join(folder, name), content) for name, content in photographs)

    with report.phase("generate"):
        context = spark.sparkContext
        slices = min(count, max(context.defaultParallelism * 4, count // 2000))
        with report.spark_progress(context, slices):
            written = context.parallelize(range(count), slices).mapPartitions(write).sum()
        storage.write_bytes(storage.join(folder, COMPLETE), f'{{"images": {count}, "bytes": {written}}}\n'.encode())
    report.note(f"generated {count} photographs ({written / 1e6:.0f} MB) in {folder}")
    return folder


class Generated(Source):
    """Synthetic photographs, which are generated where they are missing."""

    markers = frozenset({COMPLETE})
    is_made = True

    def place(self) -> str:
        """See `Source.place`."""
        return synthetic_folder(self.config)

    def prepare(self, spark: Any) -> str:
        """See `Source.prepare`."""
        return generate(spark, self.config)

    def fingerprint(self) -> str:
        """See `Source.fingerprint`."""
        return synthetic_fingerprint(self.config)

    def most(self) -> int:
        """See `Source.most`."""
        return int(self.config["dataset"]["images"])

    def check(self, total: int, place: str) -> None:
        """See `Source.check`: all that were generated must still be there."""
        count = self.config["dataset"]["images"]
        if total != count:
            raise DataError(
                f"{place} has {total} photographs, but {count} were generated there",
                where="storage.generated",
                hint="remove that folder: the next run generates it again",
            )
