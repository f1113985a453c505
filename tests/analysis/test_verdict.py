import json
from dataclasses import replace

import pytest

from flowerexp.analysis.repetitions import drift, outliers
from flowerexp.analysis.verdict import judge, others_cpu
from flowerexp.measurements.loading import load
from tests.analysis.rows import READ_SPEED, grid, row, table, written


def test_a_clean_run_is_valid():
    assert judge(table(grid())).state == "valid"
    assert judge(table(grid())).reasons == ()


def test_reused_files_and_foreign_rows_are_valid():
    assert judge(table([written(0, None), written(1, 0.5)])).state == "valid"
    assert judge(table([written(0, 0.1), written(1, 3), written(2, 90)])).state == "valid"  # partitions, no repetitions
    assert judge(table([{"latency_ms": 3}, {"latency_ms": 900}])).state == "valid"


def test_rows_of_two_kinds_are_not_held_against_each_other(tmp_path):
    """A row that has no time at all is no measurement that was not timed."""
    rows = [row(others_cpu_percent=1.0, load_before=8.0), {"kind": "shuffle", "bytes": 7}]
    assert judge(table(rows)).state == "valid"
    path = tmp_path / "measurements.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    assert judge(load(path, replace(READ_SPEED, name="mine"))).state == "valid"
    assert judge(table([rows[0], {**rows[1], "seconds": None}])).reasons == ("1 of 2 measurements were not timed",)
    assert judge(table([*rows, row(load_before=8.0)])).state == "suspect"  # which does not say what others used


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "the run has no measurements"),
        ([row(images=0), row()], "1 of 2 measurements have no images"),
        ([row(), row(execution=2, images=0)], "1 of 2 measurements have no images"),
        ([row(seconds=0.0)], "1 of 1 measurements took no time: the clock cannot be trusted"),
        ([row(seconds=-1)], "1 of 1 measurements took no time: the clock cannot be trusted"),
        ([row(seconds=float("nan"))], "1 of 1 measurements took no time: the clock cannot be trusted"),
        ([row(execution=2)], "no first executions among the 1 measurements"),
    ],
)
def test_invalid(rows, reason):
    assert judge(table(rows)).state == "invalid"
    assert judge(table(rows)).reasons == (reason,)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [row(repetition=again, seconds=seconds) for again, seconds in enumerate((1, 4, 2), start=1)],
            "repetitions of a cell disagree: the middle half of their rates spans 75% of the median",
        ),
        (
            [row(neighbours=2), row(neighbours=0), row(neighbours=1)],
            "2 of 3 measurements overlapped others on their host, at most 2 each",
        ),
        (
            [row(page_cache="unknown"), row()],
            "whether the page cache was warm is unknown for 1 of 2 measurements",
        ),
        (
            [row(page_cache="cold"), row(repetition=2), row(size=4), row(size=4, repetition=2)],
            "the page cache was cold in some repetitions and warm in others, in 1 of 2 cells",
        ),
        ([row(seconds=None), row()], "1 of 2 measurements were not timed"),
    ],
)
def test_suspect(rows, reason):
    assert judge(table(rows)).state == "suspect"
    assert judge(table(rows)).reasons == (reason,)


def test_cold_and_warm_cells_are_not_mixed_repetitions():
    assert judge(table([row(page_cache="cold"), row(size=4), row("image_files", page_cache="cold")])).state == "valid"


def test_a_noisy_cell_among_quiet_ones_is_not_a_wide_spread():
    rows = grid(noise=0.01)
    rows[0]["seconds"] *= 9
    assert judge(table(rows)).state == "valid"


def test_later_executions_are_not_held_against_a_run():
    assert judge(table([row(), row(execution=2, page_cache="cold", neighbours=1, seconds=9)])).state == "valid"


def test_all_reasons_are_told_the_worst_first():
    verdict = judge(table([row(neighbours=1), row(repetition=2, images=0)]))
    assert verdict.state == "invalid"
    assert [reason.split()[4] for reason in verdict.reasons] == ["have", "overlapped"]


def drifting(by, noise=0.03):
    """A grid whose every repetition is slower than the one before, by a share."""
    rows = grid(repetitions=4, noise=noise)
    for one in rows:
        one["seconds"] *= (1 + by) ** (one["repetition"] - 1)
    return rows


