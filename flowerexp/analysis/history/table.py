"""Lines as text for the screen: what each one is, its sparkline, its points and its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowerexp.analysis.history.lines import Change, Line, Point, varied
from flowerexp.text_table import text_table

MOST_ROWS = 30
"""The most points of a line in a table on the screen, the latest."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEFT_OUT = "·"
_WIDEST = 60  # of a sparkline, in characters: of more points, neighbours share one
_NAMED = 4  # of what differs at a change, how many are named


def text(some: Sequence[Line]) -> str:
    """All lines: those of several points each with its table, then those of one point in a common table."""
    keys = varied(some)
    long = [line for line in some if len(line.points) > 1]
    short = [line for line in some if len(line.points) == 1]
    return "\n\n".join([*(_block(line, keys) for line in long), *([_alone(short, keys)] if short else [])])


def title(line: Line) -> str:
    """What a line shows: its experiment and its metric."""
    unit = f" ({line.metric.unit})" if line.metric.unit else ""
    better = f", {line.metric.better} is better" if line.metric.better else ""
    return f"{line.place.experiment}: {line.metric.name}{unit}{better}"


def configuration(line: Line, keys: Sequence[str]) -> str:
    """The values of a line in which lines differ, in a few words."""
    choices = line.place.choices
    return " ".join(f"{key}={choices[key]}" for key in keys if key in choices)


def where(line: Line, keys: Sequence[str]) -> str:
    """The machine of a line, and its configuration."""
    chosen = configuration(line, keys)
    return f"on {line.place.machine}" + (f", with {chosen}" if chosen else "")


def sparkline(line: Line) -> str:
    """A character for each point, as high as its value among those of the line; a dot for one that is left out."""
    points, shown = line.points, []
    values = [point.value for point in line.used]
    low, span = (min(values), max(values) - min(values)) if values else (0.0, 0.0)
    each = -(-len(points) // _WIDEST)
    for first in range(0, len(points), each):
        used = [point.value for point in points[first : first + each] if point.is_used]
        height = (sum(used) / len(used) - low) / span if used and span else 0.5
        shown.append(_BLOCKS[min(int(height * len(_BLOCKS)), len(_BLOCKS) - 1)] if used else _LEFT_OUT)
    return "".join(shown)


def change(line: Line, one: Change) -> str:
    """A change in a sentence: where it is, between which levels, how sure, and what else changed there."""
    step, ratio = one.step, one.step.ratio
    low, high = f"{ratio.low or 0:.3f}", f"{ratio.high or 0:.3f}"
    sides = [f"{point.commit} ({point.date})" for point in (one.before, one.after)]
    words = [
        f"between {sides[0]} and {sides[1]}: {number(step.before)} to {number(step.after)}",
        f" {line.metric.unit}" if line.metric.unit else "",
        f", {ratio.value:.3f} x ({low} to {high})",
        f", {judged(line, one)}",
        f"; {differs(one)}",
    ]
    return "".join(words)


def judged(line: Line, one: Change) -> str:
    """Whether a change is for the better; where nobody declared that, its direction."""
    up = one.step.ratio.value > 1
    if line.metric.better is None:
        return "up" if up else "down"
    return "better" if up == (line.metric.better == "higher") else "worse"


def differs(one: Change) -> str:
    """What else changed at a change."""
    named = [f"{name} {before} to {after}" for name, (before, after) in one.differs.items()]
    more = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    same = one.before.commit == one.after.commit and one.before.first.code == one.after.first.code
    words = ["the code is the same"] if same else []
    words += [", ".join(named[:_NAMED]) + more] if named else ["nothing else that is recorded changed"]
    return "; ".join(words)


def number(value: float) -> str:
    """A number of at least four digits, with commas between thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def row(line: Line, point: Point) -> list[str]:
    """A point's cells: date, commit, value, interval, verdict and the number of runs."""
    interval = line.interval(point)
    ends = f"{number(interval.low)} to {number(interval.high)}" if interval.low and interval.high else "-"
    return [point.date, point.commit, number(point.value), ends, point.first.verdict or "-", str(len(point.runs))]


HEAD = ("date", "commit", "value", "95 %", "verdict", "runs")
"""The head above rows of points."""


def left_out(reasons: Mapping[str, int]) -> str:
    """How many runs are not in the lines, and why; empty if all are."""
    if not reasons:
        return ""
    parts = [f"{count:,} {reason}" for reason, count in reasons.items()]
    total = sum(reasons.values())
    return f"left out  {total:,} run{'s' if total > 1 else ''}: {', '.join(parts)}"


def _block(line: Line, keys: Sequence[str]) -> str:
    marks = {id(one.after): "<- changed" for one in line.changes}
    shown = line.points[-MOST_ROWS:]
    rows = [[*HEAD, ""], *([*row(line, point), marks.get(id(point), "")] for point in shown)]
    more = len(line.points) - len(shown)
    parts = [title(line), where(line, keys), f"{sparkline(line)}  {line.conclusion}"]
    parts += [f"({more} earlier points are in --csv, --json and --html)"] if more else []
    parts += [text_table(rows, right=(2, 5)), *(f"change    {change(line, one)}" for one in line.changes)]
    dots = len(line.points) - len(line.used)
    parts += [f"suspect   not used to find changes: {dots} of {len(line.points)} points"] if dots else []
    return "\n".join(parts)


def _alone(some: Sequence[Line], keys: Sequence[str]) -> str:
    """Lines of one point, a row each."""
    rows = [["experiment", "metric", *HEAD, "where"]]
    for line in some:
        rows.append([line.place.experiment, line.metric.name, *row(line, line.points[0]), where(line, keys)])
    return "lines of a single point, in which no change can be seen\n" + text_table(rows, right=(4, 7))
