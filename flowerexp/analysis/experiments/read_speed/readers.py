"""What each reader of `read_speed` reads, by the name of its series, whose first word is the reader."""

from __future__ import annotations

IMAGE_FILES, TFRECORDS = "image_files", "tfrecords"


def data_of(reader: str) -> str:
    """What a reader, or a series of one, reads, such as `image_files` or `tfrecords`."""
    return reader.partition(" ")[0].removesuffix("_native").removesuffix("_cached")


def keeps_decoded(reader: str) -> bool:
    """Does a reader copy images that were decoded before, so that nothing is read while it is timed?"""
    return reader.partition(" ")[0].endswith("_cached")
