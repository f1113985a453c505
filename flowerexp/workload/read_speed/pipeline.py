"""Open files with a reader, whichever it is: the module that the table of readers names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from flowerexp.workload.read_speed.readers import READERS, Options, Source


def dataset(source: Source, files: Sequence[str], options: Options | None = None) -> Any:
    """The images and labels in some files of a source; ``.batch(size).take(number)`` gives batches of them.

    Args:
        source: what is read, and by which reader; its module is imported when it is first used.
        files: some of its files.
        options: how to read; by default in order, as the reader does by itself.

    Returns:
        A tf.data.Dataset, or an object that is used like one (`native.Pictures`, `loaders.Images`). The tf.data
        pipeline of photographs gives float32, like TensorFlow's resize; all others give uint8.
    """
    return _module(READERS[source.reader].module).dataset(source, files, options or Options())


def steps(source: Source, files: Sequence[str], size: int) -> Sequence[tuple[str, Any]]:
    """Passes over some files, each a step further than the one before, see `read_speed.steps`.

    There are none where the steps of a reader cannot be told apart.

    Args:
        source: what is read, and by which reader.
        files: some of its files.
        size: images a batch.
    """
    module = READERS[source.reader].steps
    found: Sequence[tuple[str, Any]] = _module(module).steps(source, files, size) if module else ()
    return found


def _module(name: str) -> Any:
    return import_module(f"flowerexp.workload.read_speed.{name}")
