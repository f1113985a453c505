"""The reader `lance`: a scanner of the data set in order, and `take` by number in random order.

Rows are decoded one after the other. The data set is the folder above the files, which have their places in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from flowerexp.workload.formats.columns import IMAGE, LABEL
from flowerexp.workload.read_speed.loaders import Batch, Images, batches, decoded, order, steps_of
from flowerexp.workload.read_speed.loaders.parquet import rows_of
from flowerexp.workload.read_speed.readers import Options, Source


def dataset(source: Source, files: Sequence[str], options: Options) -> Images:
    """The images and labels in some files of a data set."""

    def read(size: int) -> Iterable[Batch]:
        found = _taken if options.shuffle == "full" else _scanned
        rows = rows_of(found(source, files, size, options))
        return batches(((decoded(content), label) for content, label in rows), size)

    return Images(read)


def steps(source: Source, files: Sequence[str], size: int) -> list[tuple[str, Callable[[], None]]]:
    """Only scanned, then also decoded, then also stacked."""
    return steps_of(lambda: rows_of(_scanned(source, files, size, Options())), size)


def _opened(files: Sequence[str]) -> Any:
    import lance

    return lance.dataset(str(Path(files[0]).parents[1]))


def _scanned(source: Source, files: Sequence[str], size: int, options: Options) -> Iterable[Any]:
    whole = _opened(files)
    fragments = {fragment.data_files()[0].path: fragment for fragment in whole.get_fragments()}
    ahead = {"batch_readahead": options.prefetch} if options.prefetch else {}
    for path in files:  # one after the other, since a scanner of several takes them in the data set's own order
        chosen = [fragments[Path(path).name]]
        yield from whole.scanner([IMAGE, LABEL], fragments=chosen, batch_size=size, **ahead).to_batches()


def _taken(source: Source, files: Sequence[str], size: int, options: Options) -> Iterator[Any]:
    whole = _opened(files)
    starts = dict(zip(source.files, accumulate(source.records, initial=0), strict=False))  # one start more than files
    counts = dict(zip(source.files, source.records, strict=True))
    rows = [row for path in files for row in range(starts[path], starts[path] + counts[path])]
    places = order(len(rows), options)
    for start in range(0, len(places), size):
        chosen = [rows[place] for place in places[start : start + size]]
        yield from whole.take(chosen, [IMAGE, LABEL]).to_batches()
