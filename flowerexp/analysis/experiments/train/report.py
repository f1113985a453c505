"""The findings and sections of a report that are about training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowerexp.analysis.drawing import number
from flowerexp.analysis.experiments.train import limits, pictures
from flowerexp.analysis.experiments.train.cells import COMPUTE, EXCHANGE, INPUT, Cell, cells_of
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding, Section, Table
from flowerexp.analysis.report.runs import Run
from flowerexp.errors import DataError
from flowerexp.measurements.loading import load

_SHOWN = 2  # runs of a sweep whose predictions are shown


class _Trained(NamedTuple):
    """A cell of a run, and what it is called."""

    run: Run
    cell: Cell
    name: str


def report(material: Material) -> tuple[list[Finding], list[Section]]:
    """What limits training, how it scales with workers, and the pictures."""
    trained = list(_trained(material))
    return [*_findings(trained)], [_waiting(trained), _scaling(trained), _learned(material, trained)]


def _trained(material: Material) -> Iterator[_Trained]:
    for run in material.measured:
        if run.config is None:
            continue
        try:
            rows = load(run.folder / "results" / "measurements.jsonl", run.config.entrypoint)
        except DataError:  # the report says so elsewhere
            continue
        cells = cells_of(rows)
        for cell in cells:
            name = pictures.label_of(cell, cells).replace(cell.series, material.label(cell.series), 1)
            yield _Trained(run, cell, f"{run.said}: {name}" if material.is_sweep else name)


def _sentence(one: _Trained) -> str:
    config = one.run.config
    settings = config.entrypoint.settings if config else {}
    place = str(getattr(config.dataset, "path", None) or "") if config else ""
    return limits.sentence(one.cell, str(settings.get("page_cache")), "://" in place.removeprefix("file://"))


def _findings(trained: Sequence[_Trained]) -> Iterator[Finding]:
    """What limits the fastest training."""
    rated = [one for one in trained if one.cell.rate]
    if rated:
        fastest = max(rated, key=lambda one: one.cell.rate or 0.0)
        yield Finding(f"{fastest.cell.share(INPUT).value:.0%}", f"{fastest.name}: {_sentence(fastest)}")


def _waiting(trained: Sequence[_Trained]) -> Section:
    """Where the time of an epoch goes."""
    section = Section("input", "Does training wait for its images?")
    if not trained:
        return section
    section.text += [f"{one.name}: {_sentence(one)}." for one in trained]
    head = ["training", "images/s", "waits for images", "computes", "exchanges", "best accuracy"]
    lines = [
        [
            one.name,
            number(one.cell.rate or 0.0),
            limits.percent(one.cell.share(INPUT)),
            f"{one.cell.share(COMPUTE).value:.0%}",
            f"{one.cell.share(EXCHANGE).value:.0%}",
            f"{one.cell.best:.0%}",
        ]
        for one in trained
    ]
    section.tables.append(Table(head, lines, frozenset({1, 2, 3, 4, 5})))
    section.text.append(
        "Shares are of the wall time of epochs, without the first one, which also traces the network and may read cold "
        "files; their intervals assume that epochs are independent. Validation is not counted. The accuracy is that "
        "of the validation photographs."
    )
    return section


def _scaling(trained: Sequence[_Trained]) -> Section:
    """Images/s of several workers against those of one, in trainings that are alike otherwise."""
    section = Section("scaling", "How it scales with workers")
    alone = {_but_workers(one): one.cell.rate for one in trained if one.cell.workers == 1}
    lines = []
    for one in trained:
        base, rate = alone.get(_but_workers(one)), one.cell.rate
        if one.cell.workers > 1 and base and rate:
            exchanged = limits.percent(one.cell.share(EXCHANGE))
            efficiency = f"{rate / base / one.cell.workers:.0%}"
            lines.append([one.name, f"{one.cell.workers}", number(rate), f"{rate / base:.2f}", efficiency, exchanged])
    if lines:
        head = ["training", "workers", "images/s", "times one worker", "efficiency", "exchanges gradients"]
        section.tables.append(Table(head, lines, frozenset({1, 2, 3, 4, 5})))
        section.text.append(
            "The efficiency is images/s a worker against those of one worker. The exchange of gradients includes "
            "waiting for the slowest worker. Workers on one machine share its cores and its memory."
        )
    return section


def _but_workers(one: _Trained) -> tuple[object, ...]:
    numbers = (value for name, value in one.cell.at.items() if name != "workers")
    return (one.run.said if one.run.varied.get("grid.workers") is None else "", one.cell.series, *numbers)


def _learned(material: Material, trained: Sequence[_Trained]) -> Section:
    """Curves, and what the network says of photographs that it has not seen."""
    section = Section("learned", "What the network has learned")
    for run in dict.fromkeys(one.run.name for one in trained):
        own = [one for one in trained if one.run.name == run]
        of = f" of {own[0].run.said}" if material.is_sweep else ""
        analysed = own[0].run.folder / "analysis"
        section.show(analysed / "curves.png", f"The loss and the accuracy{of}, by epoch and by second.")
        if len(section.pictures) <= 3 * _SHOWN:
            for path in sorted(analysed.glob("*predictions.png")):
                section.show(path, f"Photographs of the validation{of}; wrong ones in red.")
            for path in sorted(analysed.glob("*confusion.png")):
                section.show(path, f"Which class is taken for which{of}.")
    return section
