"""The launcher is killed at random moments: whatever it was doing, resuming or cleaning up leaves no cluster."""

from __future__ import annotations

import random
import time

import pytest

from tests.cloud.marked import RUNS, Marked, until

pytestmark = [pytest.mark.spark, pytest.mark.long]

KILLS = 30
PHASES = ("CreateCluster", "SubmitJob", "GetJob", "DeleteCluster")  # create, submit, run, delete
WINDOW = 1.5  # seconds after the first call of the phase within which the kill comes


@pytest.fixture
def slowly(cloud):
    """Each call of a phase takes a while before and after it takes effect, so that kills fall into it, too."""
    for method in PHASES:
        for after in (False, True):
            cloud.slow(method, 0.3, after=after)
    yield
    for method in PHASES:
        for after in (False, True):
            cloud.slow(method, 0.0, after=after)


@pytest.mark.parametrize("seed", range(KILLS))
def test_no_cluster_is_left(tmp_path, cloud, slowly, seed):
    chance = random.Random(seed)
    phase, moment, mends = PHASES[seed % len(PHASES)], chance.uniform(0, WINDOW), chance.choice(["resume", "cleanup"])
    marked = Marked(tmp_path, cloud)
    try:
        launcher = marked.launch()
        marked.release()
        until(lambda: bool(cloud.requests(phase)) or launcher.poll() is not None)
        time.sleep(moment)  # the kill comes at any moment: none is right or wrong
        launcher.kill()
        launcher.wait()
        answer = marked(mends, *([marked.sweep] if mends == "resume" else []))
        assert answer.code == 0, answer.err
        if mends == "resume":
            assert marked.finished() == {"FINISHED": RUNS}
            assert sorted(marked.marks) == [str(run) for run in range(RUNS)], "no run is made twice"
    finally:
        marked.close()
    counts = cloud.counts()
    assert (counts.leaked, counts.batches_active) == (0, 0), (phase, moment, mends)
    assert counts.created == counts.deleted <= 1, (phase, moment, mends)
