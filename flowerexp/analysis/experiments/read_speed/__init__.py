"""What the analysis says about `read_speed` alone: its page cache, what readers read, and the ceilings of hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.experiments import write_shards
from flowerexp.analysis.experiments.read_speed.readers import IMAGE_FILES, TFRECORDS, data_of

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun
    from flowerexp.analysis.conclusions.evidence import Evidence
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements


class ReadSpeed(write_shards.WriteShards):
    """Images that are read from photographs, or from TFRecord files made of them."""

    columns = write_shards.WriteShards.columns | {
        *("page_cache_fraction", "warm_up_reads", "accelerator_busy_seconds", "accelerator_window_seconds"),
    }
    texts = ("page_cache",)
    facts: tuple[str, ...] = (*write_shards.WriteShards.facts, "simulated_bucket")
    questions: Mapping[str, str] = {
        **write_shards.WriteShards.questions,
        "cluster": "which cluster reads fastest, and at what price",
        "grid.reader": "how much faster are TFRecord files read than photographs",
    }

    def doubts(self, first: Measurements) -> list[str]:
        """A page cache whose state is unknown, or differs between repetitions of a cell."""
        from flowerexp.analysis.experiments.read_speed.cache import doubts

        return doubts(first)

    def may_differ(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> set[str]:
        """How files are cached and partitioned, and keys without an effect on what these readers read."""
        keys = {*super().may_differ(a, b, series), "entrypoint.settings.on_short", "entrypoint.settings.page_cache"}
        read = {*map(data_of, series)}
        if read == {IMAGE_FILES}:
            keys |= {"preprocess.quality", "preprocess.exact"}
        return keys | ({"data"} if _only_existing(a, b, series) else set())

    def conditions(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> Iterable[tuple[str, Any, Any]]:
        """The same TFRecord files, where such are read, and as many images, if the files existed before the run."""
        if {*map(data_of, series)} != {IMAGE_FILES}:
            yield "TFRecord files", _existing(a), _existing(b)
        if _only_existing(a, b, series):
            yield "number of images", a.facts.get("prepared_images"), b.facts.get("prepared_images")

    def decision(
        self, evidence: Evidence, varied: Mapping[str, str], facts: Sequence[Mapping[str, Any]], margin: float
    ) -> Sequence[str]:
        """What to store and how to read it."""
        from flowerexp.analysis.experiments.read_speed.decision import decided

        return decided(evidence, varied, facts, margin)

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """How busy accelerators were, how near rates come to the ceilings of hosts, and some written images."""
        from flowerexp.analysis.experiments.read_speed import ceilings, feeding_report, steps
        from flowerexp.analysis.report.parts import Finding

        limits = ceilings.limits_of(material, some)
        _, written = super().report(material, some)
        simulated = [Finding("simulated", material.simulated, "warn")] if material.simulated else []
        found = [*feeding_report.findings(material), *simulated, *ceilings.findings(material, limits)]
        sections = [feeding_report.section(material), *written, steps.section(material)]
        return found, [*sections, ceilings.section(material, limits)]


def _existing(run: ComparedRun) -> str | None:
    """The TFRecord files that existed before a run; None if it prepares its own."""
    return run.config.dataset.tfrecords if run.config.dataset else None


def _only_existing(a: ComparedRun, b: ComparedRun, series: set[str]) -> bool:
    return {*map(data_of, series)} == {TFRECORDS} and all(map(_existing, (a, b)))


EXTRAS = ReadSpeed()
