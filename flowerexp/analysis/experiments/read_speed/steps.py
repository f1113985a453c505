"""Where the time of an image goes: the steps of each reader, and how far it is from its floor."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from flowerexp.analysis import words
from flowerexp.analysis.drawing import INK, PAPER, number, plain, tidy
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Section, Table
from flowerexp.analysis.report.svg import WIDTH, figure

STEPS = {
    "open": "open",
    "read": "read",
    "decode": "decode",
    "resize": "resize",
    "batch": "batch",
    "hand_over": "hand over",
}
"""The steps, with their names on a page."""
_PREFIX = "step/"
_TONES = ("#5f6a72", "#0072b2", "#d55e00", "#8a6d00", "#009e73", "#b5508f")

Steps = Mapping[str, float]
"""Microseconds an image by step, with `whole` and `floor`."""


def section(material: Material) -> Section:
    """The steps of each reader that was looked into; empty if none was."""
    found = Section("steps", "Where does the time of an image go?")
    readers = steps_of(material)
    if not readers:
        return found
    found.text += [_sentence(material, reader, steps) for reader, steps in readers.items()]
    found.text.append(
        "Microseconds an image on one thread, in addition to the measurements. The same files are read several times, "
        "each time one step further, and a step takes the difference. The floor is the time to copy a decoded image, "
        "as the cached readers do; the head room says how many times as long the reader takes."
    )
    found.draw(picture(material, readers), "Microseconds an image by step, of readers whose steps can be told apart.")
    head = ["reader", *STEPS.values(), "together", "floor", "head room"]
    lines = [[material.label(reader), *_line(steps)] for reader, steps in readers.items()]
    found.tables.append(Table(head, lines, frozenset(range(1, len(head)))))
    return found


def steps_of(material: Material) -> dict[str, Steps]:
    """By reader, in the declared order; of several runs that looked, the last one counts."""
    readers: dict[str, dict[str, float]] = {}
    for run in material.measured:
        own: dict[str, dict[str, float]] = {}
        for name, value in run.facts.items():
            if name.startswith(_PREFIX) and isinstance(value, int | float):
                reader, _, step = name.removeprefix(_PREFIX).partition("/")
                own.setdefault(reader, {})[step] = float(value)
        readers |= own
    return {reader: readers[reader] for reader in words.ordered(material.experiment, readers)}


def _sentence(material: Material, reader: str, steps: Steps) -> str:
    known = {name: steps[name] for name in STEPS if name in steps}
    whole, room = steps["whole"], f"{number(steps['whole'] / steps['floor'])} times its floor"
    if not known:
        return f"{material.label(reader)} takes {number(whole)} µs an image, {room}; its steps are not separable."
    largest = max(known, key=lambda name: known[name])
    share = known[largest] / (sum(known.values()) or 1.0)
    what = f"{material.label(reader)} is limited by the step {STEPS[largest]}"
    return f"{what}: {share:.0%} of {number(sum(known.values()))} µs an image, {room}."


def _line(steps: Steps) -> list[str]:
    separable = any(name in steps for name in STEPS)
    cells = [number(steps[name]) if name in steps else "-" if separable else "not separable" for name in STEPS]
    return [*cells, number(steps["whole"]), number(steps["floor"]), f"{number(steps['whole'] / steps['floor'])} ×"]


def picture(material: Material, readers: Mapping[str, Steps]) -> Figure | None:
    """A bar for each reader, made of its steps."""
    shown = {reader: steps for reader, steps in readers.items() if any(name in steps for name in STEPS)}
    if not shown:
        return None
    drawn = figure(1.0 + 0.34 * len(shown), WIDTH)
    panel = drawn.subplots()
    for tone, (name, label) in zip(_TONES, STEPS.items(), strict=True):
        starts = [sum(steps.get(one, 0.0) for one in [*STEPS][: [*STEPS].index(name)]) for steps in shown.values()]
        widths = [steps.get(name, 0.0) for steps in shown.values()]
        panel.barh(range(len(shown)), widths, left=starts, color=tone, edgecolor=PAPER, height=0.7, label=label)
    tidy(panel, grid="x", thousands="x")
    panel.set_yticks(range(len(shown)), [plain(material.label(reader)) for reader in shown])
    panel.set_ylim(len(shown) - 0.5, -0.5)
    panel.set_xlabel("microseconds an image")
    drawn.legend(loc="outside upper left", ncols=len(STEPS), frameon=False, labelcolor=INK, fontsize=9)
    return drawn
