"""Runs of tiny experiments on a real Spark, in the driver and on executors, also with failures."""

import itertools
import json
import os
import random
import re
import signal
import time
from collections import Counter

import pytest

from flowerexp.errors import DataError, JobError
from flowerexp.workload import failures, host, slots
from flowerexp.workload.engine import on_executors
from flowerexp.workload.engine.until import FEWEST
from tests.workload.engine.tiny import GRID, config, make, slept, workload

pytestmark = pytest.mark.spark

LONG = 60.0  # nothing lasts as long, since the limit ends it


def count(prepared, cell):
    """A measurement on anything."""
    return {"things": cell["size"], "double": 2 * cell["size"]}


def nothing(spark, config):
    return None


def jobs_of(spark):
    """How many Spark jobs there were so far."""
    return spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs()


@pytest.fixture(params=["driver", "executor"])
def where(request):
    return request.param


class TestBoth:
    def test_every_cell_and_repetition_once_in_its_order(self, spark, where, tmp_path, told):
        rows = make(spark, config(where=where), workload(count, nothing), tmp_path)
        assert [row["order"] for row in rows] == list(range(12))
        assert Counter((row["kind"], row["size"]) for row in rows) == {
            (kind, size): 2 for kind in GRID["kind"] for size in GRID["size"]
        }
        for row in rows:
            assert (row["things"], row["double"]) == (row["size"], 2 * row["size"])
            assert (row["execution"], row["attempt"], row["neighbours"], row["censored"]) == (1, 1, 0, False)
            assert row["seconds"] > 0
        assert (told.facts["measurements"], told.facts["executions"]) == (12, 12)
        assert {"prepare", "warm_up", "measure"} <= told.phases.keys()

    def test_the_order_is_the_same_in_both_and_that_of_the_seed(self, spark, where, tmp_path):
        rows = make(spark, config(where=where, seed=3), workload(count, nothing), tmp_path)
        started = sorted(rows, key=lambda row: row["started_at"])
        if where == "driver":
            assert [row["order"] for row in started] == list(range(12))
        expected = list(itertools.product(*GRID.values()))
        random.Random(3).shuffle(expected)
        assert [(row["kind"], row["size"]) for row in rows[:6]] == expected

    def test_it_warms_up(self, spark, where, tmp_path):
        of = workload(lambda prepared, cell: slept(0.002, cell["size"]), nothing)
        rows = make(spark, config(where=where, warm_up_seconds=60.0), of, tmp_path)
        assert all(4 <= row["warm_ups"] <= 20 for row in rows)

    def test_hooks_are_given_what_they_are_promised(self, spark, where, tmp_path):
        of = workload(
            lambda ready, cell: {"things": ready["prepared"], "seed": f"{ready['seed']} {cell.repetition}"},
            lambda spark, config: config["grid"]["size"][-1],
            ready=lambda prepared, cell: {"prepared": prepared, "seed": cell.seed},
            possible=lambda prepared, cell: None if cell["size"] < prepared else "it is the largest",
            warm=lambda prepared, cell: None,
            warmth=lambda prepared, cell: cell["kind"],
        )
        rows = make(spark, config(where=where, warm_up_seconds=1.0), of, tmp_path)
        assert {row["size"] for row in rows} == {1, 2}
        assert {row["things"] for row in rows} == {3}
        assert len({row["seed"] for row in rows}) == 4

    def test_rows_before_a_failure_are_kept(self, spark, where, tmp_path):
        def fails(prepared, cell):
            return 1 if cell["size"] < 15 else 1 // 0

        rows: list[dict[str, object]] = []
        with pytest.raises(Exception, match="division") as caught:
            make(
                spark, config({"size": list(range(20))}, where, repetitions=3), workload(fails, nothing), tmp_path, rows
            )
        assert failures.explained(caught.value).problem.startswith("ZeroDivisionError")
        assert {row["things"] for row in rows} <= {1}

    @pytest.mark.parametrize("result", [{"thing": 1}, 0], ids=["no count", "nothing counted"])
    def test_what_is_no_result_names_experiment_and_cell(self, spark, where, tmp_path, result):
        with pytest.raises(Exception, match="measure returned") as caught:
            make(spark, config({"size": [7]}, where), workload(lambda prepared, cell: result, nothing), tmp_path)
        error = failures.explained(caught.value)
        assert type(error) is JobError
        assert re.match(rf"tiny: measure returned {result} for size=7, repetition \d, which ", error.problem)

    def test_data_that_can_be_mended_is_and_nothing_is_measured_twice(self, spark, where, tmp_path):
        (tmp_path / "state").write_text("damaged")

        def reads(prepared, cell):
            (tmp_path / f"{cell['size']} {cell.repetition} {time.perf_counter_ns()}").touch()
            if cell["size"] == 2 and (tmp_path / prepared).read_text() == "damaged":
                raise DataError("it is damaged")
            return cell["size"]

        def recover(spark, config, prepared, error):
            assert (prepared, error.problem) == ("state", "it is damaged")
            (tmp_path / "mended").write_text("whole")
            return "mended"

        of = workload(reads, lambda spark, config: "state", recover=recover)
        rows = make(spark, config({"size": [1, 2, 3]}, where, repetitions=3), of, tmp_path / "output")
        assert Counter(row["size"] for row in rows) == {1: 3, 2: 3, 3: 3}
        assert [row["order"] for row in rows] == list(range(9))
        # A task beside the one that failed may be given up, and is measured again; one whose row has arrived never is.
        begun = sorted(tuple(map(int, path.name.split())) for path in tmp_path.glob("? ? *"))
        last = {(size, repetition): when for size, repetition, when in begun}
        for row in rows:
            assert row["started_ns"] <= last[row["size"], row["repetition"]] <= row["ended_ns"]

    def test_what_cannot_be_mended_fails_with_its_own_error(self, spark, where, tmp_path):
        def refuses(prepared, cell):
            raise DataError("it is damaged", where="dataset")

        asked: list[Exception] = []
        of = workload(refuses, nothing, recover=lambda spark, config, prepared, error: asked.append(error))
        with pytest.raises(Exception, match="it is damaged"):
            make(spark, config(where=where), of, tmp_path)
        assert [type(error) for error in asked] == [DataError]

    def test_nothing_is_left_to_measure(self, spark, where, tmp_path, told):
        made = config(where=where)
        rows = make(spark, made, workload(count, nothing), tmp_path)
        again = make(spark, made, workload(count, nothing), tmp_path, earlier=[str(tmp_path / "rows")])
        assert again == rows
        assert told.notes[-1].startswith("12 rows of earlier attempts are kept")


