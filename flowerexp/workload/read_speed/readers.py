"""The readers by name, and the sources that they read: files, their images, and how these are stored.

`image_files` and `tfrecords` read with tf.data like Google's notebooks (`tf_data`). Their `_native` and `_cached`
variants read the same data without TensorFlow (`native`). `pipeline` chooses between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

IMAGE_FILES, TFRECORDS = "image_files", "tfrecords"
_NATIVE, _CACHED = "_native", "_cached"
READERS = tuple(data + way for way in ("", _NATIVE, _CACHED) for data in (IMAGE_FILES, TFRECORDS))


def data_of(reader: str) -> str:
    """The data that a reader reads: `image_files` or `tfrecords`; for an unknown reader, its name."""
    return reader.removesuffix(_NATIVE).removesuffix(_CACHED) if reader in READERS else reader


def keeps_decoded(reader: str) -> bool:
    """Whether a reader takes decoded images from memory, so that it reads no storage while it is timed."""
    return reader in READERS and reader.endswith(_CACHED)


@dataclass(frozen=True)
class Features:
    """The features of an Example that hold a picture and its class.

    Attributes:
        image: the name of the feature with the picture.
        label: the name of the feature with the class; None if there is none.
        text: whether the class is a text, not a number.
    """

    image: str = "image"
    label: str | None = "class"
    text: bool = False


@dataclass(frozen=True)
class Source:
    """What a reader reads.

    Attributes:
        reader: one of `READERS`.
        files: the URIs, in the order of their names.
        records: the number of images in each file.
        target_size: (height, width) in pixels of TFRecord images, and to which photographs are resized.
        anonymous: whether to read a bucket without credentials.
        origin: the config key that says where the files are.
        features: the names of the features in TFRecord files.
        compressions: `GZIP` or `ZLIB` for each TFRecord file that is compressed.
        orientation: `exif` turns photographs as their EXIF data says; `stored` leaves them as they are.
        scaled: whether large JPEGs are decoded 2, 4 or 8 times smaller, but not smaller than the target.
        narrow: whether some photographs are so long and narrow that they have to be cut before they are resized
            (`images.LARGEST`), which costs `image_files` 0.07 ms for each photograph.
    """

    reader: str
    files: Sequence[str]
    records: Sequence[int]
    target_size: tuple[int, int]
    _: KW_ONLY
    anonymous: bool = False
    origin: str = "dataset"
    features: Features = Features()
    compressions: Mapping[str, str] = field(default_factory=dict)
    orientation: str = "stored"
    scaled: bool = False
    narrow: bool = False

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(self.records)

    def prefix(self, order: Sequence[int], images: int) -> list[str]:
        """The first files, in the given order of indices, that together hold at least `images` images."""
        chosen, held = [], 0
        for index in order:
            if held >= images:
                break
            chosen.append(self.files[index])
            held += self.records[index]
        return chosen
