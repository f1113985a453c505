"""Open files with a reader, whichever kind it is: tf.data or native."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowerexp.workload.read_speed import tf_data
from flowerexp.workload.read_speed.readers import IMAGE_FILES, TFRECORDS, Source


def dataset(source: Source, files: Sequence[str]) -> Any:
    """The images and labels in some files of a source; ``.batch(size).take(number)`` gives batches of them.

    Returns:
        A tf.data.Dataset, or `native.Pictures`. The tf.data pipeline of photographs gives float32, like TensorFlow's
        resize; all others give uint8.
    """
    if source.reader in (IMAGE_FILES, TFRECORDS):
        return tf_data.dataset(source, files)
    from flowerexp.workload.read_speed import native  # imports OpenCV, which tf.data does not need

    return native.Pictures(source, files)
