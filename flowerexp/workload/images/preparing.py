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
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.workload import report
from flowerexp.workload.images import examine
from flowerexp.workload.images.deal import deal
from flowerexp.workload.images.distributed import DistributedListing
from flowerexp.workload.images.examine import Account, Examiner
from flowerexp.workload.images.listing import Listing
from flowerexp.workload.images.photographs import Photograph, Photographs
from flowerexp.workload.images.prepared import MANIFEST, Prepared, damage, misfits, read_manifest

# Part of the fingerprint: raise it whenever the same photographs and settings would give other files.
FORMAT = 3


def prepare(spark: Any, config: dict[str, Any], listing: Listing) -> Prepared:
    """Write a listing's photographs as TFRecord files, as far as that was not done before.

    Raises:
        DataError: a photograph cannot be decoded and `dataset.on_error` is `fail`, or none can.
        MachineError: no room or no permission to write.
    """
    fingerprint = fingerprint_of(config, listing)
    folder = storage.join(config["storage"]["prepared"], fingerprint)
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        report.note(f"{error.problem}: the data is prepared again")
        manifest = None
    if manifest is None:
        with report.phase("prepare"):
            prepared = _write(spark, config, listing, folder, fingerprint)
        report.note(f"prepared {prepared.records} images as {len(prepared.files)} TFRecord files in {folder}")
    else:
        known = Prepared(folder, manifest)
        prepared = _write_again(spark, config, listing, known, misfits(folder, manifest))
    if prepared.reused:
        report.note(f"prepared data reused: {prepared.records} images in {folder}")
    _tell(prepared)
    return prepared


def mend(spark: Any, config: dict[str, Any], listing: Listing, prepared: Prepared) -> Prepared:
    """Read all of some prepared data, and write again what is damaged.

    Returns:
        The data; `written` are the files that were written again.

    Raises:
        DataError: as of `prepare`.
        MachineError: likewise.
    """
    folder, files = prepared.folder, prepared.manifest["files"]

    def look(file: dict[str, Any]) -> tuple[str, str | None]:
        return file["file"], damage(folder, file)

    with report.phase("verify"):
        looked_at = spark.sparkContext.parallelize(files, len(files)).map(look).collect()
    damaged = {name: why for name, why in looked_at if why}
    return _write_again(spark, config, listing, Prepared(folder, prepared.manifest), damaged)


def _write_again(
    spark: Any, config: dict[str, Any], listing: Listing, prepared: Prepared, damaged: Mapping[str, str]
) -> Prepared:
    """Write some files of prepared data again: the same bytes, since names and contents follow from the inputs."""
    if not damaged:
        return prepared
    folder, files = prepared.folder, prepared.manifest["files"]
    with report.phase("prepare"):
        partitions = {file["partition"] for file in files if file["file"] in damaged}
        results, _ = _written(spark, config, listing, folder, partitions)
        fresh = {result["file"]: result for result in results if result["records"]}
        if fresh.keys() != damaged.keys():  # what can be decoded has changed since, with the libraries that decode
            again = _write(spark, config, listing, folder, prepared.manifest["fingerprint"])
        else:
            files = [fresh.get(file["file"], file) for file in files]
            manifest = {**prepared.manifest, "files": files, "bytes": sum(file["bytes"] for file in files)}
            _write_manifest(folder, manifest)
            again = Prepared(folder, manifest, frozenset(fresh))
    name, why = next(iter(damaged.items()))
    report.note(
        f"{len(damaged)} of {len(files)} TFRecord files in {folder} were damaged, and were written again from their "
        f"photographs; the first is {name}: {why}"
    )
    report.fact("prepared_files_mended", len(damaged))
    return again


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


def _write(spark: Any, config: dict[str, Any], listing: Listing, folder: str, fingerprint: str) -> Prepared:
    results, account = _written(spark, config, listing, folder)
    files = [result for result in results if result["records"]]
    if not files:
        raise DataError(f"none of {len(listing.photographs)} photographs can be decoded", where="dataset")
    manifest = _manifest(config, listing, fingerprint, files, account)
    names = {file["file"] for file in files}
    _remove_strangers(folder, names)
    _write_manifest(folder, manifest)
    return Prepared(folder, manifest, frozenset(names))


def _write_manifest(folder: str, manifest: dict[str, Any]) -> None:
    storage.write_bytes(storage.join(folder, MANIFEST), json.dumps(manifest, indent=1).encode())


def _written(
    spark: Any, config: dict[str, Any], listing: Listing, folder: str, partitions: Container[int] | None = None
) -> tuple[list[dict[str, Any]], Account]:
    """Write the TFRecord files of all partitions, or of some.

    Returns:
        What `_Task.write` says of each, and the account of all their photographs.

    Raises:
        DataError: a photograph cannot be used, and the config says that this is not to be.
        MachineError: the machine, or the bucket, has a problem.
    """
    task = _Task(
        folder=folder,
        preprocess=config["preprocess"],
        examiner=Examiner.of(config),
        options=storage.access(config["dataset"].get("anonymous")),
        classes=len(listing.classes),
    )

    def write(index: int, partition: Iterator[Photographs]) -> Iterator[dict[str, Any]]:
        return (
            task.write(index, photographs) for photographs in partition if partitions is None or index in partitions
        )

    context = spark.sparkContext
    dealt = _dealt(context, listing.photographs, config)
    with report.spark_progress(context, dealt.getNumPartitions()):
        results: list[dict[str, Any]] = dealt.mapPartitionsWithIndex(write).collect()
    account = Account.of([Account(skipped=list(listing.skipped)), *(result.pop("account") for result in results)])
    account.raise_problem()
    return results, account


def _dealt(context: Any, photographs: Photographs | DistributedListing, config: dict[str, Any]) -> Any:
    """An RDD of what each partition is dealt: one `Photographs`."""
    partitions, seed = config["preprocess"]["partitions"], config["sampling"]["seed"]
    if isinstance(photographs, DistributedListing):
        return photographs.deal(partitions, seed)
    parts = [photographs.pick(places) for places in deal(photographs.sizes, photographs.labels, partitions, seed)]
    return context.parallelize(parts, len(parts))


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
        from flowerexp.workload.images import tfrecords

        start = time.perf_counter_ns()
        account, counts = Account(), [0] * self.classes
        result: dict[str, Any] = {"partition": index, "host": socket.gethostname(), "records": 0}
        result.update(account=account, class_records=counts)
        try:
            with storage.NewFile(self.folder) as file:
                records, size, crc32c = tfrecords.write_file(file.stream, self._records(hand, account, counts))
                result.update(records=records, bytes=size, crc32c=crc32c)
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
        from flowerexp.workload.images import tfrecords, transform

        _spare_imports()
        height, width = self.preprocess["target_size"]
        quality, exact = self.preprocess["quality"], self.preprocess["exact"]
        contents = storage.read_each((photograph.uri for photograph in hand), **self.options)
        for photograph, content in zip(hand, contents, strict=True):
            pixels = self.examiner.look(photograph, content, account)
            if account.fatal:
                return
            if pixels is not None:
                image = transform.encode(transform.resize_and_crop(pixels, height, width, exact=exact), quality)
                counts[photograph.label] += 1
                yield tfrecords.encode_example(image, photograph.label)


@functools.cache
def _spare_imports() -> None:
    """Leave what is imported by now out of the garbage collection after every task of PySpark's, which takes 20 ms."""
    gc.freeze()
