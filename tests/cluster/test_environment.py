"""What a job's processes find in their environment."""

import os
import pwd
import subprocess
import sys

import pytest

from flowerexp.cluster import environment, java, spark_submit
from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.cluster.local_nodes.backend import LocalNodesBackend
from flowerexp.cluster.local_nodes.config import LocalNodes
from flowerexp.cluster.spark_master.backend import SparkMasterBackend
from flowerexp.cluster.spark_master.config import SparkMaster
from flowerexp.errors import MachineError
from tests.command import Home
from tests.jobs import HEADER, job_files, run_job

CLUSTER = Local(kind="local", cores=2, memory="512m")
NODES = LocalNodes(kind="local_nodes", nodes=1, cores=2, memory="512m")
MASTER = SparkMaster(kind="spark_master", master="spark://127.0.0.1:7077", memory="512m")

TOLD = (
    HEADER
    + """
def run(spark, config):
    context = spark.sparkContext
    beans = context._jvm.java.lang.management.ManagementFactory.getGarbageCollectorMXBeans()
    yield {
        "squares": context.parallelize(range(10), 2).map(lambda each: each * each).sum(),
        "collectors": [bean.getName() for bean in beans],
        "master": context.master,
        "seen": context._jvm.java.io.File(config["path"]).exists(),
    }
main(run)
"""
)

HOSTILE = {
    "SPARK_REMOTE": "sc://127.0.0.1:1",
    "SPARK_HOME": "/another/spark",
    "SPARK_CONF_DIR": "/another/conf",
    "SPARK_SUBMIT_OPTS": "-XX:+UseG1GC",
    "SPARK_LAUNCHER_OPTS": "-XX:+UseG1GC",
    "SPARK_LOCAL_DIRS": "/proc/nowhere",
    "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC",
    "JDK_JAVA_OPTIONS": "-XX:+UseParallelGC",
    "_JAVA_OPTIONS": "-XX:+UseG1GC -Xmx16m",
}
HARMLESS = {
    "PYSPARK_SUBMIT_ARGS": "--master spark://127.0.0.1:1 pyspark-shell",
    "PYSPARK_PYTHON": "/another/python",
    "PYSPARK_DRIVER_PYTHON": "jupyter",
    "PYSPARK_DRIVER_PYTHON_OPTS": "notebook",
    "PYTHONSTARTUP": "/another/startup.py",
    "PYTHONHASHSEED": "random",
    "SPARK_MASTER": "spark://127.0.0.1:1",
    "MASTER": "spark://127.0.0.1:1",
    "LC_ALL": "C",
}
"""What is overruled, or means nothing to a job: nothing is said of it."""


class TestInherited:
    @pytest.mark.parametrize("name", environment.DROPPED)
    def test_what_breaks_a_job_is_dropped_and_said(self, name):
        variables = {"PATH": "/bin", name: "anything"}
        assert name not in environment.inherited(variables)
        dropped = environment.dropped(variables)
        assert dropped == {name: environment.DROPPED[name]}
        assert f"{name} ({environment.DROPPED[name]})" in environment.note(dropped)

    def test_what_a_kind_of_cluster_needs_is_kept(self):
        variables = {"HADOOP_CONF_DIR": "/etc/hadoop", "SPARK_HOME": "/another"}
        assert environment.inherited(variables, {"HADOOP_CONF_DIR"})["HADOOP_CONF_DIR"] == "/etc/hadoop"
        assert [*environment.dropped(variables, {"HADOOP_CONF_DIR"})] == ["SPARK_HOME"]

    def test_nothing_dropped_is_nothing_said(self):
        assert environment.note(environment.dropped({"PATH": "/bin", "SPARK_HOME": "", **HARMLESS})) == ""

    def test_reasons_are_told_once(self):
        text = environment.note(environment.dropped({"_JAVA_OPTIONS": "a", "JAVA_TOOL_OPTIONS": "b"}))
        assert text.count("changes how Java runs") == 1
        assert "JAVA_TOOL_OPTIONS, _JAVA_OPTIONS (" in text
        assert text.endswith("set in cluster.spark.spark.driver.extraJavaOptions")

    def test_another_pyspark_leaves_the_python_path_and_modules_of_the_user_stay(self, tmp_path):
        (tmp_path / "spark" / "python" / "pyspark").mkdir(parents=True)
        (tmp_path / "spark" / "python" / "pyspark" / "__init__.py").touch()
        (tmp_path / "mine").mkdir()
        spark, mine = str(tmp_path / "spark" / "python"), str(tmp_path / "mine")
        archives = [f"{spark}/lib/py4j-0.10.9-src.zip", f"{spark}/lib/pyspark.zip"]
        variables = {"PYTHONPATH": os.pathsep.join([spark, mine, *archives])}
        assert environment.inherited(variables)["PYTHONPATH"] == mine
        assert [*environment.dropped(variables)] == ["PYTHONPATH"]
        assert environment.dropped({"PYTHONPATH": mine}) == {}
        assert "PYTHONPATH" not in environment.inherited({"PYTHONPATH": spark})

    def test_every_letter_is_known(self):
        assert environment.inherited({"LC_ALL": "C", "LANG": "POSIX"})["LC_ALL"] == "C.UTF-8"


