"""Fixtures: a report for every test, and runs of read_speed made by the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flowerexp.config import plain
from flowerexp.workload import report
from flowerexp.workload.engine import run
from flowerexp.workload.engine.declared import Workload
from flowerexp.workload.engine.stream import Stream
from flowerexp.workload.read_speed import measuring

READ_SPEED = Workload(
    measure=measuring.measure,
    prepare=measuring.prepare,
    ready=measuring.ready,
    possible=measuring.possible,
    warm=measuring.warm,
    warmth=measuring.warmth,
    recover=measuring.recover,
)


@pytest.fixture(autouse=True)
def told() -> report.Report:
    """What the test's code reported."""
    return report.begin("test")


@pytest.fixture
def read_speed(tmp_path: Any) -> Callable[..., list[dict[str, Any]]]:
    """`read_speed(spark, config, rows)` makes a run; returns its rows, and also puts them into `rows` as they come."""

    def read_speed(
        spark: Any, config: dict[str, Any], rows: list[dict[str, Any]] | None = None
    ) -> list[dict[str, Any]]:
        rows = [] if rows is None else rows
        with Stream(str(tmp_path / "output"), keep=False) as stream:
            one = {"config": config, "run_key": "key", "output": str(tmp_path / "output")}
            for line in run.of_workload(READ_SPEED)(spark, one, stream):
                rows.append(json.loads(line))
        return rows

    return read_speed


@pytest.fixture
def config(config: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """`config("grid=wide", ...)` is a run's config as a workload gets it."""

    def plainly(*overrides: str) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(json.dumps(plain(config(*overrides))))
        return made

    return plainly
