import json
from typing import Any

import pytest

from flowerexp.analysis.summary import steady_rate, summarise
from tests.analysis.rows import grid, row, table, written


def test_rates_are_sums_over_sums_in_groups_and_cells():
    rows = [row(images=100, seconds=1), row(repetition=2, images=100, seconds=4)]
    (group,) = summarise(table(rows)).groups
    assert group.rate == 40  # the average of the rates would be 62.5
    assert group.median_rate == 62.5
    (cell,) = group.cells
    assert (cell.rate, cell.min_rate, cell.max_rate) == (40, 25, 100)
    assert (cell.count, cell.seconds, cell.repetitions) == (200, 5, 2)


def test_a_short_last_batch_counts_as_the_images_that_came():
    full, short = row(size=4, number=3, images=12, seconds=2), row(size=4, number=3, images=9, seconds=1, repetition=2)
    assert summarise(table([full, short])).groups[0].rate == 7  # 24 planned images would make it 8


def test_only_first_executions_are_used_and_all_are_counted():
    rows = [row(images=10, seconds=1), *(row(execution=again, images=10, seconds=0.01) for again in (2, 3, 4))]
    (group,) = summarise(table(rows)).groups
    assert (group.measurements, group.executions, group.executions_per_measurement) == (1, 4, 4)
    assert (group.count, group.rate) == (10, 10)
    assert (group.cells[0].repetitions, group.cells[0].executions) == (1, 4)


def test_the_steady_rate_leaves_out_the_first_batch():
    one = row(images=10, seconds=3, first_batch_images=2, first_batch_seconds=1)
    (group,) = summarise(table([one])).groups
    assert group.steady_rate == 4
    assert group.rate == pytest.approx(10 / 3)
    assert group.first_seconds == 1


def test_the_steady_rate_is_a_sum_over_a_sum_and_skips_single_batches():
    slow = row(images=10, seconds=5, first_batch_images=2, first_batch_seconds=1)  # 8 images in 4 s
    fast = row(images=10, seconds=2, first_batch_images=2, first_batch_seconds=1)  # 8 images in 1 s
    single = row(images=2, seconds=3, first_batch_images=2, first_batch_seconds=1)
    assert steady_rate(table([slow, fast, single])) == pytest.approx(16 / 5)
    assert steady_rate(table([single, {"images": 3, "seconds": 1}])) is None


def test_readers_and_cells_are_sorted_as_numbers():
    summary = summarise(table(grid(sizes=(16, 2, 8), numbers=(12, 3))))
    assert [group.name for group in summary.groups] == ["image_files", "tfrecords"]
    cells = [tuple(cell.at.values()) for cell in summary.groups[0].cells]
    assert cells == [(2, 3), (2, 12), (8, 3), (8, 12), (16, 3), (16, 12)]


def test_spread_within_cells_is_told_apart_from_spread_over_cells():
    (group,) = summarise(table(grid(readers=("tfrecords",), noise=0))).groups
    assert group.repetition_spread == pytest.approx(0)
    assert group.spread is not None
    assert group.spread > 0.5


def test_measurements_that_were_discarded_are_counted():
    (group,) = summarise(table([row(discarded=2), row(repetition=2), row(repetition=3, discarded=1)])).groups
    assert (group.measurements, group.discarded) == (3, 3)


def test_reused_files_count_as_images_but_claim_no_rate():
    (group,) = summarise(table([written(0, None), written(1, None)], "write_shards")).groups
    assert (group.name, group.reused, group.count, group.bytes) == ("write_shards", 2, 92, 92 * 20_000)
    assert (group.rate, group.seconds, group.spread, group.cells) == (None, 0, None, ())


def test_a_partly_reused_data_set_is_rated_by_what_was_written():
    (group,) = summarise(table([written(0, None), written(1, 2.0), written(2, 3.0, images=54)])).groups
    assert (group.count, group.timed_count, group.rate) == (146, 100, 20)


def test_an_unknown_entrypoint_gets_the_median_and_n_of_each_numeric_column():
    rows: list[dict[str, Any]] = [
        {"latency_ms": 1, "host": "a", "ok": True},
        {"latency_ms": 5.5, "seconds": 3},
        {"latency_ms": 2, "note": [1], "pid": 4, "repetition": 2},
    ]
    (group,) = summarise(table(rows, "ping")).groups
    assert group.name == "ping"
    columns = {name: (column.n, column.median) for name, column in group.columns.items()}
    assert columns == {"latency_ms": (3, 2), "seconds": (1, 3)}


def test_what_a_rate_stands_for_is_not_told_twice():
    assert list(summarise(table([row(decode_ms=3)])).groups[0].columns) == ["decode_ms"]


def test_no_rows_make_no_groups():
    assert summarise(table([])).groups == ()


def test_only_later_executions_claim_nothing():
    (group,) = summarise(table([row(execution=2)])).groups
    assert (group.measurements, group.executions, group.rate) == (0, 1, None)


def test_the_summary_is_plain_data():
    rows = [*grid(), written(0, None), {"x": float("nan"), "images": float("inf"), "seconds": 0}]
    plain = summarise(table(rows)).plain()
    assert json.loads(json.dumps(plain, allow_nan=False))["groups"][0]["name"] == "image_files"


def test_groups_and_cells_have_intervals_that_their_repetitions_explain():
    (group,) = summarise(table(grid(readers=("tfrecords",), repetitions=7, noise=0.05))).groups
    assert group.low is not None
    assert group.high is not None
    assert group.value is not None
    assert group.value == group.steady_rate
    assert group.low < group.value < group.high < 1.06 * group.low
    for cell in group.cells:  # of seven values, the second and the last but one would hold the median in 87.5 % only
        assert (cell.median_low, cell.median_high) == (cell.min_rate, cell.max_rate)


def test_what_was_measured_once_has_no_interval():
    (group,) = summarise(table([row()])).groups
    assert (group.low, group.high, group.cells[0].median_low, group.steady_state) == (None, None, None, None)


def test_a_steady_state_is_recorded():
    rows = grid(readers=("tfrecords",))
    assert summarise(table(rows)).groups[0].steady_state is True
    for one in rows:
        one["seconds"] *= 1.2 ** one["repetition"]
    assert summarise(table(rows)).groups[0].steady_state is False


def test_stopped_measurements_are_counted_and_have_no_rate():
    rows = [row(images=100, seconds=1), row(repetition=2, images=None, seconds=60, censored=True)]
    rows += [row(size=8, images=None, seconds=60, censored=True), row(size=8, images=7, seconds=60, censored=True)]
    (group,) = summarise(table(rows)).groups
    assert (group.measurements, group.censored, group.seconds, group.rate) == (4, 3, 1, 100)
    one, other = group.cells
    assert (one.repetitions, one.censored, one.rate, one.max_rate) == (2, 1, 100, 100)
    assert (other.repetitions, other.censored, other.rate, other.seconds) == (2, 2, None, 0)


def test_further_columns_are_results_unless_the_experiment_says_otherwise():
    found = [row(page_cache_fraction=1.0, partition=3, files_opened=4)]
    (group,) = summarise(table(found)).groups
    assert [*group.columns] == ["files_opened"]
    (other,) = summarise(table(found, "another")).groups
    assert [*other.columns] == ["files_opened", "page_cache_fraction", "partition"]
