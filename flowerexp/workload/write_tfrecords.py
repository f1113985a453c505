"""Photographs to TFRecord files: read, decode, resize and crop, recompress, write; in parallel, once for each input.

What is written lies in a folder named by its fingerprint, with a manifest that is written last: a folder without one
is not prepared data. Names and contents follow from the inputs, so that two jobs that prepare the same data at the
same time write the same files.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.workload import examine, report
from flowerexp.workload.contact_sheet import contact_sheet
from flowerexp.workload.deal import deal
from flowerexp.workload.examine import Account, Examiner
from flowerexp.workload.found import options
from flowerexp.workload.listing import Listing, list_photographs
from flowerexp.workload.photographs import Photograph, Photographs
from flowerexp.workload.scattered import Scattered

# Part of the fingerprint: raise it whenever the same photographs and settings would give other files.
FORMAT = 3
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Prepared:
    """Prepared data: its folder, the TFRecord files' URIs, and its manifest."""

    folder: str
    manifest: dict[str, Any]
    reused: bool

    @property
    def files(self) -> list[str]:
        """The URIs of the TFRecord files; only what the manifest lists is ever read."""
        return [storage.join(self.folder, file["file"]) for file in self.manifest["files"]]

    @property
    def records(self) -> int:
        """How many images the files hold."""
        return int(self.manifest["records"])


