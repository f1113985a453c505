"""Find or prepare what each reader of a run reads: photographs, prepared data, or TFRecord files that exist."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images import examine, preparing
from flowerexp.workload.images.fingerprint import data_fingerprint
from flowerexp.workload.images.inspection import first_of
from flowerexp.workload.images.listing import Listing, list_photographs
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.prepared import Prepared
from flowerexp.workload.read_speed.existing import find, source_of
from flowerexp.workload.read_speed.readers import IMAGE_FILES, PREPARING, READERS, TFRECORDS, Source, data_of

FEWEST = 10_000
"""The least number of photographs that are chosen from a large data set; from a smaller one, any may be read."""


@dataclass
class Sources:
    """What a run measures on.

    Attributes:
        of: the source of each reader.
        page_cache: the state of the page cache that files are brought into before they are read.
        mends: by data that was prepared, what verifies it and writes damaged files again. They stay in the driver.
        accelerators: of each accelerator that is fed, the seconds that it computes for an image.
    """

    of: Mapping[str, Source]
    page_cache: str
    mends: Mapping[str, Callable[[], Prepared]] = field(default_factory=dict)
    accelerators: Mapping[str, float] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "mends": {}}


def sources_of(spark: Any, config: dict[str, Any]) -> Sources:
    """What each reader of the run reads; missing prepared data is made first, in each format that is read.

    Raises:
        DataError: there is nothing to read, or a file is damaged.
    """
    photographs = not config["dataset"]["tfrecords"] or any(
        data_of(reader) != TFRECORDS for reader in config["grid"]["reader"]
    )
    return sources_from(spark, config, list_photographs(spark, config) if photographs else None)


def sources_from(spark: Any, config: dict[str, Any], listing: Listing | None) -> Sources:
    """What each reader of the run reads of a listing; None where only existing TFRecord files are read.

    Raises:
        DataError: there is nothing to read, or a file is damaged.
    """
    existing = config["dataset"]["tfrecords"]
    wanted: dict[str, list[str]] = {}
    for reader in config["grid"]["reader"]:
        wanted.setdefault(data_of(reader), []).append(reader)
    of_photographs = wanted.pop(IMAGE_FILES, [])
    from_existing = wanted.pop(TFRECORDS, []) if existing else []
    sources: dict[str, Source] = {}
    entries: dict[str, Any] | None = None  # of `Inspection.entries`
    mends: dict[str, Callable[[], Prepared]] = {}
    if from_existing:
        folder = find(existing, bool(config["dataset"].get("anonymous")))
        sources |= _for_each(from_existing, source_of(folder, config))
        report.fact("data_fingerprint", data_fingerprint(listing.fingerprint if listing else None, folder.files))
    if listing:
        for data, readers in wanted.items():
            prepared = preparing.prepare(spark, config, listing, READERS[readers[0]].format)
            entries = prepared.manifest
            sources |= _for_each(readers, _prepared(prepared, config))
            mends[data] = partial(preparing.mend, spark, config, listing, prepared)
            report.fact(f"{PREPARING}/{data}", _preparing(spark, prepared))
            if len(wanted) > 1:  # the facts without a section are those of the last format
                report.fact(f"prepared_bytes/{data}", prepared.manifest["bytes"])
        if of_photographs:
            sources |= _of_photographs(spark, config, of_photographs, listing, entries)
    for name, source in sources.items():
        if not source.images:
            raise DataError(f"{name}: there is no image to read", where="dataset")
    ordered = {reader: sources[reader] for reader in config["grid"]["reader"]}
    return Sources(ordered, config["entrypoint"]["settings"]["page_cache"], mends)


def _preparing(spark: Any, prepared: Prepared) -> float:
    """The seconds of all tasks that wrote prepared data, also in an earlier run, over the cores that there are now."""
    seconds = sum(file.get("seconds", 0.0) for file in prepared.manifest["files"])
    return float(round(seconds / spark.sparkContext.defaultParallelism, 3))


def mended(sources: Sources) -> Sources | None:
    """The sources after damaged files of prepared data were written again; None if no file was damaged.

    Raises:
        DataError: see `preparing.prepare`.
        MachineError: see `preparing.prepare`.
    """
    whole = {data: mend() for data, mend in sources.mends.items()}
    fresh = {data: prepared for data, prepared in whole.items() if prepared.written}
    if not fresh:
        return None
    of = {
        reader: replace(source, files=fresh[data].files, records=_records(fresh[data])) if data in fresh else source
        for reader, source in sources.of.items()
        for data in [data_of(reader)]
    }
    return replace(sources, of=of, mends={})


def _of_photographs(
    spark: Any, config: dict[str, Any], readers: Sequence[str], listing: Listing, entries: dict[str, Any] | None
) -> dict[str, Source]:
    photographs = listing.photographs.some(_enough(config), config["measure"]["seed"])
    entries = entries or examine.check(spark, photographs, config)
    narrow = bool(entries["narrow"]["count"])
    sources: dict[str, Source] = {}
    for reader in readers:
        skipped = unreadable(reader, entries, config["dataset"]["on_error"])
        sources |= _for_each([reader], replace(_photographs(photographs, skipped, config), narrow=narrow))
    return sources


def unreadable(reader: str, entries: dict[str, Any], on_error: str) -> set[str]:
    """The names of the photographs that a reader of photographs cannot read.

    Args:
        reader: its name.
        entries: `Inspection.entries`, or a manifest.
        on_error: `dataset.on_error`.

    Raises:
        DataError: the reader cannot read a photograph that others can, and on_error is `fail`.
    """
    foreign = entries["not_for_image_files"] if reader == IMAGE_FILES else []
    if foreign and on_error == "fail":
        more = f" (and {len(foreign) - 1} more files)" if len(foreign) > 1 else ""
        raise DataError(
            f"{first_of(foreign)}{more}",
            where="grid.reader",
            hint="convert it to a JPEG, choose grid.reader=image_files_native, or set dataset.on_error=skip to leave "
            "it out",
        )
    if foreign:
        report.note(f"{len(foreign)} files left out for {reader}; the first is {first_of(foreign)}")
    return {photograph["relative"] for photograph in (*entries["skipped"], *foreign)}


def _prepared(prepared: Prepared, config: dict[str, Any]) -> Source:
    return Source(TFRECORDS, prepared.files, _records(prepared), _target(config), origin="storage.prepared")


def _records(prepared: Prepared) -> list[int]:
    return [file["records"] for file in prepared.manifest["files"]]


def _for_each(readers: Sequence[str], source: Source) -> dict[str, Source]:
    return {reader: replace(source, reader=reader) for reader in readers}


def _enough(config: dict[str, Any]) -> int:
    """The number of photographs to choose from a large data set: enough for each measurement to read other ones."""
    grid = config["grid"]
    if "batch_number" not in grid:  # an experiment that reads all of them
        return sys.maxsize
    return max(FEWEST, int(config["measure"]["repetitions"] * sum(grid["batch_size"]) * sum(grid["batch_number"])))


def _photographs(photographs: Photographs, skipped: set[str], config: dict[str, Any]) -> Source:
    if skipped:
        kept = (place for place, photograph in enumerate(photographs) if photograph.relative not in skipped)
        photographs = photographs.pick(kept)
    files = photographs.uris
    anonymous = bool(config["dataset"].get("anonymous"))
    source = Source(IMAGE_FILES, files, [1] * len(files), _target(config), anonymous=anonymous)
    preprocess = config["preprocess"]
    return replace(source, orientation=preprocess["orientation"], scaled=preprocess["decode"] == "scaled")


def _target(config: dict[str, Any]) -> tuple[int, int]:
    height, width = config["preprocess"]["target_size"]
    return height, width
