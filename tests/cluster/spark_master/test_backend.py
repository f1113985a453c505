"""A Spark cluster that is there already: found out to be, reached at the right address, and used."""

import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from flowerexp.cluster import JobFiles, java, spark_submit
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.spark_master.backend import SparkMasterBackend
from flowerexp.cluster.spark_master.config import SparkMaster
from flowerexp.errors import ClusterError
from tests.jobs import HEADER, job_files, run_job


def at(master, **changes):
    config = SparkMaster(kind="spark_master", master=master, executor_memory="512m", memory="512m")
    return SparkMasterBackend(replace(config, **changes))


@pytest.fixture
def files(tmp_path):
    return JobFiles(tmp_path, tmp_path / "script.py", tmp_path / "bundle.zip", tmp_path / "job.json")


@pytest.fixture
def listening():
    """The port of something that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent():
    """A port on which nothing listens; it stays ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class TestCheck:
    def test_a_master_that_answers(self, listening):
        at(f"spark://127.0.0.1:{listening}").check()
        at(f"k8s://https://127.0.0.1:{listening}").check()

    def test_one_of_several_is_enough(self, listening, silent):
        at(f"spark://127.0.0.1:{silent},127.0.0.1:{listening}").check()

    def test_none_that_answers_is_one_line_that_names_it(self, silent):
        with pytest.raises(ClusterError) as caught:
            at(f"spark://127.0.0.1:{silent}").check()
        message = str(caught.value)
        assert message.startswith("cluster.master: the Spark master does not answer: 127.0.0.1:")
        assert f"127.0.0.1:{silent} (Connection refused)" in message
        assert "\n" not in message

    def test_a_name_that_nobody_knows(self):
        with pytest.raises(ClusterError, match=r"does not answer: nowhere\.invalid:7077"):
            at("spark://nowhere.invalid:7077").check()

    @pytest.mark.parametrize("master", ["spark://host", "spark://host:port", "spark://:7077", "spark://host:99999"])
    def test_a_url_without_host_and_port(self, master):
        with pytest.raises(ClusterError, match="names no host and port; spark://HOST:7077"):
            at(master)

    def test_yarn_needs_to_be_told_where_it_is(self, monkeypatch):
        for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ClusterError, match="HADOOP_CONF_DIR"):
            at("yarn").check()
        monkeypatch.setenv("YARN_CONF_DIR", "/etc/hadoop")
        at("yarn").check()

    def test_a_cluster_that_would_be_started_is_another_kind(self):
        with pytest.raises(ClusterError, match="use cluster=local_nodes"):
            at("local-cluster[2,1,1024]").check()


class TestProperties:
    def test_executors_call_back_by_the_way_to_the_master(self, files):
        cluster = at("spark://127.0.0.1:7077")
        properties = cluster.properties(files)
        assert properties["spark.master"] == "spark://127.0.0.1:7077"
        assert properties["spark.driver.host"] == "127.0.0.1"
        assert properties["spark.executor.memory"] == "512m"
        assert cluster.on_this_host

    def test_a_master_elsewhere(self, files, monkeypatch):
        class Socket(socket.socket):
            def connect(self, address):
                pass

            def getsockname(self):
                return "192.0.2.7", 50000

            def getpeername(self):
                return "192.0.2.99", 7077

        monkeypatch.setattr(socket, "socket", Socket)
        cluster = at("spark://192.0.2.99:7077")
        assert cluster.properties(files)["spark.driver.host"] == "192.0.2.7"
        assert not cluster.on_this_host

    @pytest.mark.parametrize(("master", "here"), [("yarn", False), ("local[2]", True)])
    def test_no_address_leaves_it_to_spark(self, files, master, here):
        assert "spark.driver.host" not in at(master).properties(files)
        assert at(master).on_this_host is here

    def test_the_config_s_own_win(self, files):
        properties = at("spark://127.0.0.1:7077", spark={"spark.driver.host": "me", "spark.cores.max": 4})
        assert properties.properties(files)["spark.driver.host"] == "me"
        assert properties.properties(files)["spark.cores.max"] == "4"

    def test_the_cluster_s_own_configuration_is_kept_and_another_spark_is_not(self, files, monkeypatch):
        monkeypatch.setenv("SPARK_CONF_DIR", "/etc/spark")
        monkeypatch.setenv("SPARK_HOME", "/another/spark")
        environment = at("spark://127.0.0.1:7077").environment(files)
        assert environment["SPARK_CONF_DIR"] == "/etc/spark"
        assert environment["SPARK_HOME"] == str(spark_submit.spark_home())

    def test_the_shipped_config(self, config):
        made = kind_of(config("cluster=spark_master", "cluster.master=spark://127.0.0.1:7077").cluster).backend()
        assert isinstance(made, SparkMasterBackend)


