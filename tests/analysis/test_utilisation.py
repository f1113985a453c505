import numpy as np
import pytest

from flowerexp.analysis.event_log import read
from flowerexp.analysis.utilisation import by_phase, over_time, use
from tests.analysis.events import START, cluster, executor, job, removed, task, write


def log_of(tmp_path, *events):
    return read(write(list(events), tmp_path / "events" / "app"))


@pytest.mark.parametrize(("partitions", "working", "busy"), [(2, 2, 1 / 16), (16, 16, 1 / 2)])
def test_two_partitions_leave_most_of_a_cluster_idle_and_sixteen_do_not(tmp_path, partitions, working, busy):
    log = log_of(tmp_path, *cluster(partitions))
    found = use(log, log.tasks)
    assert found is not None
    assert (found.tasks, found.executors, found.working) == (partitions, 16, working)
    assert found.busy == pytest.approx(busy, rel=0.02)
    assert found.parallel == pytest.approx(partitions, rel=0.02)
    assert found.largest == pytest.approx(1 / partitions, rel=0.02)
    assert found.seconds == pytest.approx(32 / partitions, rel=0.01)


def test_times_and_bytes_add_up(tmp_path):
    log = log_of(
        tmp_path,
        executor("1", "a", 2),
        job(0, "prepare"),
        task(0, "1", 1, 3, run=1.5, gc=0.25, remote=10, local=5, written=7),
        task(0, "1", 1, 2, run=0.994, written=1),
    )
    found = use(log, log.tasks)
    assert found is not None
    assert [found.run, found.gc, found.scheduling] == pytest.approx([2.494, 0.25, 0.494])  # 6 ms each to (de)serialise
    assert (found.shuffle_read, found.shuffle_written, found.failed) == (15, 8, 0)
    assert [found.seconds, found.parallel, found.busy] == pytest.approx([2, 1.5, 0.75])


def test_tasks_belong_to_the_run_in_whose_time_they_start_and_to_their_jobs_phase(tmp_path):
    log = log_of(
        tmp_path,
        executor("1", "a", 1),
        job(0, "prepare"),
        job(1, "measure"),
        job(2, None),
        task(0, "1", 1, 2),
        task(1, "1", 2, 4),
        task(2, "1", 4, 5),
        task(0, "1", 10, 11),
    )
    found = by_phase(log, START, START + 10)
    assert {phase: one.tasks for phase, one in found.items()} == {"prepare": 1, "measure": 1, "other": 1}
    assert list(found) == ["prepare", "measure", "other"]
    assert list(by_phase(log, START + 10, START + 20)) == ["prepare"]
    assert by_phase(log, START + 20, START + 30) == {}


def test_a_lost_executor_is_no_room_afterwards_and_its_task_has_failed(tmp_path):
    log = log_of(
        tmp_path,
        executor("1", "a", 1),
        executor("2", "b", 1),
        job(0, "measure"),
        task(0, "2", 1, 2, lost=True),
        removed("2", 2),
        task(0, "1", 3, 5),
    )
    late = use(log, log.tasks[1:])
    assert late is not None
    assert (late.executors, late.busy) == (1, 1.0)
    assert use(log, log.tasks).failed == 1  # type: ignore[union-attr]


class TestOverTime:
    def test_each_step_has_the_share_of_its_time_with_a_task(self, tmp_path):
        log = log_of(
            tmp_path,
            executor("1", "a", 2),
            executor("2", "b", 1),
            job(0, "x"),
            task(0, "1", 0, 4),
            task(0, "1", 1.5, 2.5),
            task(0, "2", 3.25, 9),
        )
        executors, share, waiting = over_time(log, START, START + 4, 4)
        assert [one.name for one in executors] == ["1", "2"]
        assert not waiting.any()
        assert share.tolist() == [pytest.approx([0.5, 0.75, 0.75, 0.5]), pytest.approx([0, 0, 0, 0.75])]

    def test_no_work_is_lost_whatever_the_steps(self, tmp_path):
        chance = np.random.default_rng(1)
        starts = chance.uniform(0, 50, 200)
        tasks = [task(0, "1", start, start + chance.uniform(0.01, 9)) for start in starts]
        log = log_of(tmp_path, executor("1", "a", 10_000), job(0, "x"), *tasks)
        work = sum(one.ended - one.started for one in log.tasks)
        for steps in (1, 7, 300):
            _, share, _ = over_time(log, START, START + 60, steps)
            assert share.sum() * 60 / steps * 10_000 == pytest.approx(work)

    def test_a_log_without_executors_has_no_rows(self, tmp_path):
        executors, share, waiting = over_time(log_of(tmp_path, job(0, "x")), START, START + 1, 5)
        assert (executors, share.shape, waiting.shape) == ([], (0, 5), (0, 5))