class TestKinds:
    @pytest.fixture
    def files(self, tmp_path):
        (tmp_path / "script.py").touch()
        return job_files(tmp_path / "job", tmp_path / "script.py", [])

    def test_this_machine_s_name_is_not_looked_up(self, files):
        nodes = LocalNodesBackend(NODES)
        for made in (LocalBackend(CLUSTER), nodes):
            variables = made.environment(files)
            assert (variables["SPARK_LOCAL_IP"], variables["SPARK_LOCAL_HOSTNAME"]) == ("127.0.0.1", "localhost")
        master = SparkMasterBackend(MASTER)
        assert master.environment(files)["SPARK_LOCAL_IP"] == "127.0.0.1"

    def test_a_cluster_s_configuration_is_its_own(self, files, monkeypatch):
        names = ("SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR")
        for name in names:
            monkeypatch.setenv(name, "/etc/cluster")
        master = SparkMasterBackend(MASTER)
        assert all(master.environment(files)[name] == "/etc/cluster" for name in names)
        assert not any(name in LocalBackend(CLUSTER).environment(files) for name in names)

    def test_a_user_without_a_home_has_a_place_for_what_java_keeps(self, files, monkeypatch):
        assert "spark.jars.ivy" not in LocalBackend(CLUSTER).properties(files)
        monkeypatch.setattr(environment, "has_home", lambda: False)
        assert LocalBackend(CLUSTER).properties(files)["spark.jars.ivy"] == str(java.own_folder() / "ivy")


def test_the_installed_pyspark_is_found_behind_another_one_s_python_path(tmp_path, monkeypatch):
    home = spark_submit.spark_home()
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert spark_submit.spark_home() == home


@pytest.mark.spark
def test_a_hostile_shell_does_not_touch_a_job(tmp_path, monkeypatch):
    (tmp_path / "another" / "pyspark").mkdir(parents=True)
    (tmp_path / "another" / "pyspark" / "__init__.py").write_text("raise ImportError('another PySpark')")
    (tmp_path / "\u0436\u00e9").touch()
    (tmp_path / "told.py").write_text(TOLD)
    for name, value in {**HOSTILE, **HARMLESS, "PYTHONPATH": str(tmp_path / "another")}.items():
        monkeypatch.setenv(name, value)
    config = {"path": str(tmp_path / "\u0436\u00e9")}
    ended = run_job(LocalBackend(CLUSTER), job_files(tmp_path / "job", tmp_path / "told.py", [config]))
    assert ended.code == 0, ended.printed
    assert ended.rows() == [
        {"squares": 285, "collectors": ["Copy", "MarkSweepCompact"], "master": "local[2]", "seen": True}
    ]
    log = (tmp_path / "job" / "driver.log").read_text().splitlines()
    assert all(name in log[0] for name in [*HOSTILE, "PYTHONPATH"])
    assert not any(name in log[0] for name in HARMLESS)


NAMELESS = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
# The tests' own interpreter may lie where only root can read.
NAMELESS += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]


def alone(home, *command, prefix=()):
    """Run flowerexp in a folder, without HOME and without any name of the user in the environment."""
    variables = {**home.environment, "TMPDIR": str(home.path)}
    for name in ("HOME", "USER", "LOGNAME"):
        variables.pop(name, None)
    whole = [*prefix, sys.executable, "-m", "flowerexp", *command]
    return subprocess.run(whole, cwd=home.path, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_can_run_an_experiment(tmp_path):
    os.chown(tmp_path, 54321, 54321)
    small = ["dataset=synthetic", "dataset.images=40", "preprocess.target_size=[16,16]", "grid.batch_size=[2]"]
    small += ["grid.batch_number=[2]", "measure.repetitions=2", "grid.reader=tfrecords_native"]
    done = alone(Home(tmp_path, new=True), *small, prefix=NAMELESS)
    assert done.returncode == 0, done.stderr
    assert "MLflow    run" in done.stdout
    assert (tmp_path / "mlruns" / "mlflow.db").stat().st_uid == 54321


def test_executors_need_a_user_with_a_name(monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    LocalBackend(CLUSTER).check()
    with pytest.raises(MachineError, match=f"cluster: user {os.getuid()} has no name, .*; use cluster=local, or"):
        LocalNodesBackend(NODES).check()


@pytest.mark.spark
def test_a_run_without_home(tmp_path):
    done = alone(Home(tmp_path), "dataset=synthetic", "dataset.images=40", "entrypoint=write_shards")
    assert done.returncode == 0, done.stderr
    assert "MLflow    run" in done.stdout
