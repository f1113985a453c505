"""The reader `array_record`: grain's DataLoader, as its documentation has it.

By itself it reads ahead up to 500 images with 16 threads in this process. Workers are processes, each with a share of
the images; prefetch is the number of batches that each of them keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flowerexp.workload.images import examples
from flowerexp.workload.read_speed.loaders import Batch, Images, decoded
from flowerexp.workload.read_speed.readers import Options, Source


def dataset(source: Source, files: Sequence[str], options: Options) -> Images:
    """The images and labels in some files."""

    def read(size: int) -> Iterable[Batch]:
        import grain.python as grain

        records = grain.ArrayRecordDataSource(list(files))
        sampler = grain.IndexSampler(
            len(records),
            shard_options=grain.NoSharding(),
            shuffle=options.shuffle == "full",
            num_epochs=1,
            seed=options.seed % 2**32,
        )
        loader: Iterable[Batch] = grain.DataLoader(
            data_source=records,
            sampler=sampler,
            operations=[_decoding(), grain.Batch(size)],
            worker_count=options.workers,
            worker_buffer_size=options.prefetch or 1,
        )
        return loader

    return Images(read)


def _decoding() -> Any:
    import grain.python as grain

    class Decode(grain.MapTransform):  # type: ignore[misc]
        """Takes a picture out of its record, and decodes it."""

        def map(self, record: bytes) -> Any:
            content, label = examples.decode_example(record)
            return decoded(content), label

    return Decode()
