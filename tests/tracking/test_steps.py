"""What is logged as lines: each repetition, and what the hosts did, with a step each."""

from __future__ import annotations

from typing import Any

import pytest

from flowerexp.measurements.table import Measurements
from flowerexp.tracking.steps import is_line, steps
from tests.analysis.rows import row, table

ENDED = 1_700_000_100.0
LINE = "by repetition/tfrecords steady_images_per_second"


def points(measured: Measurements, name: str) -> list[tuple[int, float, int]]:
    """The step, the value and the time of each point of a line."""
    return [(step, value, when) for metric, value, when, step in steps(measured, ENDED) if metric == name]


def rated(repetition: int, rate: float, size: int = 2, **more: Any) -> dict[str, Any]:
    """A row with a steady rate, of batches after the first."""
    return row(size=size, repetition=repetition, first_batch_seconds=1.0, seconds=1 + 2 * size / rate, **more)


def test_a_repetition_is_a_step_with_the_value_over_all_cells():
    rows = [rated(repetition, rate, size) for repetition, rate in ((1, 100), (2, 200)) for size in (2, 4)]
    found = points(table(rows), LINE)
    assert [(step, when) for step, _, when in found] == [(1, 1_700_000_100_000), (2, 1_700_000_100_000)]
    assert [value for _, value, _ in found] == pytest.approx([100, 200])


def test_each_series_has_a_line_of_its_own_and_a_single_repetition_none():
    rows = [rated(repetition, 100, reader="image_files") for repetition in (1, 2)] + [rated(1, 100)]
    assert {name for name, *_ in steps(table(rows), ENDED)} == {"by repetition/image_files steady_images_per_second"}


def test_a_repetition_that_lacks_cells_is_no_point():
    rows = [rated(repetition, 100, size) for repetition in (1, 2) for size in (2, 4)]
    assert [step for step, *_ in points(table([*rows, rated(3, 900, 4)]), LINE)] == [1, 2]


def test_later_executions_are_none_of_the_run_s_results():
    rows = [rated(repetition, rate, execution=1 + (rate > 100)) for repetition in (1, 2) for rate in (100, 900)]
    assert [value for _, value, _ in points(table(rows), LINE)] == pytest.approx([100, 100])


def test_neighbours_of_many_repetitions_share_a_point():
    rows = [rated(repetition, 100 if repetition <= 500 else 200) for repetition in range(1, 1001)]
    found = points(table(rows), LINE)
    assert len(found) == 200
    assert found[0][0] == 5
    assert [found[0][1], found[-1][1]] == pytest.approx([100, 200])
    assert found[-1][0] == 1000


def host_row(at: float, seconds: float, cpu: float | None, host: str = "a") -> dict[str, Any]:
    busy: dict[str, Any] = {"cpu_percent": cpu, "memory_available_bytes": 4_000_000_000, "net_bytes_s": None}
    return row(host=host, started_at=at, seconds=seconds, **busy)


def test_a_host_s_look_at_itself_is_a_line_in_the_order_of_time():
    found = table([host_row(20.0, 1.0, 30.0), host_row(10.0, 1.0, 50.0), host_row(30.0, 1.0, None)])
    assert points(found, "system/cpu_utilization_percentage") == [(0, 50, 10_000), (1, 30, 20_000)]
    assert [value for _, value, _ in points(found, "system/memory_available_megabytes")] == [4000, 4000, 4000]
    assert points(found, "system/network_megabytes_per_second") == []


def test_several_hosts_have_lines_of_their_own():
    found = table([host_row(10.0, 1.0, 50.0, "a"), host_row(10.0, 1.0, 60.0, "b")])
    assert points(found, "system/b/cpu_utilization_percentage") == [(0, 60, 10_000)]


def test_many_looks_are_thinned_by_means_that_weigh_long_measurements_more():
    rows = [host_row(float(at), 3.0 if at % 2 else 1.0, 100.0 if at % 2 else 0.0) for at in range(96)]
    found = points(table(rows), "system/cpu_utilization_percentage")
    assert [value for _, value, _ in found] == pytest.approx([75] * 24)


def test_rows_without_time_host_or_repetition_have_no_lines():
    assert steps(table([{"rows": 1}, {"rows": 2}], "sort"), ENDED) == []


@pytest.mark.parametrize(
    ("name", "expected"), [(LINE, True), ("system/cpu_utilization_percentage", True), ("tfrecords/images", False)]
)
def test_a_line_is_told_by_its_name(name, expected):
    assert is_line(name) is expected