class TestUntil:
    """A run goes on until its cells are known; the value of these cells is what `measure` says it is."""

    def of(self):
        """Size 1 says the same each time, and size 2 needs some more: 1 + 0.3 / (its repetition) is steadier later."""
        return workload(
            lambda prepared, cell: {"things": 1, "loss": 1.0 if cell["size"] == 1 else 1 + 0.3 / cell.repetition},
            nothing,
        )

    def config(self, where, **changes):
        return config({"size": [1, 2]}, where, value={"name": "loss"}, until=0.04, **changes)

    @pytest.mark.parametrize("caching", [True, False])
    def test_rounds_follow_until_all_is_known(self, spark, where, tmp_path, told, caching):
        rows = make(spark, self.config(where, caching=caching), self.of(), tmp_path)
        firsts = [row for row in rows if row["execution"] == 1]
        made = Counter(row["size"] for row in firsts)
        assert made[1] == FEWEST < made[2]
        assert [row["order"] for row in firsts] == list(range(len(firsts)))
        assert [row["repetition"] for row in firsts if row["size"] == 2] == list(range(1, made[2] + 1))
        assert told.facts["until_rounds"] == made[2] - FEWEST
        assert told.facts["measurements"] == len(firsts)
        assert told.notes == []
        again = {} if caching or where == "driver" else dict.fromkeys(range(2, 4), len(firsts))
        assert Counter(row["execution"] for row in rows) == {1: len(firsts)} | again

    def test_a_budget_ends_it_and_the_rest_is_named(self, spark, where, tmp_path, told):
        rows = make(spark, self.config(where, until_seconds=0.001), self.of(), tmp_path)
        assert Counter(row["size"] for row in rows) == {1: FEWEST, 2: FEWEST}
        assert told.facts["cells_wide"] == 1
        (note,) = told.notes
        assert note.startswith("1 of 2 cells are not known to 4 % after measure.until_seconds")

    def test_a_later_attempt_goes_on_with_the_rounds(self, spark, where, tmp_path, told):
        whole = make(spark, self.config(where), self.of(), tmp_path / "whole")
        (tmp_path / "rows").mkdir()
        lines = [json.dumps(row) + "\n" for row in whole if row["repetition"] <= FEWEST + 1]
        (tmp_path / "rows" / "00001.jsonl").write_text("".join(lines))
        rows = make(spark, self.config(where), self.of(), tmp_path, earlier=[str(tmp_path / "rows")])
        assert [(row["size"], row["repetition"], row["order"]) for row in rows] == [
            (row["size"], row["repetition"], row["order"]) for row in whole
        ]
        assert Counter(row["attempt"] for row in rows) == {1: len(lines), 2: len(whole) - len(lines)}

    def test_a_cell_that_takes_too_long_is_left_as_it_is(self, spark, where, tmp_path, told):
        of = workload(lambda prepared, cell: {"things": slept(LONG if cell["size"] == 2 else 0, 1), "loss": 1}, nothing)
        rows = make(spark, self.config(where, max_seconds=0.3), of, tmp_path)
        assert Counter(row["size"] for row in rows) == {1: FEWEST, 2: 1}
        assert told.facts["cells_wide"] == 0

    def test_progress_counts_what_is_known_so_far(self, spark, where, tmp_path, capsys):
        make(spark, self.config(where), self.of(), tmp_path)
        lines = [json.loads(line)["flowerexp"] for line in capsys.readouterr().out.splitlines() if "done" in line]
        counts = [
            (line["done"], line["total"]) for line in lines if line["phase"].startswith("measure") and line["total"]
        ]
        assert len({total for _, total in counts}) > 1  # it grows with the rounds
        assert all(done <= total for done, total in counts)
        assert [done for done, _ in counts] == sorted(done for done, _ in counts)


