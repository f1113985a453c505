"""Files that a reader failed on: which one it is, and where it is damaged.

TensorFlow names no file, and a thread that decodes knows none. So, where reading fails, the files are looked into one
by one, without a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flowerexp import storage
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.workload import failures
from flowerexp.workload.read_speed import readers
from flowerexp.workload.read_speed.readers import TFRECORDS, Source

_HINTS = {
    "dataset": "mend or remove it, or set dataset.on_error=skip to leave such files out",
    "dataset.tfrecords": "flowerexp did not write it: mend it or get it again, or take it out of that folder",
    "storage.prepared": "flowerexp verify names all damaged files; a run that meets one writes it again",
}


def refused(problem: str, origin: str, hint: str | None = None) -> DataError:
    """The error of a file that cannot be read, with the advice for whose file it is.

    Args:
        problem: what is wrong with which file.
        origin: the config key that says where the file is.
        hint: advice that fits better.
    """
    return DataError(problem, where=origin, hint=hint or _HINTS.get(origin))


@contextmanager
def named(source: Source, files: Sequence[str]) -> Iterator[None]:
    """Name the file if reading some of a source's fails inside.

    Raises:
        FlowerexpError: a file cannot be read; says which, and where it is damaged.
        Exception: what was raised inside, if each file can be read by itself.
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
    """What is wrong with a file of so many records; None if it can be read by itself."""
    try:
        if readers.data_of(source.reader) == TFRECORDS:
            _check_records(source, uri)
        for _ in readers.dataset(source, [uri]).batch(1).take(records):
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
    """Look at each record of a TFRecord file: its checksum, features and image.

    Raises:
        DataError: one is damaged, or is not what the reader wants.
    """
    from flowerexp.workload.images import tfrecords
    from flowerexp.workload.read_speed import native

    with storage.open_read(uri, **storage.access(source.anonymous)) as file:
        for number, record in enumerate(tfrecords.read_records(file, uri), start=1):
            try:
                native.picture_of(source, record)
            except DataError as error:
                raise DataError(f"{uri}: record {number}: {error.problem}", hint=error.hint) from error
