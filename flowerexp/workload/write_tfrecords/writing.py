"""The entrypoint that prepares a run's data, and says how long each TFRecord file took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.prepared import Prepared
from flowerexp.workload.images.preparing import mend, prepare
from flowerexp.workload.write_tfrecords.contact_sheet import contact_sheet


def run(spark: Any, config: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The entrypoint: prepare a run's data and yield one row a TFRecord file.

    Rows hold file, partition, images, bytes, host, reused, and seconds (of reading, transforming and writing that
    file; null where it was written by an earlier run).
    """
    listing = list_photographs(spark, config)
    prepared = prepare(spark, config, listing)
    try:
        _show(prepared)
    except DataError:
        prepared = mend(spark, config, listing, prepared)
        _show(prepared)
    for file in prepared.manifest["files"]:
        reused = file["file"] not in prepared.written
        yield {
            "file": file["file"],
            "partition": file["partition"],
            "images": file["records"],
            "bytes": file["bytes"],
            "seconds": None if reused else file["seconds"],
            "host": file["host"],
            "reused": reused,
        }


def _show(prepared: Prepared) -> None:
    """Attach a contact sheet; files that cannot be read now are no reason to fail what was written.

    Raises:
        DataError: a file is damaged.
    """
    try:
        with report.phase("contact_sheet"):
            sheet = contact_sheet(prepared.files, prepared.manifest["classes"])
        report.attach("contact_sheet.jpg", sheet)
    except OSError as error:
        report.note(f"no contact sheet: {error}")
