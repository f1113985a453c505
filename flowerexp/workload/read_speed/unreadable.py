"""Find the file that a reader failed on, and where it is damaged.

TensorFlow does not name the file, and a decoding thread does not know it. So if reading fails, the files are read again
one by one, without a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flowerexp import storage
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.storage import simulated
from flowerexp.workload import failures
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import TFRECORDS, Source, data_of

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
        if data_of(source.reader) == TFRECORDS:
            _check_records(source, uri)
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


def _check_records(source: Source, uri: str) -> None:
    """Check each record of a TFRecord file: its checksum, features and image.

    Raises:
        DataError: a record is damaged, or the reader cannot use it.
    """
    from flowerexp.workload.images import tfrecords
    from flowerexp.workload.read_speed import native

    with storage.open_read(uri, **storage.access(source.anonymous)) as file:
        for number, record in enumerate(tfrecords.read_records(file, uri), start=1):
            try:
                native.picture_of(source, record)
            except DataError as error:
                raise DataError(f"{uri}: record {number}: {error.problem}", hint=error.hint) from error