def test_rates_that_fall_from_repetition_to_repetition_are_no_steady_state():
    found = drift(table(drifting(0.08)))
    assert found is not None
    assert found.change == pytest.approx(1 / 1.08**3 - 1, abs=0.02)
    assert judge(table(drifting(0.08))).reasons == (
        "no steady state: the last repetition is 21% slower than the first",
    )
    assert "faster than the first" in judge(table(drifting(-0.06))).reasons[0]


def test_chance_and_small_changes_are_no_drift():
    assert judge(table(drifting(0))).state == "valid"
    assert judge(table(drifting(0.02))).state == "valid"  # 6 % in all, and certain
    noisy = [row(repetition=again, seconds=seconds) for again, seconds in enumerate((1.0, 1.05, 0.9, 0.9), start=1)]
    assert judge(table(noisy)).state == "valid"
    assert drift(table(noisy[:2])) is None
    assert drift(table([{"latency_ms": 3}])) is None


def test_certain_drift_without_any_noise_is_found():
    found = drift(table([row(repetition=again, seconds=2.0**again) for again in (1, 2, 3)]))
    assert found is not None
    assert [found.change, found.chance] == [pytest.approx(-0.75), pytest.approx(0, abs=1e-6)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"load_before": 2.5},
            "other processes were at work on the host of 1 of 2 measurements: the load average",
        ),
        ({"load_before": 1.6, "host_cores": 2}, "other processes were at work on the host"),
        (
            {"others_cpu_percent": 21.0},
            "other processes, including flowerexp and Spark, used 21% of the CPU of a during the measurements",
        ),
        ({"warm_up_steady": False}, "1 of 1 measurements were made by processes that were still getting faster"),
        ({"first_batch_seconds": 9.0}, "in 1 of 3 measurements the first batch took longer than all of them"),
        ({"started_at": 1e9 + 1.5, "started_ns": 0}, "a host's clock was set during the run, by 1.5 s"),
    ],
)
def test_the_state_of_the_host_makes_a_run_suspect(more, reason):
    quiet = row(repetition=2, load_before=0.4, started_at=1e9 + 7, started_ns=7_000_000_000)
    verdict = judge(table([row(**more), quiet, row(repetition=3)]))
    assert verdict.state == "suspect"
    assert verdict.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    "more",
    [
        {"load_before": 5.0, "host_cores": 16},
        {"load_before": 1.5, "host_cores": 2},
        {"load_before": None},
        {"load_before": 2.0},
        {"others_cpu_percent": 20.0},
    ],
)
def test_a_load_that_a_host_can_bear_is_no_reason(more):
    assert judge(table([row(**more)])).state == "valid"


def test_what_others_used_is_weighed_by_time_and_told_instead_of_a_load_that_lags():
    """Short measurements are rough: one of them says nothing, all of them together do."""
    rows = [row(seconds=0.1, others_cpu_percent=90.0, load_before=8.0), row(others_cpu_percent=-5.0, seconds=2.0)]
    assert judge(table([one | {"repetition": None} for one in rows])).state == "valid"
    crowded = judge(
        table([row(host=host, others_cpu_percent=share) for host, share in (("a", 60), ("b", 30), ("c", 1))])
    )
    assert crowded.reasons == (
        "other processes, including flowerexp and Spark, used 60% of the CPU of a during the measurements, "
        "and over 20% on 1 other host",
    )
    assert judge(table([row(others_cpu_percent=21.0)])).reasons[0].endswith("during the measurements")


def test_ones_own_measurements_at_the_same_time_are_no_other_processes():
    assert [*judge(table([row(neighbours=1, others_cpu_percent=50.0)])).reasons] == [
        "1 of 1 measurements overlapped others on their host, at most 1 each"
    ]


def test_clocks_of_different_hosts_need_not_agree():
    hosts = [row(host=host, started_at=1e9 + away, started_ns=0) for host, away in (("a", 0), ("b", 500)) * 2]
    assert judge(table(hosts)).state == "valid"


