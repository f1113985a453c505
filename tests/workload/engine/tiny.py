"""Tiny experiments for tests, and their configs as a workload gets them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flowerexp.workload.engine import run
from flowerexp.workload.engine.declared import Declared, Workload
from flowerexp.workload.engine.stream import Stream

GRID: dict[str, Sequence[Any]] = {"kind": ["a", "b"], "size": [1, 2, 3]}


def config(grid: dict[str, Sequence[Any]] | None = None, where: str = "driver", **changes: Any) -> dict[str, Any]:
    """A run's config: `changes` are of `measure`, of `caching`, or of the entrypoint."""
    grid = GRID if grid is None else grid
    measure: dict[str, Any] = {"repetitions": 2, "seed": 0, "concurrency": 1, "warm_up_seconds": 0, "max_seconds": None}
    measure |= {"storage_level": None, "probe": True, "until": None, "until_seconds": 60.0}
    measure |= {name: changes.pop(name) for name in [*changes] if name in measure}
    made = {
        "caching": changes.pop("caching", True),
        "grid": grid,
        "measure": measure,
        "entrypoint": {
            "name": "tiny",
            "where": where,
            "unit": "things",
            "column": "",
            "parameters": {name: {"type": type_of(values[0])} for name, values in grid.items()},
            "products": [],
            **changes,
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


def type_of(value: Any) -> str:
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "text")


def slept(seconds: float, result: Any) -> Any:
    """The result, after a while."""
    time.sleep(seconds)
    return result


def declared(*arguments: Any, **changes: Any) -> Declared:
    return Declared.of(config(*arguments, **changes), "key")


def workload(
    measure: Callable[..., Any], prepare: Callable[..., Any] = lambda spark, config: spark, **hooks: Any
) -> Workload:
    return Workload(measure=measure, prepare=prepare, **hooks)


class Lines(Stream):
    """A stream that writes nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, line: str) -> None:
        self.lines.append(line)


def make(
    spark: Any,
    config: dict[str, Any],
    workload: Workload,
    output: Path,
    rows: list[dict[str, Any]] | None = None,
    earlier: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Make a run; its rows are also in `rows` if it fails."""
    rows = [] if rows is None else rows
    entry = {"run_key": uuid.uuid4().hex, "config": config, "output": str(output), "earlier": list(earlier)}
    with Stream(str(output), keep=bool(earlier)) as stream:
        for line in run.of_workload(workload)(spark, entry, stream):
            rows.append(json.loads(line))
    return rows
