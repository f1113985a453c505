"""The reader `webdataset`: the library's pipeline, as its documentation has it, without PyTorch.

Several workers are PyTorch's there (`WebLoader`), so that without it there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flowerexp.workload.read_speed.loaders import Batch, Images
from flowerexp.workload.read_speed.readers import SHUFFLE_BUFFER, Options, Source, exhaust


def dataset(source: Source, files: Sequence[str], options: Options) -> Images:
    """The images and labels in some archives."""

    def read(size: int) -> Iterable[Batch]:
        whole: Iterable[Batch] = _samples(files, options).decode("rgb8").to_tuple("jpg", "cls").batched(size)
        return whole

    return Images(read)


def steps(source: Source, files: Sequence[str], size: int) -> list[tuple[str, Callable[[], None]]]:
    """The pipeline, cut off behind each of its stages."""

    def pictures() -> Any:
        return _samples(files, Options()).decode("rgb8").to_tuple("jpg", "cls")

    return [
        ("read", lambda: exhaust(_samples(files, Options()))),
        ("decode", lambda: exhaust(pictures())),
        ("batch", lambda: exhaust(pictures().batched(size))),
    ]


def _samples(files: Sequence[str], options: Options) -> Any:
    import webdataset

    samples = webdataset.WebDataset([f"file:{path}" for path in files], shardshuffle=False)
    full = options.shuffle == "full"
    return samples.shuffle(SHUFFLE_BUFFER, seed=options.seed) if full else samples
