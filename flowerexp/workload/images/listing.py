"""List the photographs of a data set and choose the sample: pictures in class folders, labels by the folders' names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from flowerexp import storage
from flowerexp.workload import report
from flowerexp.workload.images.distributed import DistributedListing, Folders, Part
from flowerexp.workload.images.fingerprint import lines_of, photographs_fingerprint
from flowerexp.workload.images.layout import check_sample, classes_of, refusing
from flowerexp.workload.images.left_out import LeftOut, without_photographs
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.scan import Scan, Skipped
from flowerexp.workload.images.source import source_of

#: With more photographs than this, executors list them and keep the list: with fewer, Spark's jobs would take longer
#: than the driver alone. Which files a partition gets does not depend on it.
LARGE = 100_000


@dataclass(frozen=True)
class Listing:
    """The sampled files of a data set, in the order of their names.

    Attributes:
        photographs: the sample; executors keep that of a large data set.
        classes: the names of the classes; a label is an index into it.
        total: the number of photographs before sampling.
        skipped: photographs that are left out because their class is not known.
        left_out: everything else in the folder that is not a photograph of a class.
        empty: the classes that have no photographs, before sampling.
        fingerprint: a hash of the sampled files' names, sizes and versions, and of the classes; for synthetic data, see
            `generated.synthetic_fingerprint`.
    """

    photographs: Photographs | DistributedListing
    classes: Sequence[str]
    total: int
    skipped: Sequence[Skipped]
    left_out: LeftOut
    empty: Sequence[str]
    fingerprint: str


def list_photographs(spark: Any, config: dict[str, Any]) -> Listing:
    """List and sample a run's data set, and report what is left out; a missing synthetic one is generated first.

    Args:
        spark: the Spark session, to generate the data set, and to list a large one.
        config: the run's config.

    Raises:
        DataError: the data set is missing, empty, or not laid out as CLASS/*.jpg; or the sample is empty.
    """
    source = source_of(config)
    root = source.prepare(spark)
    with report.phase("list"):
        listing = listing_of(root, config, spark.sparkContext if spark else None)
    report.fact("images_found", listing.total)
    report.fact("images", len(listing.photographs))
    report.fact("bytes", listing.photographs.bytes)
    report.fact("data_fingerprint", listing.fingerprint)
    report.fact("files_left_out", listing.left_out.total)
    if listing.left_out.total:
        report.note(f"left out: {listing.left_out}")
    if not source.is_made:
        _report_classes(listing)
    return listing


def _report_classes(listing: Listing) -> None:
    """Report the empty classes, and the classes whose names look the same but are not."""
    report.fact("classes_empty", len(listing.empty))
    if listing.empty:
        report.note(without_photographs(listing.empty))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in listing.classes:
        alike[normalize("NFC", name)].append(ascii(name))
    for names in alike.values():
        if len(names) > 1:
            report.note(f"class names that look the same but differ in their Unicode characters: {', '.join(names)}")


def listing_of(root: str, config: dict[str, Any], context: Any = None) -> Listing:
    """List and sample the photographs below a folder; nothing is reported.

    Args:
        root: the folder.
        config: the run's config.
        context: a SparkContext, so that executors list a large data set; without it, the driver lists every one.

    Raises:
        DataError: see `list_photographs`.
    """
    scan = Scan(config)
    with refusing(root):
        # A sample that may have to be filled up is chosen where all of it is seen.
        large = config["sampling"]["fraction"] * LARGE > 2 * config["sampling"].get("least", 0)
        if not scan.walk(root, most=LARGE if context and large else None):
            return _distributed(context, root, {**config, "sampling": {**config["sampling"], "least": 0}})
    classes = classes_of(root, config, scan.by_class, scan.skipped, scan.left_out)
    check_sample(len(scan.sample), scan.total, config)
    numbers = {name: number for number, name in enumerate(classes)}
    scan.sample.relabel([numbers.get(name, 0) for name in scan.classes])  # the sample holds none of an unknown class
    empty = [name for name in classes if not scan.by_class.get(name)]
    fingerprint = _fingerprint(lines_of(scan.sample), classes, config)
    return Listing(scan.sample, classes, scan.total, scan.skipped, scan.left_out, empty, fingerprint)


def _distributed(context: Any, root: str, config: dict[str, Any]) -> Listing:
    """List and sample a large data set with executors, each a folder or a range of one; the result is the same."""
    loose = Scan(config)
    access = storage.access(config["dataset"].get("anonymous"))
    names, files = storage.list_folder(root, passed=loose.pass_over, **access)
    for entry in files:
        loose.add(entry)
    folders = Folders(context, names, lambda within, most, names: scan_range(root, within, most, names, config))
    left_out, counts = loose.left_out, dict.fromkeys(names, 0)
    for name, summary in folders.summaries:
        left_out.extend(summary.left_out)
        counts[name] += summary.total
    skipped = [photograph for _, summary in folders.summaries for photograph in summary.skipped]
    classes = classes_of(root, config, counts, skipped, left_out)
    photographs = folders.photographs({name: number for number, name in enumerate(classes)})
    total = sum(counts.values())
    check_sample(len(photographs), total, config)
    empty = [name for name in classes if not counts.get(name)]
    lines = photographs.each_slice(lambda part: b"".join(lines_of(part)))
    return Listing(photographs, classes, total, skipped, left_out, empty, _fingerprint(lines, classes, config))


def _fingerprint(lines: Iterable[bytes], classes: Sequence[str], config: dict[str, Any]) -> str:
    return source_of(config).fingerprint() or photographs_fingerprint(lines, classes)


def scan_range(root: str, within: storage.Range, most: int, names: int, config: dict[str, Any]) -> Part:
    """List and sample a class folder or a range of its names; see `storage.RangeListing` for what is left of it."""
    scan, problem = Scan(config), None
    access = storage.access(config["dataset"].get("anonymous"))
    listing = storage.RangeListing(root, within, most, names, passed=scan.pass_over, **access)
    try:
        for entry in listing:
            scan.add(entry)
    except OSError as error:
        if storage.is_local(root):
            scan.pass_over(f"{within.folder}/", error.strerror or str(error))
        else:
            problem = error
    return Part(scan.total, scan.sample, scan.skipped, problem, scan.left_out, listing.left)