class Daemons:
    """A standalone master with one worker of two cores, on loopback."""

    def __init__(self, folder):
        self._folder = folder
        self._processes = []

    def start(self, name, *arguments):
        """Start a daemon; returns its log."""
        command = [str(spark_submit.spark_home() / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
        environment = at("local[1]").environment(JobFiles(*[self._folder] * 4))
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            options = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0", *map(str, arguments))
            process = subprocess.Popen(
                [*command, *options], stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=self._folder
            )
        self._processes.append(process)
        return log, process

    def until(self, started, pattern):
        """Wait until a daemon logs something; returns what matched."""
        log, process = started
        while not (match := re.search(pattern, log.read_text())):
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(log.read_text())
        return match[0]

    def stop(self):
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def standalone(tmp_path_factory):
    """The URL of a real standalone master with a worker."""
    folder = tmp_path_factory.mktemp("standalone")
    daemons = Daemons(folder)
    try:
        url = daemons.until(daemons.start("master.Master"), r"spark://127\.0\.0\.1:\d+")
        worker = daemons.start("worker.Worker", "--cores", 2, "--memory", "1g", "--work-dir", folder, url)
        daemons.until(worker, "Successfully registered with master")
        yield url
    finally:
        daemons.stop()


SCRIPT = (
    HEADER
    + """
import os
from flowerexp.workload import executors
def run(spark, config):
    context = spark.sparkContext
    profile = executors.alone(context)
    for answer in executors.spread(context, lambda _: (os.getppid(), os.environ["TF_CPP_MIN_LOG_LEVEL"]), profile):
        yield {"alone": profile is not None, "driver": os.getpid(), "worker": answer[0], "level": answer[1]}
main(run)
"""
)


@pytest.mark.spark
@pytest.mark.long
class TestStandalone:
    def test_a_job_runs_on_its_executors(self, standalone, tmp_path):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT)
        cluster = at(standalone)
        cluster.check()
        ended = run_job(cluster, job_files(tmp_path / "job", script, [{}], {"json": "any"}))
        assert (ended.code, ended.status()["error"]) == (0, None)
        facts = ended.status()["facts"]
        assert (facts["spark_master"], facts["executors"], facts["cores"]) == (standalone, 1, 2)
        (row,) = ended.rows()  # one task for the executor's two cores
        assert row["alone"]
        assert row["level"] == "2"
        assert row["worker"] != row["driver"]

    @pytest.mark.long
    def test_a_package_that_is_missing_fails_every_run_before_it_starts(self, standalone, tmp_path):
        script = tmp_path / "script.py"
        script.write_text(HEADER + f"main(lambda *_: open({str(tmp_path / 'started')!r}, 'w'))\n")
        requires = {"json": "any", "flowers_of_mars": "flowers-of-mars==1.2"}
        ended = run_job(at(standalone), job_files(tmp_path / "job", script, [{}, {}], requires))
        assert ended.code == 0
        for number in range(2):
            status = ended.status(number)
            assert status["state"] == "failed"
            assert status["error"].startswith(f"flowers_of_mars cannot be imported on {socket.gethostname()}")
            assert status["where"] == "cluster"
            assert "pip install 'flowers-of-mars==1.2'" in status["hint"]
            assert ended.rows(number) == []
        assert not (tmp_path / "started").exists()


def test_the_interpreter_of_the_tests_is_the_workers(files):
    assert at("local[1]").environment(files)["PYSPARK_PYTHON"] == sys.executable
    assert at("local[1]").environment(files)["JAVA_HOME"] == str(java.find().home)
