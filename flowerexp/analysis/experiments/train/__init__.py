"""What the analysis says about `train` alone: what epochs wait for, curves, predictions, and how it scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.analysis.experiments import write_shards
from flowerexp.analysis.experiments.train.cells import COMPUTE, EXCHANGE, INPUT

if TYPE_CHECKING:
    from flowerexp.analysis.compared_run import ComparedRun
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.parts import Finding, Section
    from flowerexp.measurements.table import Measurements

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


class Train(write_shards.WriteShards):
    """A network that is trained on photographs, or on files made of them."""

    columns = write_shards.WriteShards.columns | {*CURVES, INPUT, COMPUTE, EXCHANGE, "epoch", "epochs_of_row"}
    curves = CURVES
    questions: Mapping[str, str] = {
        **write_shards.WriteShards.questions,
        "grid.reader": "does training go faster with prepared files",
        "grid.cache": "does training go faster if decoded images are kept",
        "grid.workers": "how does training scale with workers",
    }

    def may_differ(self, a: ComparedRun, b: ComparedRun, series: set[str]) -> set[str]:
        """How files are partitioned and cached, and how patient the driver is."""
        settings = {f"entrypoint.settings.{name}" for name in ("page_cache", "patience")}
        return {*super().may_differ(a, b, series), *settings}

    def metrics(self, measurements: Measurements) -> dict[str, float]:
        """The share of the time that waits for images, and the last and best accuracy, of each series."""
        from flowerexp.analysis.experiments.train.figures import metrics

        return metrics(measurements)

    def draw(self, measurements: Measurements, attached: Path, folder: Path) -> list[Path]:
        """Curves, predictions and confusion matrices."""
        from flowerexp.analysis.experiments.train.pictures import draw

        return draw(measurements, attached, folder)

    def compared(self, sides: Sequence[Sequence[ComparedRun]]) -> list[list[str]]:
        """The seconds of training to an accuracy that all sides reached."""
        from flowerexp.analysis.experiments.train.figures import times_to_accuracy

        return times_to_accuracy(sides)

    def report(self, material: Material, some: Measurements) -> tuple[Sequence[Finding], Sequence[Section]]:
        """What limits training, how it scales, and its pictures."""
        from flowerexp.analysis.experiments.train.report import report

        return report(material)


EXTRAS = Train()