def test_an_outlier_is_flagged_and_stays():
    rows = grid()
    rows[5]["seconds"] *= 2
    (flagged,) = outliers(table(rows))
    assert {key: flagged[key] for key in ("reader", "batch_size", "batch_number", "repetition")} == {
        key: rows[5][key] for key in ("reader", "batch_size", "batch_number", "repetition")
    }
    assert flagged["images_per_second"] == rows[5]["images"] / rows[5]["seconds"]
    assert outliers(table(grid())) == []
    assert outliers(table(grid(noise=0.3))) == []  # all are far apart, so none is


def test_the_least_differences_are_no_outliers():
    rows = grid(noise=0.0001)
    rows[5]["seconds"] *= 1.05
    assert outliers(table(rows)) == []


def stopped(**more):
    return row(**more) | {"images": None, "seconds": 60.0, "censored": True}


def test_measurements_that_were_discarded_and_made_again_are_valid():
    assert judge(table([row(discarded=2), row()])).state == "valid"


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ((1, None), "1 of 2 measurements were made with 1 executor fewer than the cluster should have"),
        ((1, 3), "2 of 2 measurements were made with up to 3 executors fewer than the cluster should have"),
    ],
)
def test_measurements_of_a_smaller_cluster_make_a_run_suspect(lacking, reason):
    rows = [row() if count is None else row(executors_lacking=count) for count in lacking]
    assert judge(table(rows)).reasons == (reason,)


def test_stopped_measurements_make_a_run_suspect():
    verdict = judge(table([row(), row(repetition=2), stopped(repetition=3)]))
    assert verdict.state == "suspect"
    assert verdict.reasons == (
        "1 of 3 measurements reached measure.max_seconds and were stopped: rates are those of the others",
    )


def test_cells_without_any_finished_measurement_are_named():
    verdict = judge(table([row(), stopped(size=8), stopped(size=8, repetition=2)]))
    (reason,) = verdict.reasons
    assert reason.endswith("no measurement finished in tfrecords batch_size=8 batch_number=3")
    (reason,) = judge(table([stopped(), row(size=8), row(size=9)])).reasons
    assert reason.endswith("no measurement finished in tfrecords batch_size=2 batch_number=3")
    several = judge(table([stopped(size=size) for size in range(1, 8)]))
    assert several.state == "suspect"
    assert several.reasons[0].endswith("batch_size=5 batch_number=3 and 2 more")


@pytest.mark.parametrize(("seconds", "share"), [((1.0, 1.8, 1.3), "29%"), ((1.0, 2.0), "33%")])
def test_a_spread_just_above_the_limit_is_a_reason(seconds, share):
    verdict = judge(table([row(repetition=place, seconds=each) for place, each in enumerate(seconds, start=1)]))
    assert verdict.reasons == (
        f"repetitions of a cell disagree: the middle half of their rates spans {share} of the median",
    )


def test_the_highest_load_average_is_named():
    (reason,) = judge(table([row(load_before=load) for load in (2.5, 3.5, 0.1)])).reasons
    assert reason.endswith("the host of 2 of 3 measurements: the load average before them was up to 3.5")


def test_other_processes_are_counted_on_hosts_without_a_name_and_not_without_time():
    (reason,) = judge(table([row(host=None, others_cpu_percent=50.0)])).reasons
    assert "used 50% of the CPU of an unknown host" in reason
    assert others_cpu(table([row(seconds=0.0, others_cpu_percent=50.0), row(host="b", others_cpu_percent=1.0)])) == {
        "b": pytest.approx(1.0)
    }


def test_several_busy_hosts_are_counted():
    (reason,) = judge(table([row(host=host, others_cpu_percent=50.0) for host in "abc"])).reasons
    assert reason.endswith(", and over 20% on 2 other hosts")


def test_a_stopped_measurement_without_seconds_is_not_one_that_was_not_timed():
    (reason,) = judge(table([row(), stopped(repetition=2) | {"seconds": None}])).reasons
    assert "measure.max_seconds" in reason


def test_a_measurement_of_one_part_takes_as_long_as_its_first():
    one = row(size=1, number=1)
    assert one["seconds"] == one["first_batch_seconds"]
    assert judge(table([one])).state == "valid"


def test_clocks_of_a_host_may_part_by_less_than_a_second():
    clocks = [row(started_at=1e9, started_ns=0), row(repetition=2, started_at=1e9 + 7.5, started_ns=7_000_000_000)]
    assert judge(table(clocks)).state == "valid"
