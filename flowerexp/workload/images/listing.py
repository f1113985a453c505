"""Find the photographs of a data set, and choose the sample: pictures in class folders, labels from their names."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from flowerexp import storage
from flowerexp.errors import DataError, did_you_mean
from flowerexp.workload import report
from flowerexp.workload.images.distributed import DistributedListing, Folder, Folders
from flowerexp.workload.images.found import Found, Skipped, class_of
from flowerexp.workload.images.generated import synthetic_fingerprint, synthetic_folder
from flowerexp.workload.images.left_out import DEEPER, LOOSE, LeftOut, named, shown
from flowerexp.workload.images.photographs import Photograph, Photographs

#: From so many photographs on, executors list, and the list stays with them: below, Spark's jobs would take longer than
#: the driver does. Which files a partition gets does not depend on it.
LARGE = 100_000

_LAYOUT = "expected CLASS/*.jpg below it, or other pictures"


@dataclass(frozen=True)
class Listing:
    """The sampled files of a data set, in the order of their names.

    Attributes:
        photographs: the sample; of a large data set it lies with the executors.
        classes: the names of the classes; a label is an index into it.
        found: how many photographs there are before sampling.
        skipped: photographs that are left out because their class is not known.
        left_out: all else that is there, and no photograph of a class.
        empty: the classes that have no photographs, before sampling.
        fingerprint: a hash of the sampled files' names, sizes and versions, and of the classes; of synthetic data, see
            `synthetic_fingerprint`.
    """

    photographs: Photographs | DistributedListing
    classes: Sequence[str]
    found: int
    skipped: Sequence[Skipped]
    left_out: LeftOut
    empty: Sequence[str]
    fingerprint: str


def list_photographs(spark: Any, config: dict[str, Any]) -> Listing:
    """List and sample a run's data set; a synthetic one is generated first where it is missing.

    What is left out is reported.

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
    report.fact("files_left_out", listing.left_out.total)
    if listing.left_out.total:
        report.note(f"left out: {listing.left_out}")
    if dataset["kind"] != "synthetic":
        _tell_of_classes(listing)
    return listing


def _tell_of_classes(listing: Listing) -> None:
    report.fact("classes_empty", len(listing.empty))
    if listing.empty:
        report.note(named(listing.empty))
    same: dict[str, list[str]] = defaultdict(list)
    for name in listing.classes:
        same[normalize("NFC", name)].append(ascii(name))
    for names in same.values():
        if len(names) > 1:
            report.note(f"classes of one name, written in different Unicode characters: {', '.join(names)}")


def listing_of(root: str, config: dict[str, Any], context: Any = None) -> Listing:
    """List and sample the photographs that stand below a folder; nothing is reported.

    Args:
        root: the folder.
        config: the run's config.
        context: a SparkContext, with which the list of a large data set does not come here. None is needed.

    Raises:
        DataError: as `list_photographs`.
    """
    found = Found(config)
    with _explained(root):
        if not found.look(root, most=LARGE if context else None):
            return _scattered(context, root, config)
    classes = _classes(root, config, found.by_class, found.skipped, found.left_out)
    _check_sample(len(found.sample), found.inside, config)
    numbers = {name: number for number, name in enumerate(classes)}
    found.sample.relabel([numbers.get(name, 0) for name in found.classes])  # none of an unknown class is in it
    empty = [name for name in classes if not found.by_class.get(name)]
    fingerprint = _fingerprint(_lines(found.sample), classes, config)
    return Listing(found.sample, classes, found.inside, found.skipped, found.left_out, empty, fingerprint)


def _scattered(context: Any, root: str, config: dict[str, Any]) -> Listing:
    """List and sample a large data set with executors, a class folder at a time each: to the same result."""
    loose = Found(config)
    names, files = storage.list_folder(root, passed=loose.passed, **storage.access(config["dataset"].get("anonymous")))
    for entry in files:
        loose.take(entry)
    folders = Folders(context, names, lambda name: _look(root, name, config))
    left_out = loose.left_out
    for summary in folders.summaries:
        left_out.extend(summary.left_out)
    counts = {summary.name: summary.found for summary in folders.summaries}
    skipped = [skipped for summary in folders.summaries for skipped in summary.skipped]
    classes = _classes(root, config, counts, skipped, left_out)
    photographs = folders.photographs({name: number for number, name in enumerate(classes)})
    inside = sum(counts.values())
    _check_sample(len(photographs), inside, config)
    lines = photographs.each_slice(lambda some: b"".join(_lines(some)))
    empty = [name for name in classes if not counts.get(name)]
    return Listing(photographs, classes, inside, skipped, left_out, empty, _fingerprint(lines, classes, config))


