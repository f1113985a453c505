"""Prepare data: turn photographs into shards of one format with Spark, once for each input, with a manifest of them.

The files go into a folder that is named by their fingerprint, with a manifest that is written last: a folder without
one is not prepared data. Names and contents follow from the inputs, so that two jobs that prepare the same data at the
same time write the same files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats, report
from flowerexp.workload.formats import Format
from flowerexp.workload.images import shards
from flowerexp.workload.images.deal import blocks, dealt
from flowerexp.workload.images.distributed import DistributedListing
from flowerexp.workload.images.duplicates import ContentsKept
from flowerexp.workload.images.inspection import Inspection, report_entries
from flowerexp.workload.images.listing import Listing
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.prepared import MANIFEST, Prepared, damage, format_of, misfits, read_manifest
from flowerexp.workload.images.writer import Writer

#: A part of the fingerprint: raise one whenever the same photographs and settings would give other files. The first is
#: that of photographs that are dealt in one block, the second that of more.
_FORMATS = (3, 4)


def prepare(spark: Any, config: dict[str, Any], listing: Listing, form: str | None = None) -> Prepared:
    """Write a listing's photographs as shards, except those that exist already.

    Shards of formats that have no checksums of their own are verified before they are used again.

    Args:
        spark: the session.
        config: the run's.
        listing: the photographs.
        form: the format to write, if it is not `preprocess.format`; see `with_format`.

    Raises:
        DataError: a photograph cannot be decoded and `dataset.on_error` is `fail`, or no photograph can be decoded.
        MachineError: the files cannot be written: the disk is full, or the permission is missing.
    """
    config = with_format(config, listing, form)
    title = formats.of(config["preprocess"]["format"]).title
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
        report.note(f"prepared {prepared.records} images as {len(prepared.files)} {title} files in {folder}")
    else:
        existing = Prepared(folder, manifest)
        damaged = misfits(folder, manifest) or ({} if existing.format.checks else _damaged(spark, existing))
        prepared = _write_again(spark, config, listing, existing, damaged)
    if prepared.reused:
        report.note(f"prepared data reused: {prepared.records} images in {folder}")
    _report(prepared)
    return prepared


def mend(spark: Any, config: dict[str, Any], listing: Listing, prepared: Prepared) -> Prepared:
    """Read all files of prepared data, and write the damaged ones again.

    Returns:
        The data; `written` names the files that were written again.

    Raises:
        DataError: see `prepare`.
        MachineError: see `prepare`.
    """
    config = with_format(config, listing, prepared.format.name)
    unchanged = Prepared(prepared.folder, prepared.manifest)
    return _write_again(spark, config, listing, unchanged, _damaged(spark, prepared))


def _damaged(spark: Any, prepared: Prepared) -> dict[str, str]:
    """What reading all files shows: a sentence for each damaged one."""
    folder, files, form = prepared.folder, prepared.manifest["files"], prepared.format.name

    def verify(file: dict[str, Any]) -> tuple[str, str | None]:
        return file["file"], damage(folder, file, formats.of(form))

    with report.phase("verify"):
        verified = spark.sparkContext.parallelize(files, len(files)).map(verify).collect()
    return {name: why for name, why in verified if why}


def _write_again(
    spark: Any, config: dict[str, Any], listing: Listing, prepared: Prepared, damaged: Mapping[str, str]
) -> Prepared:
    """Write damaged files of prepared data again, with the same bytes: names and contents follow from the inputs."""
    if not damaged:
        return prepared
    folder, files = prepared.folder, prepared.manifest["files"]
    with report.phase("prepare"):
        partitions = {file["partition"] for file in files if file["file"] in damaged}
        results, _ = _written(spark, config, listing, folder, partitions)
        fresh = {result["file"]: result for result in results if result["records"]}
        if fresh.keys() != damaged.keys():  # other versions of the libraries can decode other photographs
            again = _write(spark, config, listing, folder, prepared.manifest["fingerprint"])
        else:
            files = [fresh.get(file["file"], file) for file in files]
            manifest = {**prepared.manifest, "files": files, "bytes": sum(file["bytes"] for file in files)}
            _finish(folder, manifest)
            again = Prepared(folder, manifest, frozenset(fresh))
    name, why = next(iter(damaged.items()))
    report.note(
        f"{len(damaged)} of {len(files)} {prepared.format.title} files in {folder} were damaged and were written again "
        f"from their photographs; the first is {name}: {why}"
    )
    report.fact("prepared_files_mended", len(damaged))
    return again


def _report(prepared: Prepared) -> None:
    report.fact("prepared_reused", prepared.reused)
    report.fact("prepared_fingerprint", prepared.manifest["fingerprint"])
    report.fact("prepared_images", prepared.records)
    report.fact("prepared_bytes", prepared.manifest["bytes"])
    report.fact("prepared_files", len(prepared.files))
    orientation = prepared.manifest["preprocess"]["orientation"]
    report_entries(prepared.manifest, orientation, storage.join(prepared.folder, MANIFEST))


def with_format(config: dict[str, Any], listing: Listing, form: str | None = None) -> dict[str, Any]:
    """A run's config with the format and the number of shards that data is prepared in.

    Args:
        config: the run's.
        listing: the photographs, whose number may decide how many shards there are.
        form: a format instead of `preprocess.format`; it takes `preprocess.compression` if it knows it, else none.
    """
    preprocess = config["preprocess"]
    form = form or preprocess["format"]
    known = form == preprocess["format"] or preprocess["compression"] in formats.of(form).compressions
    made = {
        **preprocess,
        "format": form,
        "compression": preprocess["compression"] if known else None,
        "shards": shards.count(preprocess, len(listing.photographs)),
        "shard_mb": None,
    }
    return {**config, "preprocess": made}


def fingerprint_of(config: dict[str, Any], listing: Listing) -> str:
    """The name of prepared data: a hash of the input files and of every setting that changes the output."""
    preprocess = dict(with_format(config, listing)["preprocess"])
    # Data that could be written before a setting was added keeps the name that it had: by its old words, without it.
    preprocess["partitions"] = preprocess.pop("shards")
    for key, value in (("shard_mb", None), ("decode", "full"), ("format", "tfrecord"), ("compression", None)):
        if preprocess[key] == value:
            del preprocess[key]
    settings = {
        "format": _format_number(len(listing.photographs), preprocess["partitions"]),
        "files": listing.fingerprint,
        "preprocess": preprocess,
        "seed": config["sampling"]["seed"],
        "on_error": config["dataset"]["on_error"],
        "on_warning": config["dataset"]["on_warning"],
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _format_number(photographs: int, partitions: int) -> int:
    return _FORMATS[blocks(photographs, min(partitions, photographs)) > 1]


def _write(spark: Any, config: dict[str, Any], listing: Listing, folder: str, fingerprint: str) -> Prepared:
    results, inspection = _written(spark, config, listing, folder)
    files = [result for result in results if result["records"]]
    if not files:
        raise DataError(f"none of {len(listing.photographs)} photographs can be decoded", where="dataset")
    manifest = _manifest(config, listing, fingerprint, files, inspection)
    names = {file["file"] for file in files}
    _remove_leftovers(folder, names, format_of(manifest))
    _finish(folder, manifest)
    return Prepared(folder, manifest, frozenset(names))


def _finish(folder: str, manifest: dict[str, Any]) -> None:
    """Write what the format's own loaders need beside the files, and then the manifest."""
    format_of(manifest).complete(folder, [(file["file"], file["records"]) for file in manifest["files"]])
    storage.write_bytes(storage.join(folder, MANIFEST), json.dumps(manifest, indent=1).encode())


