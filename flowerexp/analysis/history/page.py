"""Lines as one page of HTML that needs nothing else, in the look of the reports; needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flowerexp.analysis.drawing import ACCENT, INK, MUTED, PAPER, WARN, plain, tidy
from flowerexp.analysis.history import table
from flowerexp.analysis.history.files import levels_of
from flowerexp.analysis.history.lines import Line, varied
from flowerexp.analysis.report.page import environment
from flowerexp.analysis.report.parts import MOST_ROWS, Finding, Section, Table
from flowerexp.analysis.report.svg import figure

_MOST_FINDINGS = 6
_TONES: dict[str, Literal["good", "warn"]] = {"better": "good", "worse": "warn"}
_CAPTION = (
    "Dots are points, bars their 95 % intervals; gray dots are suspect and left out. The line is the level, a dashed "
    "line a change, with the commit that it begins with."
)
_TRUST = (
    "In lines without a change, noise alone shows one in at most 5 % of cases, if neighbouring points are no more "
    "similar than is estimated here. It shows more if the machine's speed varies over days, and in many lines together."
)


def html(some: Sequence[Line], left_out: Mapping[str, int], store: str) -> str:
    """The page.

    Args:
        some: the lines.
        left_out: how many runs are in none of them, by reason.
        store: the address of the store, which heads the page.
    """
    keys = varied(some)
    sections = [_section(place, line, keys) for place, line in enumerate(some) if len(line.points) > 1]
    alone = [line for line in some if len(line.points) == 1]
    sections += [_alone(alone, keys)] if alone else []
    sections += [Section("about", "How to read this", [_TRUST, *filter(None, [table.left_out(left_out)])])]
    template = environment(True).get_template("report.html.jinja")
    return template.render(
        question="What has changed over time?",
        answer="",
        words=_words(some),
        name=store,
        kind="history",
        findings=_findings(some, keys),
        sections=sections,
    )


def _words(some: Sequence[Line]) -> list[str]:
    dates_of = sorted(point.date for line in some for point in line.points)
    runs = len({run.run_id for line in some for point in line.points for run in point.runs})
    found = sum(len(line.changes) for line in some)
    machines = len({line.place.machine for line in some})
    words = [_count(runs, "run"), _count(len(some), "line"), _count(machines, "machine"), _count(found, "change")]
    return [*words, f"{dates_of[0]} to {dates_of[-1]}"] if dates_of else words


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _findings(some: Sequence[Line], keys: Sequence[str]) -> list[Finding]:
    """The latest changes, and how many more there are."""
    changes = [(line, one) for line in some for one in line.changes]
    changes.sort(key=lambda pair: -pair[1].after.first.started_at)
    found = []
    for line, one in changes[:_MOST_FINDINGS]:
        text = f"{table.title(line)}, {table.where(line, keys)}: {table.change(line, one)}"
        found.append(Finding(f"{one.step.ratio.value:.2f} x", text, _TONES.get(table.judged(line, one), "plain")))
    more = len(changes) - len(found)
    return [*found, *([Finding(f"{more} more", "earlier changes are below, each with its line")] if more else [])]


def _section(place: int, line: Line, keys: Sequence[str]) -> Section:
    changes = [table.change(line, one) for one in line.changes]
    said = f"{line.conclusion[0].upper()}{line.conclusion[1:]}."
    section = Section(f"line-{place}", table.title(line), [f"{table.where(line, keys)}. {said}", *changes])
    section.draw(_picture(line), _CAPTION)
    rows = [table.row(line, point) for point in line.points[-MOST_ROWS:]]
    section.tables.append(Table(table.HEAD, rows, frozenset({2, 5})))
    more = len(line.points) - len(rows)
    section.text += [f"The table has the latest {MOST_ROWS} points; {more} are earlier."] if more else []
    return section


def _alone(some: Sequence[Line], keys: Sequence[str]) -> Section:
    rows = [[line.metric.name, *table.row(line, line.points[0]), table.where(line, keys)] for line in some]
    section = Section("alone", "Lines of one point", ["Nothing can have changed in them yet."])
    section.tables.append(Table(("metric", *table.HEAD, "where"), rows[:MOST_ROWS], frozenset({2, 6})))
    more = len(rows) - MOST_ROWS
    section.text += [f"The table has {MOST_ROWS} of them; {more} more are in --csv and --json."] if more > 0 else []
    return section


def _picture(line: Line) -> Figure:
    """The points of a line over time, with their levels and changes."""
    drawn = figure(3.2)
    panel: Any = drawn.subplots()
    for used, tone in ((True, ACCENT), (False, MUTED)):
        points = [point for point in line.points if point.is_used == used]
        at = [_when(point.first.started_at) for point in points]
        intervals = [line.interval(point) for point in points] if used else []
        for when, one in zip(at, intervals, strict=False):
            if one.low is not None and one.high is not None:
                panel.plot([when, when], [one.low, one.high], "-", color=tone, lw=1.6, alpha=0.35, zorder=2)
        values = [point.value for point in points]
        panel.plot(at, values, "o", color=tone, ms=6, mec=PAPER, mew=1, alpha=1 if used else 0.6, zorder=4)
    _levels(panel, line)
    tidy(panel)
    panel.set_ylabel(plain(line.metric.unit or line.metric.name))
    locator = dates.AutoDateLocator(minticks=3, maxticks=8)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    marks = [Line2D([], [], color=ACCENT, marker="o", lw=0, label="used"), _mark(INK, "-", "level")]
    marks += (
        [Line2D([], [], color=MUTED, marker="o", lw=0, label="suspect")] if len(line.used) < len(line.points) else []
    )
    marks += [_mark(WARN, "--", "change")] if line.changes else []
    drawn.legend(handles=marks, loc="outside upper left", ncols=4, frameon=False, labelcolor=INK, fontsize=9.5)
    return drawn


def _mark(tone: str, style: str, label: str) -> Line2D:
    return Line2D([], [], color=tone, ls=style, lw=1.6, label=label)


def _levels(panel: Any, line: Line) -> None:
    """The level between changes, and a dashed line with its commit at each of them."""
    starts = {id(one.after): one for one in line.changes}
    part: list[tuple[datetime, float]] = []
    parts = [part]
    for point, level in zip(line.points, levels_of(line), strict=True):
        when = _when(point.first.started_at)
        if one := starts.get(id(point)):
            part = []
            parts.append(part)
            _named(panel, _between(one.before.first.started_at, point.first.started_at), point.commit)
        if level is not None:
            part.append((when, level))
    for each in parts:
        panel.plot([when for when, _ in each], [level for _, level in each], "-", color=INK, lw=1.6, zorder=3)


def _named(panel: Any, when: datetime, commit: str) -> None:
    panel.axvline(when, color=WARN, lw=1.2, ls="--", zorder=1)
    panel.annotate(
        plain(commit),
        (when, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        color=WARN,
        fontsize=9,
    )


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds)


def _between(before: float, after: float) -> datetime:
    return _when((before + after) / 2)
