"""The section of a search for a cluster: what to rent, what was tried in which order, what the others would cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from flowerexp import records
from flowerexp.analysis.drawing import ACCENT, GOOD, INK, LINE, MUTED, PAPER, WARN, number, plain, tidy
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.svg import figure
from flowerexp.errors import DataError
from flowerexp.journal import SEARCH

MOST = 40
"""Candidates in the picture; of more, the best by what is known."""

_WANTED = {
    "unit": str,
    "recommendation": {"winner": str | None},
    "candidates": [{"name": str}],
    "tries": [{"candidate": str, "status": str}],
}
_TONES = {"finished": ACCENT, "aborted": MUTED, "failed": WARN, "refused": WARN}
_UNITS = {"usd": "dollars a run", "seconds": "seconds a run"}


def found(material: Material) -> Section:
    """What the search has found; an empty section for a sweep that is no search.

    Raises:
        DataError: `search.json` is damaged.
    """
    section = Section("search", "Which cluster to rent")
    try:
        search = records.find(material.folder / SEARCH, _WANTED)
    except DataError as error:
        hint = f"write it again from the journal: flowerexp resume {material.folder}"
        raise DataError(error.problem, hint=hint) from error
    if search is None:
        return section
    section.text.append(_sentence(search))
    section.draw(
        _picture(search),
        f"Each cluster by its {_UNITS[search['unit']]}. Dots are runs, numbered in the order in which they were tried; "
        "lines are the bands in which the model expects a next run with a probability of 90\u00a0%, with a tick at the "
        "median.",
    )
    head = ["", "cluster", "seconds", "dollars", "ended", "why it was tried"]
    tried = [one for one in search["tries"] if one["status"] != "dropped"]  # which stand among the smoke runs
    lines = [_line(place, one) for place, one in enumerate(tried[:MOST_ROWS], start=1)]
    section.tables.append(Table(head, lines, frozenset({0, 2, 3})))
    if smoke := search.get("smoke"):
        section.text.append(_smoke_sentence(smoke))
        head = ["cluster", "seconds", "dollars", "smoke run ended", "why it was left out"]
        section.tables.append(Table(head, [_smoke_line(one) for one in smoke[:MOST_ROWS]], frozenset({1, 2})))
    return section


def _smoke_sentence(smoke: Sequence[Mapping[str, Any]]) -> str:
    dropped = sum(one["dropped"] is not None for one in smoke)
    return (
        f"Before the search, {len(smoke)} clusters had a smoke run each, on a small share of the data; {dropped} were "
        "left out for what these came to, and are not among those not tried. Smoke runs count as spent, and for "
        "nothing else."
    )


def _smoke_line(one: Mapping[str, Any]) -> list[str]:
    return [one["candidate"], *_numbers(one), one["status"], one["dropped"] or one["error"]]


def _sentence(search: Mapping[str, Any]) -> str:
    """The recommendation in words."""
    best = search["recommendation"]
    if best["winner"] is None:
        return f"No cluster can be recommended: {search['explanation']}."
    parts = [f"Rent `{best['winner']}`: {_price(best['usd'])}{number(best['seconds'])} seconds a run."]
    if best["runner_up"]:
        value = number(best["runner_up_value"])
        came_to = f"${value}" if search["unit"] == "usd" else f"{value} seconds"
        parts.append(f"The next best is `{best['runner_up']}` with {came_to}.")
    parts.append(f"That none of those not tried is better has a probability of {best['probability_best']:.0%}.")
    parts.append(f"The search ended after {best['runs']} runs: {search['explanation']}.")
    if best["spent_usd"] is not None:
        parts.append(f"It spent ${number(best['spent_usd'])}.")
    if best["pays_after"]:
        after = math.ceil(best["pays_after"])
        parts.append(f"Against the median cluster that has paid for itself after {after} production runs.")
    return " ".join(parts)


def _price(usd: float | None) -> str:
    return "" if usd is None else f"${number(usd)} and "


def _line(place: int, one: Mapping[str, Any]) -> list[str]:
    return [
        str(place),
        one["candidate"],
        *_numbers(one),
        one["status"],
        "it was known before" if one["prior"] else one["explanation"] or "",
    ]


def _numbers(one: Mapping[str, Any]) -> list[str]:
    return ["" if one[what] is None else number(one[what]) for what in ("seconds", "usd")]


def _picture(search: Mapping[str, Any]) -> Figure | None:
    """Clusters from the best to the worst: what was seen, and what the model expects."""
    seen = {one["candidate"]: one for one in search["tries"] if one[search["unit"]]}
    placed = [(_place(one, seen, search["unit"]), one) for one in search["candidates"]]
    shown = sorted(((value, one) for value, one in placed if value), key=lambda pair: float(pair[0] or 0))[:MOST]
    if len(shown) < 2:
        return None
    made = figure(1.1 + 0.3 * len(shown))
    panel = made.subplots()
    for line, (_, one) in enumerate(shown):
        _band(panel, line, one)
        _dot(panel, line, one, seen, search)
    tidy(panel, grid="x", thousands="")
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high < 30 * low else (1,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(_UNITS[search["unit"]])
    panel.set_yticks(range(len(shown)), [plain(one["name"]) for _, one in shown])
    panel.set_ylim(len(shown) - 0.5, -0.5)
    _legend(made, [one["status"] for _, one in shown])
    return made


def _place(one: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], unit: str) -> float | None:
    """Where a cluster is drawn: as it was measured, or else as it is expected, or else where it was given up."""
    run = seen.get(one["name"])
    value = one["value"] or one["median"] or (run[unit] if run else None)
    return None if value is None else float(value)


def _band(panel: Any, line: int, one: Mapping[str, Any]) -> None:
    if one["low"] is None or one["high"] is None:
        return
    panel.plot((one["low"], one["high"]), (line, line), "-", color=LINE, lw=6, solid_capstyle="round", zorder=2)
    panel.plot([one["median"]], [line], "|", color=MUTED, ms=8, mew=1.5, zorder=3)


def _dot(
    panel: Any, line: int, one: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], search: Mapping[str, Any]
) -> None:
    run = seen.get(one["name"])
    if run is None:
        return
    best = one["name"] == search["recommendation"]["winner"]
    tone = GOOD if best else _TONES[one["status"]]
    value = one["value"] or run[search["unit"]]
    panel.plot([value], [line], "o", color=tone, ms=9 if best else 7, mec=PAPER, mew=1.2, zorder=4)
    if one["order"] is not None:
        panel.annotate(
            str(one["order"] + 1), (value, line), (7, 0), textcoords="offset points", va="center", color=INK, fontsize=8
        )


def _legend(made: Figure, statuses: Sequence[str | None]) -> None:
    marks = [Line2D([], [], marker="o", ls="", color=GOOD, label="recommended")]
    marks += [
        Line2D([], [], marker="o", ls="", color=tone, label=status)
        for status, tone in _TONES.items()
        if status in statuses and status != "refused"
    ]
    made.legend(handles=marks, loc="outside upper left", ncols=len(marks), frameon=False, fontsize=9, labelcolor=MUTED)