def run(spark: Any, config: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The entrypoint: prepare a run's data and yield one row a TFRecord file.

    Rows hold file, partition, images, bytes, host, reused, and seconds (of reading, transforming and writing that
    file; null where it was written by an earlier run).
    """
    listing = list_photographs(spark, config)
    prepared = prepare(spark, config, listing)
    _show(prepared)
    for file in prepared.manifest["files"]:
        yield {
            "file": file["file"],
            "partition": file["partition"],
            "images": file["records"],
            "bytes": file["bytes"],
            "seconds": None if prepared.reused else file["seconds"],
            "host": file["host"],
            "reused": prepared.reused,
        }


def _show(prepared: Prepared) -> None:
    """Attach a contact sheet; one that cannot be made is no reason to fail what was written."""
    try:
        with report.phase("contact_sheet"):
            sheet = contact_sheet(prepared.files, prepared.manifest["classes"])
        report.attach("contact_sheet.jpg", sheet)
    except (DataError, OSError) as error:
        report.note(f"no contact sheet: {error}")


def prepare(spark: Any, config: dict[str, Any], listing: Listing) -> Prepared:
    """Write a listing's photographs as TFRecord files, unless that was done before.

    Raises:
        DataError: a photograph cannot be decoded and `dataset.on_error` is `fail`, or none can.
        MachineError: no room or no permission to write.
    """
    fingerprint = fingerprint_of(config, listing)
    folder = storage.join(config["storage"]["prepared"], fingerprint)
    prepared = _existing(folder)
    if prepared is None:
        with report.phase("prepare"):
            prepared = _write(spark, config, listing, folder, fingerprint)
        report.note(f"prepared {prepared.records} images as {len(prepared.files)} TFRecord files in {folder}")
    else:
        report.note(f"prepared data reused: {prepared.records} images in {folder}")
    _tell(prepared)
    return prepared


def _tell(prepared: Prepared) -> None:
    report.fact("prepared_reused", prepared.reused)
    report.fact("prepared_fingerprint", prepared.manifest["fingerprint"])
    report.fact("prepared_images", prepared.records)
    report.fact("prepared_bytes", prepared.manifest["bytes"])
    report.fact("prepared_files", len(prepared.files))
    orientation = prepared.manifest["preprocess"]["orientation"]
    examine.tell(prepared.manifest, orientation, storage.join(prepared.folder, MANIFEST))


def fingerprint_of(config: dict[str, Any], listing: Listing) -> str:
    """The name of prepared data: a hash of the input files and of every setting that shapes the output."""
    settings = {
        "format": FORMAT,
        "files": listing.fingerprint,
        "preprocess": config["preprocess"],
        "seed": config["sampling"]["seed"],
        "on_error": config["dataset"]["on_error"],
        "on_warning": config["dataset"]["on_warning"],
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _existing(folder: str) -> Prepared | None:
    """Prepared data that is complete: its manifest is there, and every file with the size it was written with."""
    try:
        manifest = json.loads(storage.read_bytes(storage.join(folder, MANIFEST)))
    except (FileNotFoundError, NotADirectoryError):  # the latter is better said of what cannot be written there
        return None
    sizes = {entry.relative: entry.size for entry in storage.list_files(folder)}
    whole = all(sizes.get(file["file"]) == file["bytes"] for file in manifest["files"])
    return Prepared(folder, manifest, reused=True) if whole else None


def _write(spark: Any, config: dict[str, Any], listing: Listing, folder: str, fingerprint: str) -> Prepared:
    task = _Task(
        folder=folder,
        preprocess=config["preprocess"],
        examiner=Examiner.of(config),
        options=options(config["dataset"]),
        classes=len(listing.classes),
    )

    def write(index: int, partition: Iterator[Photographs]) -> Iterator[dict[str, Any]]:
        return (task.write(index, hand) for hand in partition)

    context = spark.sparkContext
    hands = _hands(context, listing.photographs, config)
    with report.spark_progress(context, hands.getNumPartitions()):
        results = hands.mapPartitionsWithIndex(write).collect()
    account = Account.of([Account(skipped=list(listing.skipped)), *(result.pop("account") for result in results)])
    account.raise_problem()
    files = [result for result in results if result["records"]]
    if not files:
        raise DataError(f"none of {len(listing.photographs)} photographs can be decoded", where="dataset")
    manifest = _manifest(config, listing, fingerprint, files, account)
    _remove_strangers(folder, {file["file"] for file in files})
    storage.write_bytes(storage.join(folder, MANIFEST), json.dumps(manifest, indent=1).encode())
    return Prepared(folder, manifest, reused=False)


def _hands(context: Any, photographs: Photographs | Scattered, config: dict[str, Any]) -> Any:
    """An RDD of what each partition is dealt: one `Photographs`."""
    partitions, seed = config["preprocess"]["partitions"], config["sampling"]["seed"]
    if isinstance(photographs, Scattered):
        return photographs.hands(partitions, seed)
    hands = [photographs.pick(places) for places in deal(photographs.sizes, photographs.labels, partitions, seed)]
    return context.parallelize(hands, len(hands))


def _manifest(
    config: dict[str, Any],
    listing: Listing,
    fingerprint: str,
    files: Sequence[dict[str, Any]],
    account: Account,
) -> dict[str, Any]:
    totals = [sum(counts) for counts in zip(*(file["class_records"] for file in files), strict=True)]
    return {
        "fingerprint": fingerprint,
        "format": FORMAT,
        "records": sum(file["records"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
        "classes": list(listing.classes),
        "class_records": dict(zip(listing.classes, totals, strict=True)),
        "preprocess": config["preprocess"],
        "sampling": config["sampling"],
        "dataset": config["dataset"],
        "data_fingerprint": listing.fingerprint,
        **account.rows,
        "left_out": listing.left_out.rows,
        "classes_empty": list(listing.empty),
        "files": files,
    }


def _remove_strangers(folder: str, names: set[str]) -> None:
    """Remove files of an earlier attempt that did not come to its manifest."""
    for entry in storage.list_files(folder):
        if entry.relative not in names and entry.relative.endswith(".tfrec"):
            storage.remove(entry.uri)


@dataclass(frozen=True)
class _Task:
    """What every worker needs to know to write its TFRecord file."""

    folder: str
    preprocess: dict[str, Any]
    examiner: Examiner
    options: dict[str, Any]
    classes: int

    def write(self, index: int, hand: Sequence[Photograph]) -> dict[str, Any]:
        """Write one partition's file; what goes wrong is returned, since Spark would bury it in its own words."""
        from flowerexp.workload import tfrecords

        start = time.perf_counter_ns()
        account, counts = Account(), [0] * self.classes
        result: dict[str, Any] = {"partition": index, "host": socket.gethostname(), "records": 0}
        result.update(account=account, class_records=counts)
        try:
            with storage.NewFile(self.folder) as file:
                records, size = tfrecords.write_file(file.stream, self._records(hand, account, counts))
                result.update(records=records, bytes=size)
                if records and not account.fatal:
                    result["file"] = f"part-{index:05d}-{records:05d}.tfrec"
                    file.keep(result["file"])
        except MachineError as error:
            account.problem = str(error)
        except OSError as error:
            account.problem = str(from_os_error(error, f"writing TFRecord files to {self.folder}:"))
        result["seconds"] = (time.perf_counter_ns() - start) / 1e9
        return result

    def _records(self, hand: Sequence[Photograph], account: Account, counts: list[int]) -> Iterator[bytes]:
        """The serialized examples of a partition's photographs, but for those that are left out."""
        from flowerexp.workload import images, tfrecords

        _spare_imports()
        height, width = self.preprocess["target_size"]
        quality, exact = self.preprocess["quality"], self.preprocess["exact"]
        contents = storage.read_each((photograph.uri for photograph in hand), **self.options)
        for photograph, content in zip(hand, contents, strict=True):
            pixels = self.examiner.look(photograph, content, account)
            if account.fatal:
                return
            if pixels is not None:
                image = images.encode(images.resize_and_crop(pixels, height, width, exact=exact), quality)
                counts[photograph.label] += 1
                yield tfrecords.encode_example(image, photograph.label)


@functools.cache
def _spare_imports() -> None:
    """Leave what is imported by now out of the garbage collection after every task of PySpark's, which takes 20 ms."""
    gc.freeze()
