"""What the analysis says of `read_speed` alone: the page cache, what a reader reads, and the ceilings of its hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.experiments import write_tfrecords
from flowerexp.analysis.experiments.read_speed.readers import IMAGE_FILES, TFRECORDS, data_of

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements


class ReadSpeed(write_tfrecords.WriteTFRecords):
    """Images that are read, from photographs or from the TFRecord files that were written of them."""

    columns = write_tfrecords.WriteTFRecords.columns | {"page_cache_fraction", "warm_up_reads"}
    texts = ("page_cache",)
    questions: Mapping[str, str] = {
        **write_tfrecords.WriteTFRecords.questions,
        "cluster": "which cluster reads fastest, and at what price",
        "grid.reader": "how much faster are TFRecord files read than photographs",
    }

    def doubts(self, first: Measurements) -> list[str]:
        """A page cache that is not known, or not the same in all repetitions of a cell."""
        from flowerexp.analysis.experiments.read_speed.cache import doubts

        return doubts(first)

    def may_differ(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> set[str]:
        """How files are cached and cut, and what has no effect on what these readers read."""
        free = {*super().may_differ(a, b, series), "entrypoint.settings.on_short", "entrypoint.settings.page_cache"}
        read = {*map(data_of, series)}
        if read == {IMAGE_FILES}:
            free |= {"preprocess.quality", "preprocess.exact"}
        return free | ({"data"} if _only_existing(a, b, series) else set())

    def conditions(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> Iterable[tuple[str, Any, Any]]:
        """The same TFRecord files, where such are read; of those that were there before, as many images."""
        if {*map(data_of, series)} != {IMAGE_FILES}:
            yield "TFRecord files", _existing(a), _existing(b)
        if _only_existing(a, b, series):
            yield "number of images", a.facts.get("prepared_images"), b.facts.get("prepared_images")

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """How near the ceilings of the hosts rates come, and some of the images that were written."""
        from flowerexp.analysis.experiments.read_speed import ceilings

        found = ceilings.limits_of(material, some)
        _, written = super().report(material, some)
        return [*ceilings.findings(material, found)], [*written, ceilings.section(material, found)]


def _existing(run: ComparedRun) -> str | None:
    """Where TFRecord files are that were there before; None if the run prepares its own."""
    return run.config.dataset.tfrecords if run.config.dataset else None


def _only_existing(a: ComparedRun, b: ComparedRun, series: set[str]) -> bool:
    return {*map(data_of, series)} == {TFRECORDS} and all(map(_existing, (a, b)))


EXTRAS = ReadSpeed()
