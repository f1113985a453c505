"""TFRecord files that somebody else wrote: found by their names, counted, and looked at before anything is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.read_speed.readers import TFRECORDS, Features, Source
from flowerexp.workload.read_speed.unreadable import refused

ORIGIN = "dataset.tfrecords"

# name.tfrec, .tfrecord and .tfrecords, name.tfrecord-00000-of-00002 as TensorFlow Datasets has it, and shards that say
# nothing of their format, name-00000-of-00002; each also compressed. What is in a file decides, not its name.
_NAME = re.compile(r"(\.tfrec(ords?)?(-\d+-of-\d+)?|-\d{3,}-of-\d{3,})(\.(gz|gzip|z|zz|zlib))?$", re.I)

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG")
_LISTED = 3


@dataclass(frozen=True)
class Found:
    """What is in a folder: the TFRecord files, and the relative names of all other files."""

    files: Sequence[storage.Entry]
    others: Sequence[str]


def find(root: str, anonymous: bool) -> Found:
    """The TFRecord files below a folder.

    Raises:
        DataError: there is no such folder, or it cannot be read.
    """
    try:
        entries = list(storage.list_files(root, **storage.access(anonymous)))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{root} is not a folder", where=ORIGIN, hint="check the path") from error
    except PermissionError as error:
        if storage.is_local(root):
            hint = "give yourself the permission, or choose another folder"
        else:
            hint = "ask for the role Storage Object Viewer on the bucket, or set dataset.anonymous=true if it is public"
        raise DataError(f"{root} cannot be read: {error.strerror}", where=ORIGIN, hint=hint) from error
    named = [(entry, bool(_NAME.search(entry.relative))) for entry in entries]
    files = [entry for entry, fits in named if fits]
    return Found(files, [entry.relative for entry, fits in named if not fits])


def source_of(found: Found, config: dict[str, Any]) -> Source:
    """What a reader reads; the records are counted, and the first of each file is looked at.

    Raises:
        DataError: there are no records; or a file is damaged, or its records are not what a reader wants.
    """
    root, dataset = config["dataset"]["tfrecords"], config["dataset"]
    features, anonymous = Features(**dataset.get("features", {})), bool(dataset.get("anonymous"))
    with report.phase("list"):
        looks = [_look(entry.uri, features, anonymous) for entry in found.files]
    _tell(root, found, looks)
    if not any(look.records for look in looks):
        hint = f"none of its {len(found.others)} files has a name such as NAME.tfrecord" if found.others else None
        raise DataError(f"no TFRecord files with records in {root}", where=ORIGIN, hint=hint or "check the path")
    filled = [look for look in looks if look.records]
    target_size = _checked(filled, config)
    return Source(
        TFRECORDS,
        [look.uri for look in looks],
        [look.records for look in looks],
        target_size,
        anonymous=anonymous,
        origin=ORIGIN,
        features=Features(features.image, features.label, filled[0].text),
        compressions={look.uri: look.compression for look in looks if look.compression},
    )


@dataclass(frozen=True)
class _Look:
    """What is known of a file; of its first record the picture's (height, width), and whether its class is a text."""

    uri: str
    records: int
    compression: str
    size: tuple[int, int] = (0, 0)
    text: bool = False


def _look(uri: str, features: Features, anonymous: bool) -> _Look:
    from flowerexp.workload.images import tfrecords, transform

    try:
        with storage.open_read(uri, **storage.access(anonymous)) as file:
            compression, records = tfrecords.compression_of(file), tfrecords.count_records(file, uri)
            if not records:
                return _Look(uri, 0, compression)
            file.seek(0)
            record = next(tfrecords.read_records(file, uri))
    except DataError as error:
        raise refused(error.problem, ORIGIN) from error
    try:
        content, label = tfrecords.decode_example(record, features.image, features.label)
        height, width = transform.decode(content).shape[:2]
    except DataError as error:
        raise refused(f"{uri}: {error.problem}", ORIGIN, _suggestion(record, features)) from error
    return _Look(uri, records, compression, (height, width), isinstance(label, bytes))


def _suggestion(record: bytes, features: Features) -> str | None:
    """Which features to name, of those that an Example has; None where none of them holds a picture."""
    from flowerexp.workload.images import tfrecords

    try:
        kinds = tfrecords.features_of(record)
    except DataError:
        return None
    images = [name for name in _of_kind(kinds, "bytes") if _is_picture(record, name)]
    if not images:
        return "name the feature that holds the image's file (JPEG or PNG): dataset.features.image=NAME"
    labels = [name for name in kinds if re.search("label|class", name) and kinds[name] in ("int64", "bytes")]
    labels.sort(key=lambda name: (kinds[name] == "bytes", len(name), name))
    label = features.label if features.label in labels else next(iter(labels), "null")
    named = {"image": images[0], "label": label}
    wanted = " ".join(f"dataset.features.{key}={name}" for key, name in named.items() if name != vars(features)[key])
    return f"name the features: {wanted}" + (" (null: there is no class)" if label == "null" else "")


def _of_kind(kinds: Mapping[str, str], kind: str) -> list[str]:
    return sorted(name for name in kinds if kinds[name] == kind)


def _is_picture(record: bytes, name: str) -> bool:
    from flowerexp.workload.images import tfrecords

    try:
        return tfrecords.decode_example(record, name, None)[0].startswith(_PICTURES)
    except DataError:
        return False


def _tell(root: str, found: Found, looks: Sequence[_Look]) -> None:
    report.fact("prepared_images", sum(look.records for look in looks))
    report.fact("prepared_files", len(looks))
    report.fact("files_left_out", len(found.others))
    if found.others:
        more = ", ..." if len(found.others) > _LISTED else ""
        names = ", ".join(found.others[:_LISTED])
        report.note(f"{len(found.others)} files in {root} are left out, since their names are not of TFRecord files: "
                    f"{names}{more}")  # fmt: skip
    if packed := [look for look in looks if look.compression]:
        kinds = " and ".join(sorted({look.compression for look in packed}))
        report.note(f"{len(packed)} of {len(looks)} TFRecord files are compressed ({kinds}): reading decompresses them")


def _checked(looks: Sequence[_Look], config: dict[str, Any]) -> tuple[int, int]:
    """The size that all images have, as far as that was looked at.

    Raises:
        DataError: they differ, in size or in the kind of their classes, or have another size than the config says.
    """
    height, width = config["preprocess"]["target_size"]
    first = looks[0]
    for look in looks:
        if look.size != first.size:
            sizes = " and ".join("{} x {}".format(*one.size) for one in (first, look))
            raise DataError(
                f"the first images in {first.uri} and {look.uri} differ in size: {sizes} pixels",
                where=ORIGIN,
                hint="images that are not of one size cannot be read in batches: put them into folders of their own",
            )
        if look.text != first.text:
            kinds = " and ".join("text" if one.text else "numbers" for one in (first, look))
            raise DataError(
                f"the classes in {first.uri} and {look.uri} differ in kind: {kinds}",
                where=ORIGIN,
                hint="put them into folders of their own, or set dataset.features.label=null to read no class",
            )
    if first.size != (height, width):
        raise DataError(
            f"the images in {first.uri} are {first.size[0]} x {first.size[1]} pixels, and preprocess.target_size says "
            "otherwise",
            where="preprocess.target_size",
            hint=f"set preprocess.target_size=[{first.size[0]},{first.size[1]}]",
        )
    return height, width
