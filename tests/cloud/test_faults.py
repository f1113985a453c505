"""What goes wrong in a cloud: each ends without a cluster left behind, and with a sweep that can be resumed."""

from __future__ import annotations

import json
import re
import shutil
import signal

import pytest

from flowerexp.rehearsal.cloud import FREE_TIER, Cloud
from tests.cloud.marked import HELD, RUNS, Marked, until

pytestmark = pytest.mark.spark

ALL = {"FINISHED": RUNS}


def nothing_left(cloud: Cloud) -> bool:
    counts = cloud.counts()
    return (counts.leaked, counts.batches_active) == (0, 0) and counts.created == counts.deleted


def resumed(marked: Marked) -> bool:
    """Does resuming finish the sweep, without running again what had finished, and leave nothing?"""
    before = marked.sweep.glob("*/results/measurements.jsonl")
    rows = {path: path.read_bytes() for path in before}
    answer = marked.resume()
    assert answer.code == 0, answer.err
    assert marked.finished() == ALL
    assert rows == {path: path.read_bytes() for path in rows}
    assert "traceback" not in answer.err.lower()
    return nothing_left(marked.cloud)


@pytest.mark.parametrize(
    ("method", "words", "key"),
    [
        ("CreateCluster", "Invalid zone 'us-x'", r"gcp\.zones \(.*\): creating cluster single-node-\S+: "),
        (
            "SubmitJob",
            "Invalid property 'x'",
            r"cluster\.spark( \(.*\))?: submitting a job to cluster single-node-\S+: ",
        ),
    ],
)
def test_a_refusal_is_shown_as_it_is(marked, cloud, method, words, key):
    cloud.fail_next(method, "INVALID_ARGUMENT", words, times=-1)
    answer = marked(
        *(word for word in marked.arguments()[1:] if "range" not in word and "order" not in word)
    )  # a single run
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("flowerexp: ")]
    assert re.fullmatch(f"flowerexp: {key}{re.escape(words)}", line)
    assert "driver.log" not in answer.err
    assert "ended without results" not in answer.err
    assert nothing_left(cloud)


def test_a_bucket_of_another_project_is_refused_before_anything_begins(marked, cloud):
    cloud.bucket(f"{cloud.project}-flowerexp", project="somebody-elses")
    answer = marked.sweeping()
    assert answer.code == 1
    assert "gcp.bucket: the bucket gs://flowerexp-tests-flowerexp belongs to another project" in answer.err
    assert not list(marked.path.glob("outputs/*/*"))
    assert not cloud.requests("CreateCluster")


@pytest.mark.long
def test_a_quota_that_refuses_at_the_call(marked, cloud):
    cloud.set_quota(**FREE_TIER)
    answer = marked.sweeping("cluster=eight_nodes", "quota=none")
    assert answer.code == 1
    assert "CPUS" in answer.err
    assert nothing_left(cloud)
    assert not marked.marks
    cloud.set_quota()
    assert resumed(marked)


@pytest.mark.long
def test_no_machines_in_any_zone_and_then_in_one(marked, cloud):
    cloud.stock_out_region()
    answer = marked.sweeping("cluster.zones=[us-central1-a,us-central1-b]")
    assert answer.code == 1
    assert "us-central1-b" in answer.err
    assert nothing_left(cloud)
    cloud.stock_out("us-central1-a")
    tried = len(cloud.requests("CreateCluster"))
    assert resumed(marked)
    zones = [one["cluster"]["config"]["gce_cluster_config"]["zone_uri"] for one in cloud.requests("CreateCluster")]
    assert [zone.rpartition("/")[2] for zone in zones[tried:]] == ["us-central1-a", "us-central1-b"]


@pytest.mark.long
def test_a_cluster_that_ends_in_error_is_deleted_since_it_is_billed(marked, cloud):
    cloud.fail_operation("CREATE", "INTERNAL", "Failed to initialize node")
    answer = marked.sweeping()
    assert answer.code == 1
    assert "Failed to initialize node" in answer.err
    assert cloud.counts().created == 1
    assert nothing_left(cloud)
    assert resumed(marked)


@pytest.mark.long
def test_a_job_that_fails(marked, cloud):
    cloud.fail_job(output="java.lang.OutOfMemoryError: Java heap space\n")
    answer = marked.sweeping()
    assert answer.code == 1
    assert "OutOfMemoryError" in answer.err
    assert nothing_left(cloud)
    assert resumed(marked)


@pytest.mark.long
def test_the_service_goes_away_in_the_middle_and_comes_back(marked, cloud):
    launcher = marked.start()
    cloud.restart_dataproc()
    marked.release()
    _, err = launcher.communicate(timeout=240)
    assert launcher.returncode == 0, err
    assert marked.finished() == ALL
    assert sorted(marked.marks) == ["0", "1", "2"]
    assert nothing_left(cloud)


@pytest.mark.long
def test_the_launcher_is_killed_and_its_job_found_again_and_a_spent_budget_stops_it_first(marked, cloud):
    launcher = marked.start()
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    assert cloud.counts().leaked == 1
    assert marked("resume", marked.sweep, "--budget", "1e-6").code == 1
    assert nothing_left(cloud)
    assert "the budget is used up" in str(marked.events("lost")[-1]["error"])
    assert resumed(marked)
    assert marked.marks.count("0") == 1


@pytest.mark.long
def test_the_launcher_is_killed_and_its_job_goes_on(marked, cloud):
    launcher = marked.start()
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    assert resumed(marked)
    assert sorted(marked.marks) == ["0", "1", "2"]
    assert (cloud.counts().created, cloud.counts().jobs) == (1, 1)