def _look(root: str, name: str, config: dict[str, Any]) -> Folder:
    """List and sample one class folder."""
    found, problem = Found(config), None
    try:
        found.look(root, below=name)
    except OSError as error:
        if storage.is_local(root):
            found.passed(f"{name}/", error.strerror or str(error))
        else:
            problem = error
    return Folder(name, found.inside, found.sample, found.skipped, problem, found.left_out)


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


def _classes(
    root: str, config: dict[str, Any], counts: Mapping[str, int], skipped: Sequence[Skipped], left_out: LeftOut
) -> Sequence[str]:
    """The classes, in the order of their numbers.

    Args:
        root: the data set's folder.
        config: the run's config.
        counts: how many photographs each class folder has.
        skipped: photographs in class folders that `dataset.classes` does not name.
        left_out: what else is there.

    Raises:
        DataError: what was found is not what a run can use.
    """
    dataset = config["dataset"]
    if left_out.unreadable and dataset["on_error"] == "fail":
        relative, problem = next(iter(left_out.unreadable.items()))
        raise DataError(
            f"{shown(storage.join(root, relative))} cannot be read: {problem}",
            where="dataset.path",
            hint="give yourself the permission, or set dataset.on_error=skip to leave it out",
        )
    if not any(counts.values()):
        raise _misplaced(root, left_out)
    _check_count(sum(counts.values()), root, dataset)
    classes: Sequence[str] = dataset["classes"] or sorted(counts)
    if skipped and dataset["on_error"] == "fail":
        unknown = class_of(skipped[0].relative)
        raise DataError(
            f"{root} has a class folder '{shown(unknown)}' that is not among {', '.join(classes)}",
            where="dataset.classes",
            hint=f"{did_you_mean(unknown, classes) or 'add it'}, or set dataset.on_error=skip to leave it out",
        )
    return classes


def _misplaced(root: str, left_out: LeftOut) -> DataError:
    """No photographs in class folders."""
    elsewhere = left_out.counts.get(DEEPER, 0) + left_out.counts.get(LOOSE, 0)
    if not elsewhere:
        there = f" (there are {left_out})" if left_out.total else ""
        return DataError(f"no photographs in {root}{there}", where="dataset.path", hint=_LAYOUT)
    hint = f"{_LAYOUT}: put each class's photographs in a folder of its name"
    if DEEPER in left_out.counts:
        deeper = shown(storage.join(root, left_out.first[DEEPER].rsplit("/", 2)[0]))
        hint = f"{_LAYOUT}: name the folder in which the class folders stand, such as dataset.path='{deeper}'"
    problem = f"{root} has {elsewhere} photographs but no class folders with photographs in them"
    return DataError(problem, where="dataset.path", hint=hint)


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


def _check_sample(sampled: int, inside: int, config: dict[str, Any]) -> None:
    if not sampled:
        fraction = config["sampling"]["fraction"]
        raise DataError(
            f"sampling {fraction:g} of {inside} photographs leaves none",
            where="sampling.fraction",
            hint="choose a larger fraction",
        )


def _fingerprint(lines: Iterable[bytes], classes: Sequence[str], config: dict[str, Any]) -> str:
    if config["dataset"]["kind"] == "synthetic":
        return synthetic_fingerprint(config)
    digest = hashlib.sha256(repr(list(classes)).encode(errors="surrogateescape"))
    for some in lines:
        digest.update(some)
    return digest.hexdigest()[:16]


def _lines(photographs: Iterable[Photograph]) -> Iterator[bytes]:
    return (f"{one.relative}\0{one.size}\0{one.version}\n".encode(errors="surrogateescape") for one in photographs)


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
        digest.update(f"{entry.relative}\0{entry.size}\0{entry.version}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
