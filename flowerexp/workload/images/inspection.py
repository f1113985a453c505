"""What decoding photographs has shown: which are skipped, damaged, turned or duplicates; how a run reports it."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from flowerexp.errors import DataError, MachineError
from flowerexp.workload import report
from flowerexp.workload.images.left_out import shown
from flowerexp.workload.images.scan import Skipped

LIST = "photographs.json"
"""The file in a run's results that lists the skipped and damaged photographs, if no manifest does."""


@dataclass
class Inspection:
    """What decoding some photographs has shown.

    Attributes:
        skipped: photographs that are left out.
        fatal: photographs that end the run, each with the config key that says so.
        warned: photographs that are damaged, but are kept.
        foreign: photographs that `image_files` cannot read, although all other readers can.
        turned: the number of photographs with an EXIF orientation other than 1, and the name of one.
        narrow: the number of photographs so long and narrow that `image_files` has to cut them first, and the name of
            one.
        contents: a number for each photograph's content, equal for equal contents.
        duplicates: how many of the photographs whose contents are not here have the same content as another one.
        problem: a problem of the machine, which ends the run.
    """

    skipped: list[Skipped] = field(default_factory=list)
    fatal: list[tuple[Skipped, str]] = field(default_factory=list)
    warned: list[Skipped] = field(default_factory=list)
    foreign: list[Skipped] = field(default_factory=list)
    turned: tuple[int, str] = (0, "")
    narrow: tuple[int, str] = (0, "")
    contents: array[int] = field(default_factory=lambda: array("Q"))
    duplicates: int = 0
    problem: str | None = None

    @classmethod
    def of(cls, inspections: Sequence[Inspection]) -> Inspection:
        """Put several inspections together."""
        whole = cls()
        for part in inspections:
            for name in ("skipped", "fatal", "warned", "foreign", "contents"):
                getattr(whole, name).extend(getattr(part, name))
            for name in ("turned", "narrow"):
                (count, first), (more, other) = getattr(whole, name), getattr(part, name)
                setattr(whole, name, (count + more, min(filter(None, (first, other)), default="")))
            whole.problem = whole.problem or part.problem
        for photographs in (whole.skipped, whole.warned, whole.foreign):
            photographs.sort(key=lambda skipped: skipped.relative)
        return whole

    def raise_problem(self) -> None:
        """Raise what ends the run, if anything does.

        Raises:
            MachineError: the machine or the bucket has a problem.
            DataError: a photograph cannot be used, and the config does not allow to leave it out.
        """
        if self.problem:
            raise MachineError(self.problem)
        if not self.fatal:
            return
        (first, key), *others = sorted(self.fatal, key=lambda item: item[0].relative)
        more = f" (and {len(others)} more files so far)" if others else ""
        kept = f" (dataset.{key}=keep takes what can be decoded)" if key == "on_warning" else ""
        raise DataError(
            f"{shown(first.relative)}: {first.reason}{more}",
            where="dataset",
            hint=f"mend or remove it, or set dataset.{key}=skip to leave such files out{kept}",
        )

    @property
    def entries(self) -> dict[str, Any]:
        """The entries of a manifest, or of the file `LIST` in a run's results."""
        import numpy as np

        from flowerexp.workload.images.duplicates import copies

        return {
            "skipped": [asdict(photograph) for photograph in self.skipped],
            "warnings": [asdict(photograph) for photograph in self.warned],
            "not_for_image_files": [asdict(photograph) for photograph in self.foreign],
            "turned": {"count": self.turned[0], "first": self.turned[1]},
            "narrow": {"count": self.narrow[0], "first": self.narrow[1]},
            "duplicates": self.duplicates + copies(np.frombuffer(self.contents, np.uint64)),
        }


def report_entries(entries: dict[str, Any], orientation: str, manifest: str | None = None) -> None:
    """Report what an inspection has shown.

    Args:
        entries: `Inspection.entries`, or a manifest.
        orientation: `preprocess.orientation`.
        manifest: the URI of the manifest that lists all of it; without one, the file `LIST` does.
    """
    skipped, warned, turned = entries["skipped"], entries["warnings"], entries["turned"]
    report.fact("images_skipped", len(skipped))
    report.fact("images_with_warnings", len(warned))
    report.fact("images_turned", turned["count"])
    report.fact("images_duplicate", entries["duplicates"])
    if (skipped or warned) and not manifest:
        report.attach(LIST, json.dumps(entries, indent=1).encode())
    listed = f"listed in {manifest or LIST}"
    if skipped:
        report.note(f"{len(skipped)} files skipped, {listed}; the first is {first_of(skipped)}")
    if warned:
        leave = "dataset.on_warning=skip leaves such files out"
        report.note(
            f"{len(warned)} photographs are damaged, but kept ({leave}), {listed}; the first is {first_of(warned)}"
        )
    if turned["count"]:
        applied = "is applied" if orientation == "exif" else "is not applied (preprocess.orientation=exif does)"
        report.note(
            f"{turned['count']} photographs have an EXIF orientation, which {applied}, such as {shown(turned['first'])}"
        )
    if entries["duplicates"]:
        report.note(f"{entries['duplicates']} photographs have the same content as another one, and are kept")


def first_of(photographs: Sequence[dict[str, Any]]) -> str:
    """The first file of a list in a manifest, and what is wrong with it."""
    return f"{shown(photographs[0]['relative'])}: {photographs[0]['reason']}"