def _written(
    spark: Any, config: dict[str, Any], listing: Listing, folder: str, partitions: Container[int] | None = None
) -> tuple[list[dict[str, Any]], Inspection]:
    """Write the shards of all partitions, or of some.

    Returns:
        The entry of each file, as `Writer.write` returns it, and the inspection of all their photographs.

    Raises:
        DataError: a photograph cannot be used, and the config does not allow to leave it out.
        MachineError: the machine or the bucket has a problem.
    """
    writer = Writer.of(config, folder, len(listing.classes))

    def write(index: int, partition: Iterator[Photographs]) -> Iterator[dict[str, Any]]:
        wanted = partitions is None or index in partitions
        return (writer.write(index, photographs) for photographs in partition if wanted)

    context, photographs = spark.sparkContext, listing.photographs
    dealt = _dealt(context, photographs, config)
    written = dealt.mapPartitionsWithIndex(write)
    kept = ContentsKept(written) if isinstance(photographs, DistributedListing) else None
    with report.spark_progress(context, dealt.getNumPartitions()):
        results: list[dict[str, Any]] = (kept.others if kept else written).collect()
    inspections = (result.pop("inspection") for result in results)
    inspection = Inspection.of([Inspection(skipped=list(listing.skipped)), *inspections])
    inspection.raise_problem()
    if kept:
        inspection.duplicates = kept.duplicates(len(photographs))
    return results, inspection


def _dealt(context: Any, photographs: Photographs | DistributedListing, config: dict[str, Any]) -> Any:
    """An RDD with one `Photographs` per partition: the photographs that it is dealt."""
    number, seed = config["preprocess"]["shards"], config["sampling"]["seed"]
    if isinstance(photographs, DistributedListing):
        return photographs.deal(number, seed)
    parts = dealt(photographs, number, seed)
    return context.parallelize(parts, len(parts))


def _manifest(
    config: dict[str, Any],
    listing: Listing,
    fingerprint: str,
    files: Sequence[dict[str, Any]],
    inspection: Inspection,
) -> dict[str, Any]:
    totals = [sum(counts) for counts in zip(*(file["class_records"] for file in files), strict=True)]
    return {
        "fingerprint": fingerprint,
        "format": _format_number(len(listing.photographs), config["preprocess"]["shards"]),
        "records": sum(file["records"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
        "classes": list(listing.classes),
        "class_records": dict(zip(listing.classes, totals, strict=True)),
        "preprocess": config["preprocess"],
        "sampling": config["sampling"],
        "dataset": config["dataset"],
        "data_fingerprint": listing.fingerprint,
        **inspection.entries,
        "left_out": listing.left_out.rows,
        "classes_empty": list(listing.empty),
        "files": files,
    }


def _remove_leftovers(folder: str, names: set[str], form: Format) -> None:
    """Remove the files of an earlier attempt that ended before it wrote a manifest."""
    for entry in storage.list_files(folder):
        if entry.relative not in names and entry.relative.endswith(form.suffix):
            storage.remove(entry.uri)