class TestLimit:
    """A cell that takes too long is stopped, and the run goes on."""

    def censored(self, rows):
        return {(row["size"], row["repetition"]): row["censored"] for row in rows}

    def test_in_python(self, spark, where, tmp_path, told):
        of = workload(lambda prepared, cell: slept(LONG if cell["size"] == 2 else 0.001, cell["size"]), nothing)
        rows = make(spark, config({"size": [1, 2]}, where, repetitions=3, max_seconds=0.5), of, tmp_path)
        assert self.censored(rows) == {(1, 1): False, (1, 2): False, (1, 3): False, (2, 1): True}
        (stopped,) = (row for row in rows if row["censored"])
        assert stopped["things"] is None
        assert 0.5 <= stopped["seconds"] < LONG / 2
        (note,) = told.notes
        assert note.endswith("their other repetitions are left out: size=2")

    def test_all_of_them(self, spark, where, tmp_path, told):
        of = workload(lambda prepared, cell: time.sleep(LONG), nothing)
        rows = make(spark, config({"size": [1, 2]}, where, max_seconds=0.1), of, tmp_path)
        assert self.censored(rows) == {(1, 1): True, (2, 1): True}

    def test_also_while_warming_up(self, spark, where, tmp_path):
        of = workload(lambda prepared, cell: time.sleep(LONG), nothing)
        rows = make(spark, config({"size": [1]}, where, max_seconds=0.1, warm_up_seconds=LONG), of, tmp_path)
        assert [(row["warm_ups"], row["warm_up_steady"]) for row in rows] == [(1, None)]

    @pytest.mark.parametrize("way", ["rdd", "sql"])
    def test_in_a_spark_job_which_is_cancelled(self, spark, tmp_path, way):
        def measure(spark, cell):
            if way == "rdd":
                wait = LONG if cell["size"] == 2 else 0
                return spark.sparkContext.parallelize([1] * 2, 2).map(lambda item: slept(wait, item)).count()
            return spark.range(10**15 if cell["size"] == 2 else 10).selectExpr("sum(id % 7)").collect()[0][0]

        measure(spark, {"size": 1})  # the first job takes longer
        rows = make(spark, config({"size": [1, 2]}, max_seconds=8.0, warm_up_seconds=0.1), workload(measure), tmp_path)
        assert self.censored(rows) == {(1, 1): False, (1, 2): False, (2, 1): True}
        assert all(8.0 <= row["seconds"] < LONG for row in rows if row["censored"])
        assert next(row["warm_ups"] for row in rows if row["size"] == 1) >= 1
        assert spark.range(5).count() == 5  # the connection to Java is whole
        deadline = time.monotonic() + LONG
        while spark.sparkContext.statusTracker().getActiveJobsIds():
            assert time.monotonic() < deadline