@pytest.mark.parametrize(
    ("method", "after", "seconds"),
    [
        ("SubmitJob", True, 4.0),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("SubmitJob", False, 4.0),  # on its way when resume begins
                ("SubmitJob", False, 20.0),  # on its way until resume is about to end
                ("CreateCluster", False, 4.0),
                ("CreateCluster", True, 4.0),
                ("GetOperation", False, 4.0),
                ("GetCluster", False, 4.0),
                ("ListJobs", False, 4.0),
                ("GetJob", False, 4.0),
                ("DeleteCluster", False, 4.0),
                ("DeleteCluster", True, 4.0),
            )
        ),
    ],
)
def test_the_launcher_is_killed_in_a_call(marked, cloud, method, after, seconds):
    cloud.slow(method, seconds, after=after)
    launcher = marked.launch()
    marked.release()
    until(lambda: len(cloud.requests(method)) > 0 or launcher.poll() is not None)
    if after:
        until(lambda: took_effect(cloud, method))
    launcher.kill()
    launcher.wait()
    cloud.slow(method, 0.0, after=after)
    assert resumed(marked)
    assert (cloud.counts().created, cloud.counts().jobs) == (1, 1)
    assert sorted(marked.marks) == ["0", "1", "2"]


def took_effect(cloud, method):
    states = cloud.jobs() if method == "SubmitJob" else cloud.clusters()
    return "DELETING" in states.values() or not states if method == "DeleteCluster" else bool(states)


@pytest.mark.long
def test_a_batch_whose_launcher_is_killed_while_it_is_submitted_runs_once(marked, cloud):
    place = ("cluster=serverless", "quota=none")
    cloud.slow("CreateBatch", 4.0, after=True)
    launcher = marked.launch(*place)
    until(lambda: cloud.counts().batches == 1)
    launcher.kill()
    launcher.wait()
    cloud.slow("CreateBatch", 0.0, after=True)
    assert resumed(marked)
    assert cloud.counts().batches == 1
    assert sorted(marked.marks) == ["0", "1", "2"]


@pytest.mark.long
def test_the_folder_is_moved_after_the_launcher_was_killed(marked, cloud):
    launcher = marked.start()
    launcher.kill()
    launcher.wait()
    sweep = marked.sweep
    sweep.rename(sweep.parent / "moved")
    assert marked.sweep.name == "moved"
    assert resumed(marked)
    assert sorted(marked.marks) == ["0", "1", "2"]
    assert (cloud.counts().created, cloud.counts().jobs) == (1, 1)
    assert not sweep.exists()


@pytest.mark.long
def test_a_copy_of_the_folder_starts_nothing_beside_the_sweep(marked, cloud):
    launcher = marked.start()
    copied = shutil.copytree(marked.sweep, marked.path / "copied")
    lines = (copied / "journal.jsonl").read_text().splitlines(keepends=True)
    (copied / "journal.jsonl").write_text(
        "".join(one for one in lines if json.loads(one)["event"] in ("scope", "cluster"))
    )
    answer = marked("resume", copied)
    assert answer.code == 1
    assert "a job of this sweep runs that its journal does not know" in answer.err
    assert list(cloud.clusters().values()) == ["RUNNING"]
    marked.release()
    _, err = launcher.communicate(timeout=240)
    assert launcher.returncode == 0, err
    assert cloud.counts().jobs == 1


@pytest.mark.long
def test_the_terminal_is_closed(marked, cloud):
    launcher = marked.start()
    for stream in (launcher.stdout, launcher.stderr):
        stream.close()
    for _ in range(3):
        launcher.send_signal(signal.SIGHUP)
    launcher.wait(timeout=240)
    launcher.stdout = launcher.stderr = None
    assert nothing_left(cloud)
    assert resumed(marked)
    assert marked.marks.count("0") == 1


# `orchestrate/test_stopped.py` shows the same with pretended clusters, and `sweep/test_sweep.py` with a job on this
# machine.
@pytest.mark.long
def test_ctrl_c(marked, cloud):
    launcher = marked.start()
    launcher.send_signal(signal.SIGINT)
    _, err = launcher.communicate(timeout=240)
    assert launcher.returncode == 130
    assert "flowerexp resume" in err
    assert nothing_left(cloud)
    assert set(cloud.jobs().values()) <= {"CANCELLED", "ERROR"}
    assert resumed(marked)
    assert marked.marks.count("0") == 1


@pytest.mark.long
def test_a_cluster_that_deletes_itself_under_a_sweep(marked, cloud):
    launcher = marked.start()
    (name,) = cloud.clusters()
    cloud.expire(name)
    _, err = launcher.communicate(timeout=240)
    assert launcher.returncode == 1
    assert "idle_delete_minutes" in err
    assert str(HELD) in {event["run"] for event in marked.events("lost")}
    assert nothing_left(cloud)
    assert resumed(marked)


@pytest.mark.long
def test_a_detached_sweep_is_collected_after_its_cluster_has_deleted_itself(marked, cloud):
    answer = marked(*marked.arguments(), "--detach")
    assert answer.code == 0, answer.err
    assert f"detached  {RUNS} of {RUNS} runs go on by themselves" in answer.err
    until(lambda: set(cloud.jobs().values()) == {"DONE"})
    assert list(cloud.clusters().values()) == ["RUNNING"]
    cloud.advance(11 * 60)  # cluster.idle_delete_minutes is 10
    until(lambda: not cloud.clusters())
    answer = marked("attach", "last")
    assert answer.code == 0, answer.err
    assert marked.finished() == ALL
    assert sorted(marked.marks) == ["0", "1", "2"]
    assert cloud.counts().created == 1
    assert nothing_left(cloud)
