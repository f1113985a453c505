"""What each reader of a run reads: photographs, prepared TFRecord files, or those that somebody else wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images import examine, preparing
from flowerexp.workload.images.listing import Listing, data_fingerprint, list_photographs
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.prepared import Prepared
from flowerexp.workload.read_speed.existing import find, source_of
from flowerexp.workload.read_speed.readers import IMAGE_FILES, TFRECORDS, Source, data_of

FEWEST = 10_000
"""Photographs of a large data set that are chosen at least; of a smaller one, any may be read."""


@dataclass
class Sources:
    """What a run measures on.

    Attributes:
        of: what each reader reads.
        page_cache: the state to bring files' pages to before they are read.
        mend: looks through prepared data, and writes again what is damaged; None if there is nothing prepared. It
            stays in the driver.
    """

    of: Mapping[str, Source]
    page_cache: str
    mend: Callable[[], Prepared] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "mend": None}


def sources(spark: Any, config: dict[str, Any]) -> Sources:
    """What each reader of the run reads; TFRecord files are prepared first where they are missing.

    Raises:
        DataError: there is nothing to read, or a file is damaged.
    """
    mend: Callable[[], Prepared] | None = None
    existing = config["dataset"]["tfrecords"]
    of_photographs, of_records = (
        [reader for reader in config["grid"]["reader"] if data_of(reader) == data] for data in (IMAGE_FILES, TFRECORDS)
    )
    listing = list_photographs(spark, config) if of_photographs or not existing else None
    found: dict[str, Source] = {}
    known: dict[str, Any] | None = None  # what decoding the photographs showed
    if of_records and existing:
        theirs = find(existing, bool(config["dataset"].get("anonymous")))
        found |= _for_each(of_records, source_of(theirs, config))
        report.fact("data_fingerprint", data_fingerprint(listing.fingerprint if listing else None, theirs.files))
    elif of_records and listing:
        prepared = preparing.prepare(spark, config, listing)
        known = prepared.manifest
        found |= _for_each(of_records, _prepared(prepared, config))
        mend = partial(preparing.mend, spark, config, listing, prepared)
    if of_photographs and listing:
        found |= _of_photographs(spark, config, of_photographs, listing, known)
    for name, source in found.items():
        if not source.images:
            raise DataError(f"{name}: there is no image to read", where="dataset")
    return Sources(found, config["entrypoint"]["settings"]["page_cache"], mend)


def mended(made: Sources) -> Sources | None:
    """The same after damaged files of prepared data were written again; None if none were.

    Raises:
        DataError: as of `preparing.prepare`.
        MachineError: likewise.
    """
    prepared = made.mend() if made.mend else None
    if prepared is None or not prepared.written:
        return None
    files, records = prepared.files, _records(prepared)
    of = {
        reader: replace(source, files=files, records=records) if data_of(reader) == TFRECORDS else source
        for reader, source in made.of.items()
    }
    return Sources(of, made.page_cache)


def _of_photographs(
    spark: Any, config: dict[str, Any], wanted: Sequence[str], listing: Listing, known: dict[str, Any] | None
) -> dict[str, Source]:
    photographs = listing.photographs.some(_enough(config), config["measure"]["seed"])
    known = known or examine.check(spark, photographs, config)
    narrow = bool(known["narrow"]["count"])
    found: dict[str, Source] = {}
    for reader in wanted:
        skipped = unreadable(reader, known, config["dataset"]["on_error"])
        found |= _for_each([reader], replace(_photographs(photographs, skipped, config), narrow=narrow))
    return found


def unreadable(reader: str, rows: dict[str, Any], on_error: str) -> set[str]:
    """The names of the photographs that a reader of photographs has to do without.

    Args:
        reader: its name.
        rows: of an account of what was found, or a manifest.
        on_error: `dataset.on_error`.

    Raises:
        DataError: the reader cannot read one that others can, and on_error is `fail`.
    """
    foreign = rows["not_for_image_files"] if reader == IMAGE_FILES else []
    if foreign and on_error == "fail":
        more = f" (and {len(foreign) - 1} more files)" if len(foreign) > 1 else ""
        raise DataError(
            f"{examine.first_of(foreign)}{more}",
            where="grid.reader",
            hint="convert it to a JPEG, choose grid.reader=image_files_native, or set dataset.on_error=skip to leave "
            "it out",
        )
    if foreign:
        report.note(f"{len(foreign)} files left out for {reader}; the first is {examine.first_of(foreign)}")
    return {one["relative"] for one in (*rows["skipped"], *foreign)}


def _prepared(prepared: Prepared, config: dict[str, Any]) -> Source:
    return Source(TFRECORDS, prepared.files, _records(prepared), _target(config), origin="storage.prepared")


def _records(prepared: Prepared) -> list[int]:
    return [file["records"] for file in prepared.manifest["files"]]


def _for_each(wanted: Sequence[str], source: Source) -> dict[str, Source]:
    return {reader: replace(source, reader=reader) for reader in wanted}


def _enough(config: dict[str, Any]) -> int:
    """How many photographs of a large data set are chosen: so many that no measurement need read those of another."""
    grid = config["grid"]
    return max(FEWEST, int(config["measure"]["repetitions"] * sum(grid["batch_size"]) * sum(grid["batch_number"])))


def _photographs(photographs: Photographs, skipped: set[str], config: dict[str, Any]) -> Source:
    if skipped:
        photographs = photographs.pick(n for n, one in enumerate(photographs) if one.relative not in skipped)
    files = photographs.uris
    anonymous = bool(config["dataset"].get("anonymous"))
    orientation = config["preprocess"]["orientation"]
    records = [1] * len(files)
    return Source(IMAGE_FILES, files, records, _target(config), anonymous=anonymous, orientation=orientation)


def _target(config: dict[str, Any]) -> tuple[int, int]:
    height, width = config["preprocess"]["target_size"]
    return height, width
