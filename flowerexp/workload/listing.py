"""Find the photographs of a data set, and choose the sample: CLASS/*.jpg, labels from the folders' names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError, did_you_mean
from flowerexp.workload import report
from flowerexp.workload.photographs import Photograph, Photographs
from flowerexp.workload.scattered import Folder, Folders, Scattered

SUFFIXES = (".jpg", ".jpeg")
_COMPLETE = "complete.json"

#: From so many files on, executors list, and the list stays with them: below, Spark's jobs would take longer than the
#: driver does. Which files a partition gets does not depend on it.
LARGE = 100_000

#: Of what `synthetic.photograph` makes: to be raised with every change there that changes a byte. It is here because
#: a plan asks for it, and OpenCV comes with that module.
SYNTHETIC_VERSION = 1


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    relative: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The sampled files of a data set, in the order of their names.

    Attributes:
        photographs: the sample; of a large data set it lies with the executors.
        classes: the names of the classes; a label is an index into it.
        found: how many photographs there are before sampling.
        skipped: files that are left out because their class is not known.
        fingerprint: a hash of the sampled files' names, sizes and versions, and of the classes; of synthetic data, see
            `synthetic_fingerprint`.
    """

    photographs: Photographs | Scattered
    classes: Sequence[str]
    found: int
    skipped: Sequence[Skipped]
    fingerprint: str


def list_photographs(spark: Any, config: dict[str, Any]) -> Listing:
    """List and sample a run's data set; a synthetic one is generated first where it is missing.

    Args:
        spark: the Spark session, for generating, and for a large data set.
        config: the run's config.

    Raises:
        DataError: the data set is missing, empty, or not laid out as CLASS/*.jpg; or the sample is empty.
    """
    dataset = config["dataset"]
    root = synthetic_folder(spark, config) if dataset["kind"] == "synthetic" else dataset["path"]
    with report.phase("list"):
        listing = listing_of(root, config, spark.sparkContext if spark else None)
    report.fact("images_found", listing.found)
    report.fact("images", len(listing.photographs))
    report.fact("bytes", listing.photographs.bytes)
    report.fact("data_fingerprint", listing.fingerprint)
    return listing


def listing_of(root: str, config: dict[str, Any], context: Any = None) -> Listing:
    """List and sample the photographs that stand below a folder; nothing is reported.

    Args:
        root: the folder.
        config: the run's config.
        context: a SparkContext, with which the list of a large data set does not come here. None is needed.

    Raises:
        DataError: as `list_photographs`.
    """
    with _explained(root):
        found = _found(root, config, LARGE if context else None)
        if found is None:
            return _scattered(context, root, config)
    _check_places(found, root, config["dataset"])
    classes = _classes(found.classes, found.skipped, root, config["dataset"])
    _check_sample(len(found.sample), found.inside, config)
    numbers = {name: number for number, name in enumerate(classes)}
    found.sample.relabel([numbers.get(name, 0) for name in found.classes])  # none of an unknown class is in it
    return Listing(
        found.sample, classes, found.inside, found.skipped, _fingerprint(_lines(found.sample), classes, config)
    )


def _scattered(context: Any, root: str, config: dict[str, Any]) -> Listing:
    """List and sample a large data set with executors, a class folder at a time each: to the same result."""
    dataset = config["dataset"]
    names, _ = storage.list_folder(root, **_options(config))

    def look(name: str) -> Folder:
        try:
            return _look(root, name, config)
        except OSError as error:
            return Folder(name, 0, Photographs(), (), error)

    folders = Folders(context, names, look)
    met = [one for one in folders.summaries if one.found]
    inside = sum(one.found for one in met)
    _check_count(inside, root, dataset)
    skipped = [_unknown(relative) for one in met for relative in one.skipped]
    classes = _classes([one.name for one in met], skipped, root, dataset)
    photographs = folders.photographs({name: number for number, name in enumerate(classes)})
    _check_sample(len(photographs), inside, config)
    lines = photographs.each_slice(lambda some: b"".join(_lines(some)))
    return Listing(photographs, classes, inside, skipped, _fingerprint(lines, classes, config))


