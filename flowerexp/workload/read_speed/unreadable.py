"""Find the file that a reader failed on, and where it is damaged.

TensorFlow does not name the file, and a decoding thread does not know it. So if reading fails, the files are read again
one by one, without a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flowerexp.errors import DataError, FlowerexpError
from flowerexp.storage import simulated
from flowerexp.workload import failures
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import READERS, Source

_HINTS = {
    "dataset": "mend or remove it, or set dataset.on_error=skip to leave such files out",
    "dataset.tfrecords": "flowerexp did not write it: mend it or get it again, or leave it out: dataset.on_error=skip",
    "storage.prepared": "flowerexp verify names all damaged files; a run that reads one writes it again",
}


def refused(problem: str, origin: str, hint: str | None = None) -> DataError:
    """The error for a file that cannot be read.

    Args:
        problem: what is wrong with which file.
        origin: the config key that says where the file is.
        hint: what to do; by default the advice for files of that origin.
    """
    return DataError(simulated.plain(problem), where=origin, hint=hint or _HINTS.get(origin))


@contextmanager
def named(source: Source, files: Sequence[str]) -> Iterator[None]:
    """Name the file if reading some files of a source fails inside.

    Raises:
        FlowerexpError: a file cannot be read; the message says which, and where it is damaged.
        Exception: the original exception, if each file can be read by itself.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        records = dict(zip(source.files, source.records, strict=True))
        for uri in dict.fromkeys(files):
            if problem := _problem_of(source, uri, records[uri]):
                raise problem from error
        raise


def _problem_of(source: Source, uri: str, records: int) -> FlowerexpError | None:
    """What is wrong with a file of `records` images; None if it can be read by itself."""
    try:
        if READERS[source.reader].format is not None:
            _check_samples(source, uri, records)
        for _ in pipeline.dataset(source, [uri]).batch(1).take(records):
            pass
    except DataError as error:
        problem = error.problem if uri in error.problem else f"{uri}: {error.problem}"
        return refused(problem, source.origin, error.hint)
    except OSError as error:
        return failures.of_the_system(error, "reading")
    except Exception as error:
        return refused(f"{uri} cannot be read: {failures.explained(error).problem}", source.origin)
    return None


def _check_samples(source: Source, uri: str, records: int) -> None:
    """Read and decode each sample of a file of prepared data: checksums, where the format has them, and pictures.

    Raises:
        DataError: a sample is damaged or missing, or the reader cannot use it.
    """
    import numpy as np

    from flowerexp.workload.read_speed import native

    place, number = np.empty((*source.target_size, 3), np.uint8), 0
    try:
        with native.shard(source, uri) as shard:
            for content, _ in shard:
                native.decode_into(place, content)
                number += 1
    except DataError as error:
        if uri in error.problem:
            raise
        raise DataError(f"{uri}: record {number + 1}: {error.problem}", hint=error.hint) from error
    if number != records:
        raise DataError(f"{uri} has {number} images, but should have {records}")
