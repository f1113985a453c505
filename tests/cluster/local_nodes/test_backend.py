"""A small cluster on this machine: several executors, each with its own part of the work, and none left behind."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flowerexp import app
from flowerexp.cluster import JobFiles, java, process, spark_submit
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.local_nodes.backend import LocalNodesBackend
from flowerexp.cluster.local_nodes.config import LocalNodes
from flowerexp.config import plain
from flowerexp.errors import MachineError
from tests.jobs import HEADER, SMALL, job_files, most_at_once, run_job


def nodes(**changes):
    config = LocalNodes(kind="local_nodes", nodes=2, cores=2, executor_memory="512m", memory="512m")
    return LocalNodesBackend(replace(config, **changes))


@pytest.fixture
def files(tmp_path):
    return JobFiles(tmp_path, tmp_path / "script.py", tmp_path / "bundle.zip", tmp_path / "job.json")


class TestProperties:
    def test_all_executors_are_waited_for_and_get_what_they_are_given(self, files):
        properties = nodes(nodes=3, cores=2).properties(files)
        assert properties["spark.master"] == "local-cluster[3,2,512]"
        assert properties["spark.executor.cores"] == "2"
        assert properties["spark.cores.max"] == "6"
        assert properties["spark.executor.memory"] == "512m"
        assert properties["spark.scheduler.minRegisteredResourcesRatio"] == "1.0"

    @pytest.mark.parametrize(("memory", "megabytes"), [("2g", 2048), ("1T", 1024**2), ("524289k", 513), ("600M", 600)])
    def test_a_worker_has_room_for_its_executor(self, files, memory, megabytes):
        assert nodes(executor_memory=memory).properties(files)["spark.master"] == f"local-cluster[2,2,{megabytes}]"

    def test_the_config_s_own_win(self, files):
        properties = nodes(spark={"spark.executor.memory": "600m", "spark.ui.enabled": True}).properties(files)
        assert (properties["spark.executor.memory"], properties["spark.ui.enabled"]) == ("600m", "true")

    def test_the_shipped_config(self, config, files):
        made = kind_of(config("cluster=local_nodes", "cluster.nodes=3").cluster).backend()
        assert isinstance(made, LocalNodesBackend)
        assert made.on_this_host
        assert made.cluster.tasks_at_once == 3

    def test_nothing_listens_to_the_world(self, files):
        properties, environment = nodes().properties(files), nodes().environment(files)
        assert properties["spark.driver.host"] == properties["spark.driver.bindAddress"] == "127.0.0.1"
        assert environment["SPARK_LOCAL_IP"] == "127.0.0.1"
        assert environment["SPARK_LOCAL_HOSTNAME"] == "localhost"

    def test_what_workers_write_to_their_home_stays_in_the_job_s_folder(self, files):
        for _ in range(2):
            home = Path(nodes().environment(files)["SPARK_HOME"])
        assert home.is_relative_to(files.folder)
        assert (home / "bin" / "spark-submit").samefile(spark_submit.spark_home() / "bin" / "spark-submit")
        assert (home / "jars").samefile(spark_submit.spark_home() / "jars")

    def test_no_java_is_found_before_anything_starts(self, monkeypatch):
        def none():
            raise MachineError("no Java")

        monkeypatch.setattr(java, "find", none)
        with pytest.raises(MachineError, match="no Java"):
            nodes().check()


@pytest.fixture(scope="module")
def measured(tmp_path_factory, photos):
    """A job that measured reading speed on two nodes of two cores."""
    home = tmp_path_factory.mktemp("home")
    config = app.composed(
        [f"home={home}", "dataset=folder", f"dataset.path={photos}", *SMALL, "grid.reader=image_files_native"]
    )
    requires = {"json": "any", "cv2": "any"}
    files = job_files(home / "a job", "spark_entry/read_speed.py", [plain(config)], requires)
    assert not IN_PACKAGE.exists()
    return run_job(nodes(), files)


IN_PACKAGE = spark_submit.spark_home() / "work"


@pytest.mark.spark
class TestMeasuring:
    def test_is_shared_by_several_executors(self, measured):
        assert (measured.code, measured.status()["state"]) == (0, "finished")
        assert {task["Executor ID"] for task in self.measuring(measured)[1]} == {"0", "1"}
        facts = measured.status()["facts"]
        assert (facts["executors"], facts["cores"], facts["measurements"]) == (2, 4, 8)
        assert all(row["neighbours"] == 0 for row in measured.rows())

    def test_has_an_executor_to_itself_and_preparing_has_every_core(self, measured):
        profile, _ = self.measuring(measured)
        added = {event["Resource Profile Id"]: event for event in measured.events("ResourceProfileAdded")}[profile]
        assert added["Task Resource Requests"]["cpus"]["Amount"] == 2
        assert most_at_once(measured.rows()) <= 2
        (check,) = (stage for stage in self.stages(measured) if stage["Number of Tasks"] == 16)
        assert check["Resource Profile Id"] == 0

    def test_leaves_the_installed_spark_as_it_was(self, measured):
        assert not IN_PACKAGE.exists()
        assert len(list((measured.folder / "spark" / "work").glob("app-*/*/stderr"))) == 2

    def stages(self, ended):
        return [event["Stage Info"] for event in ended.events("StageSubmitted")]

    def measuring(self, ended):
        """The id of the profile and the tasks of the stage in which everything was measured: a task a cell."""
        (stage,) = (stage for stage in self.stages(ended) if stage["Number of Tasks"] == len(ended.rows()))
        tasks = [event["Task Info"] for event in ended.events("TaskEnd") if event["Stage ID"] == stage["Stage ID"]]
        return stage["Resource Profile Id"], tasks


def alive(pid):
    """Does a process run? One that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


BUSY = (
    HEADER
    + """
import os, time
from pathlib import Path
def run(spark, config):
    def busy(number):
        Path(config["marks"], f"{os.getpid()}-{os.getppid()}").touch()
        time.sleep(600)
    spark.sparkContext.parallelize(range(2), 2).foreach(busy)
    return [{"images": 1}]
main(run)
"""
)


@pytest.mark.spark
@pytest.mark.parametrize("end", ["is stopped", "loses its driver"])
@pytest.mark.long
def test_no_process_outlives_a_job_that(tmp_path, end):
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    (tmp_path / "marks").mkdir()
    files = job_files(tmp_path / "job", script, [{"marks": str(tmp_path / "marks")}])
    submission = nodes(cores=1).submit(files)
    leader = submission.handle["pid"]
    try:
        while len(list((tmp_path / "marks").iterdir())) < 2:
            assert submission.poll()[1] is None, (files.folder / "driver.log").read_text()
            time.sleep(0.1)
        started = process.session(leader)
        workers = [int(pid) for mark in (tmp_path / "marks").iterdir() for pid in mark.name.split("-")]
        assert set(workers) <= set(started)  # two executors' Python workers and their daemons
        assert len(started) >= 2 + len(workers)
        if end == "is stopped":
            submission.stop()
        else:
            os.kill(leader, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while left := [pid for pid in started if alive(pid)]:
            submission.poll()
            assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
            time.sleep(0.1)
        assert process.session(leader) == []
    finally:
        submission.stop()