def _look(root: str, name: str, config: dict[str, Any]) -> Folder:
    """List and sample one class folder; nothing below its folders counts, as in a walk."""
    known, sample, skipped, inside = config["dataset"]["classes"], Photographs(), list[str](), 0
    for entry in storage.list_folder(storage.join(root, name), **_options(config))[1]:
        if not entry.relative.lower().endswith(SUFFIXES):
            continue
        inside += 1
        relative = f"{name}/{entry.relative}"
        if known and name not in known:
            skipped.append(relative)
        elif is_sampled(relative, config["sampling"]):
            sample.root = entry.uri.removesuffix(relative)
            sample.add(relative, 0, entry.size, entry.version)
    return Folder(name, inside, sample, skipped)


@dataclass
class _Found:
    """What stands below a folder: how many photographs anywhere and in class folders, and which of them are sampled.

    `classes` holds the class folders' names in the order in which they were met; the sample's labels are places in it,
    as long as nothing else is known.
    """

    anywhere: int
    inside: int
    classes: dict[str, int]
    sample: Photographs
    skipped: list[Skipped]


def _found(root: str, config: dict[str, Any], most: int | None) -> _Found | None:
    """List a folder; one file at a time is held as an object. None as soon as there are more files than `most`."""
    known = config["dataset"]["classes"]
    found = _Found(0, 0, {}, Photographs(), [])
    for entry in storage.list_files(root, **_options(config)):
        if not entry.relative.lower().endswith(SUFFIXES):
            continue
        found.anywhere += 1
        if entry.relative.count("/") != 1:
            continue
        found.inside += 1
        if most is not None and found.inside > most:
            return None
        name = _class_of(entry.relative)
        label = found.classes.setdefault(name, len(found.classes))
        if known and name not in known:
            found.skipped.append(_unknown(entry.relative))
        elif is_sampled(entry.relative, config["sampling"]):
            found.sample.root = entry.uri.removesuffix(entry.relative)
            found.sample.add(entry.relative, label, entry.size, entry.version)
    return found


def _options(config: dict[str, Any]) -> dict[str, str]:
    return {"token": "anon"} if config["dataset"].get("anonymous") else {}


def _unknown(relative: str) -> Skipped:
    return Skipped(relative, f"class '{_class_of(relative)}' is not in dataset.classes")


@contextmanager
def _explained(root: str) -> Iterator[None]:
    try:
        yield
    except NotADirectoryError as error:
        raise DataError(f"{root} is a file", where="dataset.path", hint="name the folder of CLASS/*.jpg") from error
    except FileNotFoundError as error:
        raise DataError(f"{root} does not exist", where="dataset.path", hint="check the path") from error
    except PermissionError as error:
        raise _forbidden(root, "dataset.path", error) from error


def _check_places(found: _Found, root: str, dataset: dict[str, Any]) -> None:
    if not found.anywhere:
        raise DataError(f"no photographs in {root}", where="dataset.path", hint="expected CLASS/*.jpg below it")
    if not found.inside:
        raise DataError(
            f"{root} has {found.anywhere} photographs but no class folders with photographs in them",
            where="dataset.path",
            hint="expected CLASS/*.jpg below it: put each class's photographs in a folder of its name",
        )
    _check_count(found.inside, root, dataset)


def _check_count(inside: int, root: str, dataset: dict[str, Any]) -> None:
    if dataset["kind"] == "synthetic" and inside != dataset["images"]:
        raise DataError(
            f"{root} has {inside} photographs, and {dataset['images']} were generated there",
            where="storage.generated",
            hint="remove that folder: the next run generates it again",
        )


def _forbidden(root: str, where: str, error: PermissionError) -> DataError:
    if storage.is_local(root):
        hint = "give yourself the permission, or choose another folder"
    else:
        hint = "ask for the role Storage Object Viewer on the bucket; dataset.anonymous=true reads a public one without"
    return DataError(f"{root} cannot be read: {error.strerror}", where=where, hint=hint)


