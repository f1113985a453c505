"""The section of a search for a cluster: which one to rent, which were tried and why, and what others cost."""

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
"""The most candidates in the picture: the best of them, as far as is known."""

_WANTED = {
    "unit": str,
    "recommendation": {"winner": str | None},
    "candidates": [{"name": str}],
    "tries": [{"candidate": str, "status": str}],
}
_TONES = {"finished": ACCENT, "aborted": MUTED, "failed": WARN, "refused": WARN}
_UNITS = {"usd": "dollars a run", "seconds": "seconds a run"}


def found(material: Material) -> Section:
    """The result of the search; an empty section for a sweep that is not a search.

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
        f"The {_UNITS[search['unit']]} of each cluster. Dots are runs, numbered in the order in which they were tried; "
        "lines are the bands that hold the next run with a probability of 90\u00a0% by the model, with a tick at the "
        "median.",
    )
    head = ["", "cluster", "seconds", "dollars", "ended", "why it was tried"]
    tried = [attempt for attempt in search["tries"] if attempt["status"] != "dropped"]  # those are among the smoke runs
    lines = [_line(place, attempt) for place, attempt in enumerate(tried[:MOST_ROWS], start=1)]
    section.tables.append(Table(head, lines, frozenset({0, 2, 3})))
    if smoke := search.get("smoke"):
        section.text.append(_smoke_sentence(smoke) + _memory_sentence(search["recommendation"].get("needs_gb")))
        head = ["cluster", "seconds", "dollars", "smoke run ended", "why it was left out"]
        section.tables.append(Table(head, [_smoke_line(run) for run in smoke[:MOST_ROWS]], frozenset({1, 2})))
    return section


def _smoke_sentence(smoke: Sequence[Mapping[str, Any]]) -> str:
    dropped = sum(run["dropped"] is not None for run in smoke)
    return (
        f"Before the search, each of {len(smoke)} clusters made a smoke run on a small share of the data; {dropped} "
        "were left out because of it, and do not count as untried. Smoke runs count only towards what "
        "was spent."
    )


def _memory_sentence(needs_gb: float | None) -> str:
    if needs_gb is None:
        return ""
    return (
        f" By the memory that they used, all of the data should need {needs_gb:.3g} GB on all nodes together, and the "
        "search expected clusters with less to be slower."
    )


def _smoke_line(run: Mapping[str, Any]) -> list[str]:
    return [run["candidate"], *_numbers(run), run["status"], run["dropped"] or run["error"]]


def _sentence(search: Mapping[str, Any]) -> str:
    """The recommendation in words."""
    best = search["recommendation"]
    if best["winner"] is None and search.get("instead"):
        return f"Rent `{search['instead']}`, untried: {search['explanation']}."
    if best["winner"] is None:
        return f"No cluster can be recommended: {search['explanation']}."
    parts = [f"Rent `{best['winner']}`: {_price(best['usd'])}{number(best['seconds'])} seconds a run."]
    if best["runner_up"]:
        value = number(best["runner_up_value"])
        needed = f"${value}" if search["unit"] == "usd" else f"{value} seconds"
        parts.append(f"The next best is `{best['runner_up']}` with {needed}.")
    margin = f"more than {best['margin']:.0%} " if "margin" in best else ""  # searches of earlier versions have none
    parts.append(f"With {best['probability_best']:.0%} confidence, no untried cluster is {margin}better.")
    parts.append(f"The search ended after {best['runs']} runs: {search['explanation']}.")
    if best["spent_usd"] is not None:
        parts.append(f"It spent ${number(best['spent_usd'])}.")
    if best["pays_after"]:
        after = math.ceil(best["pays_after"])
        parts.append(f"Compared with the median cluster, the search has paid for itself after {after} production runs.")
    return " ".join(parts)


def _price(usd: float | None) -> str:
    return "" if usd is None else f"${number(usd)} and "


def _line(place: int, attempt: Mapping[str, Any]) -> list[str]:
    return [
        str(place),
        attempt["candidate"],
        *_numbers(attempt),
        attempt["status"],
        "known from an earlier run" if attempt["prior"] else attempt["explanation"] or "",
    ]


def _numbers(run: Mapping[str, Any]) -> list[str]:
    return ["" if run[what] is None else number(run[what]) for what in ("seconds", "usd")]


def _picture(search: Mapping[str, Any]) -> Figure | None:
    """Clusters from the best to the worst: what was measured, and what the model expects."""
    seen = {attempt["candidate"]: attempt for attempt in search["tries"] if attempt[search["unit"]]}
    placed = [(_place(candidate, seen, search["unit"]), candidate) for candidate in search["candidates"]]
    shown = sorted(((value, candidate) for value, candidate in placed if value), key=lambda pair: float(pair[0] or 0))[
        :MOST
    ]
    if len(shown) < 2:
        return None
    drawn = figure(1.1 + 0.3 * len(shown))
    panel = drawn.subplots()
    for line, (_, candidate) in enumerate(shown):
        _band(panel, line, candidate)
        _dot(panel, line, candidate, seen, search)
    tidy(panel, grid="x", thousands="")
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high < 30 * low else (1,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(_UNITS[search["unit"]])
    panel.set_yticks(range(len(shown)), [plain(candidate["name"]) for _, candidate in shown])
    panel.set_ylim(len(shown) - 0.5, -0.5)
    _legend(drawn, [candidate["status"] for _, candidate in shown])
    return drawn


def _place(candidate: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], unit: str) -> float | None:
    """Where a cluster is drawn: at its measured value, or else at the expected one, or else where it was aborted."""
    run = seen.get(candidate["name"])
    value = candidate["value"] or candidate["median"] or (run[unit] if run else None)
    return None if value is None else float(value)


def _band(panel: Any, line: int, candidate: Mapping[str, Any]) -> None:
    if candidate["low"] is None or candidate["high"] is None:
        return
    panel.plot(
        (candidate["low"], candidate["high"]), (line, line), "-", color=LINE, lw=6, solid_capstyle="round", zorder=2
    )
    panel.plot([candidate["median"]], [line], "|", color=MUTED, ms=8, mew=1.5, zorder=3)


def _dot(
    panel: Any,
    line: int,
    candidate: Mapping[str, Any],
    seen: Mapping[str, Mapping[str, Any]],
    search: Mapping[str, Any],
) -> None:
    run = seen.get(candidate["name"])
    if run is None:
        return
    best = candidate["name"] == search["recommendation"]["winner"]
    tone = GOOD if best else _TONES[candidate["status"]]
    value = candidate["value"] or run[search["unit"]]
    panel.plot([value], [line], "o", color=tone, ms=9 if best else 7, mec=PAPER, mew=1.2, zorder=4)
    if candidate["order"] is not None:
        panel.annotate(
            str(candidate["order"] + 1),
            (value, line),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=8,
        )


def _legend(drawn: Figure, statuses: Sequence[str | None]) -> None:
    marks = [Line2D([], [], marker="o", ls="", color=GOOD, label="recommended")]
    marks += [
        Line2D([], [], marker="o", ls="", color=tone, label=status)
        for status, tone in _TONES.items()
        if status in statuses and status != "refused"
    ]
    drawn.legend(handles=marks, loc="outside upper left", ncols=len(marks), frameon=False, fontsize=9, labelcolor=MUTED)
