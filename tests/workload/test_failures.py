"""Failures: a task's own exception is shown, and failures of the machine are separated."""

import os
import signal
from types import SimpleNamespace

import pytest

from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.errors import DataError, JobError, MachineError
from flowerexp.workload import executors, failures, report
from tests.jobs import check_failing, run_failing


def refuses(_):
    raise DataError("two\nlines: ü", where="dataset.path", hint="mend it")


def wraps(_):
    try:
        refuses(_)
    except DataError as error:
        raise KeyError("other") from error


def divides(number):
    return number // 0


def has_no_room(_):
    raise OSError(28, os.strerror(28), "/data/part: 1")


def lacks_a_file(_):
    raise FileNotFoundError(2, os.strerror(2), "typo.txt")


def has_no_memory(_):
    raise MemoryError


def is_killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def says_nothing(_):
    raise ValueError


def says_much(_):
    raise RuntimeError("first\n  second\nthird" + "x" * 1000)


def place(function, line=1):
    return f" (test_failures.py, line {function.__code__.co_firstlineno + line}, in {function.__name__})"


def of_rdd(spark, function):
    return spark.sparkContext.parallelize(range(2), 2).map(function).collect()


def of_udf(spark, function):
    from pyspark.sql.functions import udf

    return spark.range(2).select(udf(function, "int")("id")).collect()


@pytest.fixture(params=[of_rdd, of_udf])
def explained(request, spark):
    """How a function's failure in a task is explained, of an RDD and of a data frame's column."""

    def explained(function):
        with pytest.raises(Exception) as caught, report.phase("measure"):  # noqa: PT011
            request.param(spark, function)
        return failures.explained(caught.value, "measure")

    return explained


@pytest.mark.spark
class TestTasks:
    def test_our_own_errors_keep_their_class_and_parts(self, explained):
        error = explained(refuses)
        assert type(error) is DataError
        assert (error.problem, error.where, error.hint) == ("two\nlines: ü", "dataset.path", "mend it")

    def test_the_last_exception_counts(self, explained):
        assert explained(wraps).problem == f"KeyError: 'other'{place(wraps, 4)}"

    @pytest.mark.parametrize(
        ("function", "problem"),
        [(divides, "ZeroDivisionError: integer division or modulo by zero"), (says_nothing, "ValueError")],
    )
    def test_others_are_named_with_their_place(self, explained, function, problem):
        error = explained(function)
        assert str(error) == problem + place(function)
        assert type(error) is JobError

    def test_a_long_one_is_one_line(self, explained):
        error = explained(says_much)
        assert str(error).startswith("RuntimeError: first second thirdxxx")
        assert len(str(error)) < 400

    @pytest.mark.parametrize(
        ("function", "kind", "said"),
        [
            (has_no_room, MachineError, ["/data/part: 1", "No space left on device", "free some room"]),
            (lacks_a_file, JobError, ["typo.txt", "No such file", "check the path", "test_failures.py"]),
            (has_no_memory, MachineError, ["ran out of memory while measuring", "MemoryError", "test_failures.py"]),
        ],
    )
    def test_the_operating_systems_are_explained_as_ever(self, explained, function, kind, said):
        error = explained(function)
        assert type(error) is kind
        assert all(word in str(error) for word in said)

    def test_a_killed_worker_is_the_machines_fault(self, explained):
        error = explained(is_killed)
        assert failures.is_machines(error)
        assert str(error).startswith("a Python worker was killed while measuring (out of memory?); ")

    def test_sparks_own_name_the_place_in_the_script(self, spark):
        with pytest.raises(Exception, match="nowhere") as caught:
            spark.sql("select * from nowhere")
        error = failures.explained(caught.value)
        assert type(error) is JobError
        assert str(error).startswith("AnalysisException: [TABLE_OR_VIEW_NOT_FOUND]")
        assert "(test_failures.py, line " in str(error)


@pytest.mark.spark
def test_the_runs_of_a_job_fail_by_themselves(tmp_path):
    check_failing(run_failing(LocalBackend(Local(kind="local", cores=1, memory="512m")), tmp_path))


JAVA = "An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.\n: "
STAGE = (
    f"{JAVA}org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, "
    "most recent failure: Lost task 0.3 in stage 1.0 (TID 7) (192.0.2.2 executor 3): "
)
TRACEBACK = """org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "/opt/conda/lib/python3.11/site-packages/pyspark.zip/pyspark/worker.py", line 1247, in main
    process()
  File "/home/me/count.py", line 7, in count
    raise ValueError("no such")
ValueError: no such

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)
"""
#: The text of a task's exception in PySpark 3.5.
OLD = f"{STAGE}{TRACEBACK}Caused by: {TRACEBACK}\t... 1 more\n"


class Foreign(Exception):
    """An exception of py4j, but for its class."""

    __module__ = "py4j.protocol"


@pytest.mark.parametrize(
    ("text", "machine", "said"),
    [
        (OLD, False, "ValueError: no such (count.py, line 7, in count)"),
        (STAGE + "java.io.IOException: No space left on device\n\tat java.io.File", True, "the disk is full"),
        (JAVA + "java.lang.OutOfMemoryError: Java heap space\n\tat java.base", True, "ran out of memory"),
        (STAGE + "ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: worker lost\n",
         True, "an executor was lost while measuring: worker lost"),
        (STAGE + "ExecutorLostFailure (executor 3 exited) Reason: Container killed by YARN for exceeding physical "
         "memory limits. 5.5 GB of 5.5 GB physical memory used.\n", True, "an executor was killed while measuring"),
        (STAGE + "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed): Fatal Python error: "
         "Segmentation fault\n", False, "Fatal Python error: Segmentation fault"),
        (JAVA + "org.apache.spark.SparkException: Job 3 cancelled because SparkContext was shut down\n", True,
         "Spark was shut down"),
        (JAVA + "java.lang.IllegalArgumentException: requirement failed\n\tat org.apache.spark", False,
         "Foreign: java.lang.IllegalArgumentException: requirement failed"),
    ],
)  # fmt: skip
def test_what_spark_says_is_understood(text, machine, said):
    error = failures.explained(Foreign(text), "measure")
    assert failures.is_machines(error) == machine
    assert said in str(error)
    assert "\n" not in str(error)


def test_exceptions_of_the_driver_are_explained_the_same_way():
    with pytest.raises(ZeroDivisionError) as caught:
        divides(1)
    error = failures.explained(caught.value)
    assert str(error) == f"ZeroDivisionError: integer division or modulo by zero{place(divides)}"
    own = DataError("a")
    assert failures.explained(own) is own


def test_an_application_that_has_ended_is_gone():
    def context(stopped):
        return SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: SimpleNamespace(isStopped=lambda: stopped)))

    assert not executors.is_gone(context(False))
    assert executors.is_gone(context(True))
    assert executors.is_gone(SimpleNamespace(_jsc=None))
