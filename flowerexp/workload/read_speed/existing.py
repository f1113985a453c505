"""Find TFRecord files that somebody else wrote, count their records, and check them before anything is measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats, report
from flowerexp.workload.images.layout import forbidden
from flowerexp.workload.read_speed.readers import EXISTING, TFRECORDS, Features, Source
from flowerexp.workload.read_speed.unreadable import refused

# name.tfrec, .tfrecord and .tfrecords, name.tfrecord-00000-of-00002 as in TensorFlow Datasets, and shards whose name
# does not say the format, name-00000-of-00002; each also compressed. How a file is compressed, its content says.
_NAME = re.compile(r"(\.tfrec(ords?)?(-\d+-of-\d+)?|-\d{3,}-of-\d{3,})(\.(gz|gzip|z|zz|zlib))?$", re.I)

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG")
_LISTED = 3


@dataclass(frozen=True)
class ExistingFiles:
    """The content of a folder: the TFRecord files, and the relative names of all other files."""

    files: Sequence[storage.Entry]
    others: Sequence[str]


def find(root: str, anonymous: bool) -> ExistingFiles:
    """The TFRecord files below a folder.

    Raises:
        DataError: the folder does not exist, or cannot be read.
    """
    try:
        entries = list(storage.list_files(root, **storage.access(anonymous)))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{root} is not a folder", where=EXISTING, hint="check the path") from error
    except PermissionError as error:
        raise forbidden(root, EXISTING, error) from error
    named = [(entry, bool(_NAME.search(entry.relative))) for entry in entries]
    files = [entry for entry, fits in named if fits]
    return ExistingFiles(files, [entry.relative for entry, fits in named if not fits])


def source_of(folder: ExistingFiles, config: dict[str, Any]) -> Source:
    """The source for readers of existing TFRecord files: counts the records, and checks the first of each file.

    With `dataset.on_error=skip`, damaged files are left out and counted; to find them, all files are read whole.

    Raises:
        DataError: there are no records, a file is damaged, or a reader cannot use its records.
    """
    root, dataset = config["dataset"]["tfrecords"], config["dataset"]
    features, anonymous = Features(**dataset.get("features", {})), bool(dataset.get("anonymous"))
    with report.phase("list"):
        is_whole = _whole(folder.files, anonymous) if dataset["on_error"] == "skip" else [True] * len(folder.files)
        whole = [entry for entry, fits in zip(folder.files, is_whole, strict=True) if fits]
        heads = [_read_head(entry.uri, features, anonymous) for entry in whole]
    _report(root, folder, heads)
    filled = [head for head in heads if head.records]
    if not filled:
        hint = f"none of its {len(folder.others)} files has a name such as NAME.tfrecord" if folder.others else None
        raise DataError(f"no TFRecord files with records in {root}", where=EXISTING, hint=hint or "check the path")
    target_size = _checked(filled, config)
    return Source(
        TFRECORDS,
        [head.uri for head in heads],
        [head.records for head in heads],
        target_size,
        anonymous=anonymous,
        origin=EXISTING,
        features=Features(features.image, features.label, filled[0].text),
        compressions={head.uri: head.compression for head in heads if head.compression},
    )


def _whole(files: Sequence[storage.Entry], anonymous: bool) -> list[bool]:
    """Which of the files are whole; reports those that are damaged."""
    problems = []
    for entry in files:
        try:
            formats.of("tfrecord").verify(entry.uri, storage.access(anonymous))
            problems.append("")
        except DataError as error:
            problems.append(error.problem)
    damaged = [problem for problem in problems if problem]
    report.fact("files_damaged", len(damaged))
    if damaged:
        report.note(f"{len(damaged)} of {len(files)} TFRecord files left out; the first: {damaged[0]}")
    return [not problem for problem in problems]


@dataclass(frozen=True)
class _Head:
    """A file's number of records and compression; and of its first record, the picture's (height, width), and whether
    its class is a text.
    """

    uri: str
    records: int
    compression: str
    size: tuple[int, int] = (0, 0)
    text: bool = False


def _read_head(uri: str, features: Features, anonymous: bool) -> _Head:
    from flowerexp.workload.images import examples, tfrecords, transform

    try:
        with storage.open_read(uri, **storage.access(anonymous)) as file:
            compression, records = tfrecords.compression_of(file), tfrecords.count_records(file, uri)
            if not records:
                return _Head(uri, 0, compression)
            file.seek(0)
            record = next(tfrecords.read_records(file, uri))
    except DataError as error:
        raise refused(error.problem, EXISTING) from error
    try:
        content, label = examples.decode_example(record, features.image, features.label)
        height, width = transform.decode(content).shape[:2]
    except DataError as error:
        raise refused(f"{uri}: {error.problem}", EXISTING, _suggestion(record, features)) from error
    return _Head(uri, records, compression, (height, width), isinstance(label, bytes))


def _suggestion(record: bytes, features: Features) -> str | None:
    """The features of an Example that the config could name instead; None if the record is not an Example."""
    from flowerexp.workload.images import examples

    try:
        kinds = examples.features_of(record)
    except DataError:
        return None
    images = [name for name in sorted(kinds) if kinds[name] == "bytes" and _is_picture(record, name)]
    if not images:
        return "name the feature that holds the image's file (JPEG or PNG): dataset.features.image=NAME"
    labels = [name for name in kinds if re.search("label|class", name) and kinds[name] in ("int64", "bytes")]
    labels.sort(key=lambda name: (kinds[name] == "bytes", len(name), name))
    label = features.label if features.label in labels else next(iter(labels), "null")
    named = {"image": images[0], "label": label}
    wanted = " ".join(f"dataset.features.{key}={name}" for key, name in named.items() if name != vars(features)[key])
    return f"name the features: {wanted}" + (" (null: there is no class)" if label == "null" else "")


def _is_picture(record: bytes, name: str) -> bool:
    from flowerexp.workload.images import examples

    try:
        return examples.decode_example(record, name, None)[0].startswith(_PICTURES)
    except DataError:
        return False


def _report(root: str, folder: ExistingFiles, heads: Sequence[_Head]) -> None:
    report.fact("prepared_images", sum(head.records for head in heads))
    report.fact("prepared_files", len(heads))
    report.fact("files_left_out", len(folder.others))
    if folder.others:
        more = ", ..." if len(folder.others) > _LISTED else ""
        names = ", ".join(folder.others[:_LISTED])
        report.note(
            f"{len(folder.others)} files in {root} are left out, since their names are not those of TFRecord files: "
            f"{names}{more}"
        )
    if compressed := [head for head in heads if head.compression]:
        kinds = " and ".join(sorted({head.compression for head in compressed}))
        count = f"{len(compressed)} of {len(heads)}"
        report.note(f"{count} TFRecord files are compressed ({kinds}): reading decompresses them")


def _checked(heads: Sequence[_Head], config: dict[str, Any]) -> tuple[int, int]:
    """The (height, width) of the first image of every file, in pixels.

    Raises:
        DataError: the files differ in the size of the images or in the kind of the classes, or the config gives another
            size.
    """
    height, width = config["preprocess"]["target_size"]
    first = heads[0]
    for head in heads:
        if head.size != first.size:
            sizes = " and ".join("{} x {}".format(*other.size) for other in (first, head))
            raise DataError(
                f"the first images in {first.uri} and {head.uri} differ in size: {sizes} pixels",
                where=EXISTING,
                hint="images of different sizes cannot be read in batches: put them into separate folders",
            )
        if head.text != first.text:
            kinds = " and ".join("text" if other.text else "numbers" for other in (first, head))
            raise DataError(
                f"the classes in {first.uri} and {head.uri} differ in kind: {kinds}",
                where=EXISTING,
                hint="put them into separate folders, or set dataset.features.label=null to read no class",
            )
    if first.size != (height, width):
        raise DataError(
            f"the images in {first.uri} are {first.size[0]} x {first.size[1]} pixels, but preprocess.target_size is "
            f"{height} x {width}",
            where="preprocess.target_size",
            hint=f"set preprocess.target_size=[{first.size[0]},{first.size[1]}]",
        )
    return height, width