def _classes(met: Iterable[str], skipped: Sequence[Skipped], root: str, dataset: dict[str, Any]) -> Sequence[str]:
    classes: Sequence[str] = dataset["classes"] or sorted(met)
    if skipped and dataset["on_error"] == "fail":
        unknown = _class_of(skipped[0].relative)
        raise DataError(
            f"{root} has a class folder '{unknown}' that is not among {', '.join(classes)}",
            where="dataset.classes",
            hint=f"{did_you_mean(unknown, classes) or 'add it'}, or set dataset.on_error=skip to leave it out",
        )
    return classes


def _check_sample(sampled: int, inside: int, config: dict[str, Any]) -> None:
    if not sampled:
        fraction = config["sampling"]["fraction"]
        raise DataError(
            f"sampling {fraction:g} of {inside} photographs leaves none",
            where="sampling.fraction",
            hint="choose a larger fraction",
        )


def _class_of(relative: str) -> str:
    return relative.partition("/")[0]


def is_sampled(relative: str, sampling: dict[str, Any]) -> bool:
    """Does a file belong to the sample?

    A seeded hash of its name decides, so the same fraction picks the same files, and a larger one contains a smaller.
    """
    digest = hashlib.blake2b(f"{sampling['seed']}:{relative}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < float(sampling["fraction"]) * 2**64


def _fingerprint(lines: Iterable[bytes], classes: Sequence[str], config: dict[str, Any]) -> str:
    if config["dataset"]["kind"] == "synthetic":
        return synthetic_fingerprint(config)
    digest = hashlib.sha256(repr(list(classes)).encode())
    for some in lines:
        digest.update(some)
    return digest.hexdigest()[:16]


def _lines(photographs: Iterable[Photograph]) -> Iterator[bytes]:
    return (f"{one.relative}\0{one.size}\0{one.version}\n".encode() for one in photographs)


def synthetic_fingerprint(config: dict[str, Any]) -> str:
    """The fingerprint of a sample of synthetic photographs: they follow from the config, so that none need be there."""
    sampling = [config["sampling"][key] for key in ("fraction", "seed")]
    known = [_synthetic_name(config), config["dataset"]["classes"], *sampling]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _synthetic_name(config: dict[str, Any]) -> str:
    return f"synthetic-v{SYNTHETIC_VERSION}-{config['dataset']['images']}-seed{config['dataset']['seed']}"


def synthetic_folder(spark: Any, config: dict[str, Any]) -> str:
    """The folder of a synthetic data set; generated in parallel where it is not complete, reused where it is."""
    folder = storage.join(config["storage"]["generated"], _synthetic_name(config))
    if storage.exists(storage.join(folder, _COMPLETE)):
        return folder
    count, seed = config["dataset"]["images"], config["dataset"]["seed"]

    def generate(indices: Iterable[int]) -> Iterator[int]:
        from flowerexp.workload import synthetic  # OpenCV comes with it: 50 MB that other data sets need not pay

        photographs = (synthetic.photograph(index, seed) for index in indices)
        return storage.write_each((storage.join(folder, name), content) for name, content in photographs)

    with report.phase("generate"):
        context = spark.sparkContext
        slices = min(count, max(context.defaultParallelism * 4, count // 2000))
        with report.spark_progress(context, slices):
            written = context.parallelize(range(count), slices).mapPartitions(generate).sum()
        storage.write_bytes(storage.join(folder, _COMPLETE), f'{{"images": {count}, "bytes": {written}}}\n'.encode())
    report.note(f"generated {count} photographs ({written / 1e6:.0f} MB) in {folder}")
    return folder


def data_fingerprint(own: str | None, records: Sequence[storage.Entry]) -> str | None:
    """The fingerprint of all that a run reads: its photographs' and, where it measures existing TFRecord files, theirs.

    Args:
        own: the listing's fingerprint; None where no photographs are read.
        records: the existing TFRecord files.
    """
    if not records:
        return own
    digest = hashlib.sha256((own or "").encode())
    for entry in records:
        digest.update(f"{entry.relative}\0{entry.size}\0{entry.version}\n".encode())
    return digest.hexdigest()[:16]
