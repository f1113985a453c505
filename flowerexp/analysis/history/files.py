"""Lines as data: JSON of everything, and CSV with a row for each point."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowerexp.analysis.history.lines import Change, Line, Point
from flowerexp.escape import csv_cell

_COLUMNS = (
    *("experiment", "machine", "configuration", "metric", "unit", "started_at", "commit", "dirty", "code"),
    *("value", "low", "high", "verdict", "used", "runs", "level", "changed"),
)


def as_json(some: Sequence[Line], left_out: Mapping[str, int]) -> str:
    """Lines with their points and changes, and how many runs were left out, by reason."""
    return json.dumps({"lines": [_line(line) for line in some], "left_out": dict(left_out)}, indent=1) + "\n"


def as_csv(some: Sequence[Line]) -> str:
    """A row for each point of each line, with the level that it belongs to, and whether that begins with it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in some:
        configuration = json.dumps(dict(line.place.choices), ensure_ascii=False)
        head = [line.place.experiment, line.place.machine, configuration, line.metric.name, line.metric.unit]
        changed = {id(one.after) for one in line.changes}
        for point, level in zip(line.points, levels_of(line), strict=True):
            plain = _point(line, point)
            cells = [plain[name] for name in _COLUMNS[5:14]]
            rest = [" ".join(plain["runs"]), level, id(point) in changed]
            writer.writerow([*map(csv_cell, head), *("" if cell is None else csv_cell(cell) for cell in cells), *rest])
    return text.getvalue()


def levels_of(line: Line) -> list[float | None]:
    """The level around each point: the geometric mean between two changes; None where levels are not known."""
    if line.levels is None:
        return [None] * len(line.points)
    starts = {id(one.after) for one in line.changes}
    place = 0
    found: list[float | None] = []
    for point in line.points:
        place += id(point) in starts
        found.append(line.levels.means[place])
    return found


def _line(line: Line) -> dict[str, Any]:
    return {
        "experiment": line.place.experiment,
        "machine": line.place.machine,
        "configuration": dict(line.place.choices),
        "metric": line.metric.name,
        "unit": line.metric.unit,
        "better": line.metric.better,
        "conclusion": line.conclusion,
        "correlation": line.levels.correlation if line.levels else None,
        "points": [_point(line, point) for point in line.points],
        "changes": [_change(one) for one in line.changes],
    }


def _point(line: Line, point: Point) -> dict[str, Any]:
    first, interval = point.first, line.interval(point)
    return {
        "started_at": datetime.fromtimestamp(first.started_at).astimezone().isoformat(timespec="seconds"),
        "commit": first.commit or None,
        "dirty": first.dirty,
        "code": first.code or None,
        "value": point.value,
        "low": interval.low,
        "high": interval.high,
        "verdict": first.verdict or None,
        "used": point.is_used,
        "runs": [run.run_id for run in point.runs],
    }


def _change(one: Change) -> dict[str, Any]:
    ratio = one.step.ratio
    return {
        "before": {"commit": one.before.first.commit or None, "date": one.before.date, "level": one.step.before},
        "after": {"commit": one.after.first.commit or None, "date": one.after.date, "level": one.step.after},
        "ratio": {"value": ratio.value, "low": ratio.low, "high": ratio.high},
        "differs": {name: {"before": before, "after": after} for name, (before, after) in one.differs.items()},
    }