class TestDriver:
    def test_each_measurement_is_a_job_group_of_its_own(self, spark, tmp_path):
        groups = []

        def measure(spark, cell):
            groups.append(spark.sparkContext.getLocalProperty("spark.jobGroup.id"))
            return spark.sparkContext.parallelize(range(cell["size"]), 2).count()

        make(spark, config(), workload(measure), tmp_path)
        assert len(set(groups)) == len(groups) == 12
        assert all(spark.sparkContext.statusTracker().getJobIdsForGroup(group) for group in groups)
        assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") is None

    @pytest.mark.parametrize("caching", [True, False])
    def test_what_is_prepared_is_cached_or_not(self, spark, tmp_path, caching):
        seen = []

        def measure(prepared, cell):
            seen.append((prepared["frame"].storageLevel.useMemory, prepared["more"][0].is_cached))
            return prepared["frame"].count()

        def prepare(spark, config):
            return {"frame": spark.range(9).cache(), "more": [spark.sparkContext.parallelize([1]).cache()]}

        make(spark, config({"size": [1]}, caching=caching), workload(measure, prepare), tmp_path)
        assert set(seen) == {(caching, caching)}
        assert not spark.sparkContext._jsc.getPersistentRDDs()

    def test_java_and_python_workers_are_no_other_processes(self, spark):
        def burn(_):
            start = time.process_time()
            sum(range(3 * 10**7))
            return time.process_time() - start

        family = host.Family(spark.sparkContext)
        before = host.snapshot(family)
        burnt = sum(spark.sparkContext.parallelize(range(2), 2).map(burn).collect())
        after = host.snapshot(family)
        assert before
        assert after
        assert after.own - before.own > 0.9 * burnt > 0.1
        # Of what others did on a busy machine, nothing is known here; but own work is not theirs.
        found = host.between(before, after)["others_cpu_percent"] or 0
        others = (after.busy - before.busy) - (after.own - before.own)
        assert found / 100 * (after.at - before.at) * after.cores == pytest.approx(others)

    def test_the_slot_is_held_while_measuring(self, spark, tmp_path, monkeypatch):
        held = []

        def measure(spark, cell):
            with open(slots.folder() / "slot-0.lock") as file:  # noqa: PTH123
                held.append(not slots._try(file.fileno()))
            return 1

        make(spark, config({"size": [1]}), workload(measure), tmp_path)
        assert held == [True, True]


class TestExecutors:
    @pytest.mark.parametrize("products", [[], [["size", "width"]]])
    def test_without_caching_every_action_measures_again(self, spark, tmp_path, told, products):
        made = config({"size": [1, 2], "width": [1]}, "executor", caching=False, products=products)
        rows = make(spark, made, workload(count, nothing), tmp_path)
        actions = ["rows", "by_size", "by_width", "by_repetition", *(["by_size_x_width"] if products else [])]
        assert Counter(row["execution"] for row in rows) == dict.fromkeys(range(1, len(actions) + 1), 4)
        assert [name for name in told.phases if name.startswith("measure.")] == [
            f"measure.{action}" for action in actions
        ]
        for order in range(4):
            mine = [row for row in rows if row["order"] == order]
            assert mine == sorted(mine, key=lambda row: row["started_ns"])
        assert (told.facts["measurements"], told.facts["executions"]) == (4, 4 * len(actions))

    def test_a_run_is_as_many_jobs_as_it_has_actions(self, spark, tmp_path):
        before = jobs_of(spark)
        make(spark, config({"size": [1, 2]}, "executor", warm_up_seconds=1.0), workload(count, nothing), tmp_path)
        assert jobs_of(spark) - before == 3

    def test_workers_load_what_they_need_side_by_side_once_an_application(self, spark, tmp_path, monkeypatch):
        monkeypatch.setattr(on_executors, "_warmed", set())
        of = workload(count, nothing, warm=lambda prepared, cell: None, warmth=lambda prepared, cell: cell["kind"])
        for jobs in (5, 4):
            before = jobs_of(spark)
            made = config(where="executor", warm_up_seconds=1.0)
            make(spark, made, of, tmp_path / str(jobs))
            assert jobs_of(spark) - before == jobs - 1

    def test_what_cannot_be_sent_is_a_clear_error(self, spark, tmp_path):
        of = workload(count, lambda spark, config: spark.sparkContext.parallelize([1]))
        with pytest.raises(JobError, match=r"^entrypoint\.where: tiny: what prepare returned cannot be sent"):
            make(spark, config(where="executor"), of, tmp_path)

    def test_later_executions_leave_out_what_takes_too_long(self, spark, tmp_path):
        of = workload(lambda prepared, cell: slept(LONG if cell["size"] == 2 else 0, 1), nothing)
        made = config({"size": [1, 2]}, "executor", caching=False, max_seconds=0.3)
        rows = make(spark, made, of, tmp_path)
        assert Counter((row["size"], row["execution"]) for row in rows) == {(1, 1): 2, (1, 2): 2, (1, 3): 2, (2, 1): 1}

    def test_a_worker_that_is_killed_is_no_data_to_mend(self, spark, tmp_path):
        of = workload(
            lambda prepared, cell: os.kill(os.getpid(), signal.SIGKILL),
            nothing,
            recover=lambda *_: pytest.fail("asked to recover"),
        )
        with pytest.raises(Exception, match="worker"):
            make(spark, config(where="executor"), of, tmp_path)

    def test_rows_are_plain(self, spark, tmp_path):
        json.dumps(make(spark, config(where="executor"), workload(count, nothing), tmp_path), allow_nan=False)
