"""Executors: waiting for them, checking their imports, and giving each one measuring task."""

import sys
import time
from types import SimpleNamespace

import pytest

from flowerexp.errors import ClusterError
from flowerexp.workload import executors


class Conf(dict[str, str]):
    """A SparkConf, as far as it is asked."""


def application(master="spark://host:7077", **conf):
    properties = Conf({name.replace("_", "."): value for name, value in conf.items()})
    return SimpleNamespace(master=master, applicationId="app", getConf=lambda: properties)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where it is waited for; `come` says which executors are there from which second on."""
    clock = SimpleNamespace(now=0.0, come={})

    def sleep(seconds):
        clock.now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(
        executors, "cores", lambda _: [cores for at, cores in clock.come.items() if clock.now >= at - 1e-6]
    )
    return clock


class TestWait:
    def test_until_all_cores_came(self, clock):
        clock.come = {0: 2, 5: 2, 9: 2}
        executors.wait(application(spark_cores_max="6"))
        assert clock.now == pytest.approx(9)

    def test_until_all_executors_came(self, clock):
        clock.come = {0: 4, 7: 4}
        executors.wait(application("yarn", spark_executor_instances="2"))
        assert clock.now == pytest.approx(7)

    def test_until_no_further_one_comes_where_nobody_knows_how_many(self, clock):
        clock.come = {1: 4, 2.5: 4, 3: 4, 20: 4}
        executors.wait(application())
        assert 3 + 2 < clock.now < 6

    def test_none_is_an_error_and_not_waited_for_for_ever(self, clock):
        with pytest.raises(ClusterError, match="no executor started within 120 s; check whether") as caught:
            executors.wait(application())
        assert caught.value.where == "cluster"

    def test_too_few_are_told_and_used(self, clock):
        clock.come = {0: 2}
        fewer = executors.wait(application(spark_cores_max="6"))
        assert clock.now >= 120
        assert fewer == "1 executors with 2 cores, not 6 cores, started within 120 s"

    def test_as_long_as_the_cluster_s_config_says(self, clock):
        clock.come = {0: 2, 200: 2}
        patient = application("yarn", **{"spark_executor_instances": "2", executors.WAIT: "300"})
        assert executors.wait(patient) == ""
        assert clock.now == pytest.approx(200)


class TestAlone:
    @pytest.fixture(autouse=True)
    def built(self, monkeypatch):
        """What stands for PySpark's profiles, which only a running application can build."""

        class Requests(list[int]):
            def cpus(self, count):
                return [count]

        class Builder:
            def require(self, request):
                self.build = ("profile", *request)
                return self

        resource = SimpleNamespace(ResourceProfileBuilder=Builder, TaskResourceRequests=Requests)
        monkeypatch.setitem(sys.modules, "pyspark.resource", resource)
        monkeypatch.setattr(executors, "_profiles", {})
        monkeypatch.setattr(executors, "cores", lambda _: [4, 2, 4])

    @pytest.mark.parametrize("master", ["spark://a:7077", "local-cluster[2,2,1024]", "yarn", "k8s://https://a:443"])
    def test_where_the_master_allows_it_a_task_asks_for_all_cores_of_the_smallest_executor(self, master):
        assert executors.alone(application(master)) == ("profile", 2)

    @pytest.mark.parametrize("master", ["local", "local[*]", "local[4]", "mesos://a:5050"])
    def test_not_elsewhere(self, master):
        assert executors.alone(application(master)) is None

    def test_not_with_dynamic_allocation_which_would_start_others(self):
        assert executors.alone(application(**{"spark_dynamicAllocation_enabled": "true"})) is None

    @pytest.mark.parametrize(("cores", "each"), [([1, 1], "1"), ([2, 2], "2"), ([], "1")])
    def test_not_where_a_task_is_alone_already(self, monkeypatch, cores, each):
        monkeypatch.setattr(executors, "cores", lambda _: cores)
        assert executors.alone(application(spark_task_cpus=each)) is None

    def test_is_made_once_an_application(self, monkeypatch):
        first = executors.alone(application())
        monkeypatch.setattr(executors, "cores", lambda _: [8])
        assert executors.alone(application()) is first


@pytest.mark.spark
class TestCheckImports:
    def test_what_is_there_is_no_error(self, spark):
        executors.check_imports(spark.sparkContext, {"json": "any", "xml.dom": "any"})
        executors.check_imports(spark.sparkContext, {})

    def test_what_is_missing_is_named_with_its_host_and_remedy(self, spark):
        requires = {"json": "any", "flowers_of_mars": "flowers-of-mars==1.2", "google.of_mars": "google-of-mars"}
        with pytest.raises(ClusterError) as caught:
            executors.check_imports(spark.sparkContext, requires)
        message = str(caught.value)
        assert message.startswith("cluster: flowers_of_mars, google.of_mars cannot be imported on ")
        assert "(the driver)" in message
        assert message.endswith("pip install 'flowers-of-mars==1.2' 'google-of-mars'")

    def test_executors_are_asked_and_not_the_driver_alone(self, spark, tmp_path, monkeypatch):
        (tmp_path / "only_on_the_driver.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ClusterError) as caught:
            executors.check_imports(spark.sparkContext, {"only_on_the_driver": "a-package"})
        message = str(caught.value)
        assert "(the driver)" not in message
        assert "ModuleNotFoundError: No module named 'only_on_the_driver'" in message

    def test_one_that_is_there_but_broken_says_why(self, spark, tmp_path):
        (tmp_path / "damaged_package.py").write_text("raise OSError('libflower.so.1: cannot open')")
        spark.sparkContext.addPyFile(str(tmp_path / "damaged_package.py"))
        with pytest.raises(ClusterError, match=r"OSError: libflower\.so\.1: cannot open"):
            executors.check_imports(spark.sparkContext, {"damaged_package": "damaged"})

    def test_every_core_is_asked_once(self, spark):
        numbers = executors.spread(spark.sparkContext, lambda number: number, None)
        assert numbers == list(range(spark.sparkContext.defaultParallelism))
