"""The entrypoint of write_shards: prepare a run's data, and yield how long each shard took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.prepared import Prepared
from flowerexp.workload.images.preparing import mend, prepare
from flowerexp.workload.write_shards.contact_sheet import contact_sheet


def run(spark: Any, config: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Prepare a run's data and yield one row per shard.

    Rows have file, partition, images, bytes, host, reused, and seconds (to read, transform and write that file; null if
    an earlier run wrote it).
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
    """Attach a contact sheet; if the files cannot be read now, the run goes on without one.

    Raises:
        DataError: a file is damaged.
    """
    try:
        with report.phase("contact_sheet"):
            sheet = contact_sheet(prepared.files, prepared.manifest["classes"], prepared.format)
        report.attach("contact_sheet.jpg", sheet)
    except OSError as error:
        report.note(f"no contact sheet: {error}")
