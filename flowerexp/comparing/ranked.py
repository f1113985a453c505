"""The settings of a sweep as text, from the best to the worst: a row each, however often it was repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.analysis import words
from flowerexp.console import figure
from flowerexp.lookup.saved import name_of
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.analysis.estimate import Interval
    from flowerexp.analysis.report.material import Material
    from flowerexp.analysis.report.ranking import Ranked
    from flowerexp.analysis.report.runs import Run


def ranked(folder: Path, details: bool = False) -> str:
    """Rank the settings of a sweep.

    Args:
        folder: the sweep's.
        details: whether each run is listed, too.

    Raises:
        DataError: one of the sweep's files is damaged.
    """
    from flowerexp.analysis.report.evidence import doubt_of
    from flowerexp.analysis.report.gather import load
    from flowerexp.analysis.report.ranking import rank

    material = load(folder)
    lines = rank(material)
    doubt = doubt_of(material)
    blocks = [f"{name_of(folder)}: {material.experiment.value_unit} by setting, the best first"]
    blocks += [_settings(material, lines), *([_runs(material)] if details else [])]
    notes = [*([f"doubt     {doubt}"] if doubt else []), *_notes(lines), *compare_with(folder, lines)]
    return "\n\n".join([*blocks, "\n".join(notes)])


def compare_with(folder: Path, lines: Sequence[Ranked]) -> Iterator[str]:
    """The command that compares the two best settings, if there are two."""
    best = list(dict.fromkeys(line.runs[0].name for line in lines if line.value))[:2]
    if len(best) == 2:
        yield f"compare   flowerexp compare {' '.join(f'{name_of(folder)}/{run}' for run in best)}"


def _notes(lines: Sequence[Ranked]) -> Iterator[str]:
    compared = sum(line.ratio is not None for line in lines)
    if compared > 1:
        yield f"interval  the ratios to the best of {compared} are true together with 95 % (Tukey, Bonferroni)"
    if any(len(line.runs) > 1 for line in lines):
        yield "repeats   are one row: +2 says that two more runs repeat it; --details lists them"
    yield "seconds   a run's own, without preparing and warming up"


def _settings(material: Material, lines: Sequence[Ranked]) -> str:
    contexts = list(dict.fromkeys(name for line in lines for name in line.context))
    keys = material.varied
    priced = any(line.dollars is not None for line in lines)
    head = ["run", *(words.parameter(material.experiment, name) for name in contexts), *_short(keys)]
    first = len(head)
    head += [material.experiment.value_unit, "95 % interval", "of best", "95 % interval", "seconds"]
    head += [*(["dollars"] if priced else []), "verdict"]
    table = [head]
    for line in lines:
        more = f" +{len(line.runs) - 1}" if len(line.runs) > 1 else ""
        cells = [line.runs[0].name + more, *(line.context.get(name, "-") for name in contexts)]
        cells += [_shown(line.values[key]) for key in keys]
        cells += [figure(line.value.value if line.value else None), _between(line.value)]
        cells += [f"{line.ratio.value:.3f}" if line.ratio else "-", _between(line.ratio, 3), figure(line.seconds)]
        table.append([*cells, *([_dollars(line.dollars)] if priced else []), line.verdict])
    right = {first, first + 2, first + 4, *([first + 5] if priced else [])}
    return text_table(table, right=right)


def _runs(material: Material) -> str:
    """Each run with its own values."""
    series = material.series
    both = len(series) > 1
    head = [
        "run",
        *_short(material.varied),
        "repeat",
        *(name if both else material.experiment.value_unit for name in series),
    ]
    right = set(range(len(material.varied) + 2, len(head) + 4))
    table = [[*head, "seconds", "dollars", "preparing", "warming up", "verdict"]]
    for run in material.runs:
        values = [_shown(run.varied.get(key)) for key in material.varied]
        measured = [figure(run.values.get(name)) for name in series]
        apart = [figure(value or None) for value in (run.seconds.preparing, run.seconds.warm_up)]
        costs = [figure(run.seconds.own or None), _dollars(run.dollars)]
        table.append([run.name, *values, str(run.varied.get("repeat", 1)), *measured, *costs, *apart, _judged(run)])
    return text_table(table, right=right)


def _judged(run: Run) -> str:
    return run.verdict if run.verdict != "-" else run.state


def _short(keys: Sequence[str]) -> list[str]:
    """The last part of each key; the whole key where two would be called the same."""
    last = [key.rpartition(".")[2] for key in keys]
    return [own if last.count(own) == 1 else key for key, own in zip(keys, last, strict=True)]


def _shown(value: object) -> str:
    from flowerexp.analysis.report.runs import shown

    return shown(value)


def _dollars(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _between(interval: Interval | None, digits: int | None = None) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return "-"
    ends = (interval.low, interval.high)
    return " to ".join(figure(end) if digits is None else f"{end:.{digits}f}" for end in ends)
