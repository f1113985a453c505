"""What the analysis says about `write_shards` alone: which photographs were written, with a few of them to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.experiments.extras import Extras

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements


class WriteShards(Extras):
    """Photographs that are written as shards, files of some format."""

    columns = frozenset({"file", "partition"})
    facts: tuple[str, ...] = ("images", "bytes")
    questions: Mapping[str, str] = {
        "preprocess.shards": "into how many files should the data be written",
        "preprocess.shard_mb": "how large should the files be",
        "preprocess.format": "in which format should the data be written",
    }

    def data(self, facts: Mapping[str, Any]) -> str | None:
        """How many photographs there were, and how large they are."""
        images, size = facts.get("images"), facts.get("bytes")
        return f"{images:,} photographs" + (f" ({size / 1e6:,.0f} MB)" if size else "") if images else None

    def may_differ(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> set[str]:
        """The files into which photographs are written: how many, how large, and in which format."""
        return {f"preprocess.{key}" for key in ("shards", "shard_mb", "format", "compression")}

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """Some of the images that a run has written."""
        from flowerexp.analysis.report.parts import Section

        section = Section("written", "What was written")
        if not material.is_sweep:
            sheet = material.runs[0].folder / "results" / "attached" / "contact_sheet.jpg"
            section.show(sheet, "Nine of the images that the shards hold, with their labels.")
        return (), [section]


EXTRAS = WriteShards()
