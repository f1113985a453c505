"""Start a job's Spark application quickly: a SparkContext at once, a SparkSession only if it is used."""

from __future__ import annotations

import os
import platform
import pwd
import socket
import sys
from pathlib import Path
from typing import Any

from flowerexp.workload import executors, report


class LazySession:
    """A SparkSession that is created when it is used for the first time.

    A session takes 2 s more to start than the SparkContext alone, which is all that many entrypoints need.
    """

    def __init__(self) -> None:
        from pyspark import SparkContext

        _lighten_converters()
        _name_user(SparkContext)
        self.sparkContext = SparkContext.getOrCreate()
        self._session: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._session is None:
            from pyspark.sql import SparkSession

            self._session = SparkSession.builder.getOrCreate()
        return getattr(self._session, name)

    def stop(self) -> None:
        """End the Spark application; this process cannot use Spark afterwards."""
        # PySpark would wait up to a second for the thread that reads updates of accumulators. There are no more
        # updates, and the thread ends with the process.
        server, self.sparkContext._accumulatorServer = self.sparkContext._accumulatorServer, None
        self.sparkContext.stop()
        if isinstance(server.server_address, str):  # a Unix domain socket, which is a file
            Path(server.server_address).unlink(missing_ok=True)


def _name_user(spark: Any) -> None:
    """Log a user without a name in, as `user<uid>`: many containers know no name for it, and Hadoop's login would fail.

    Args:
        spark: the class SparkContext; this starts its Java process.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        spark._ensure_initialized()
        users = spark._jvm.org.apache.hadoop.security.UserGroupInformation
        users.setLoginUser(users.createRemoteUser(f"user{os.getuid()}"))


def _lighten_converters() -> None:
    """Let py4j check whether an argument is NumPy's without importing modules that a driver does not need.

    At the first call into Java, PySpark 4's converters ask `pyspark.testing.utils` whether NumPy is installed, which
    imports pandas, pyarrow and unittest, 60 MB. A value can only be NumPy's if NumPy is imported already.
    """
    from py4j import protocol

    def is_scalar(value: Any) -> bool:
        return "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].generic)

    def is_array(value: Any) -> bool:
        return "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].ndarray) and value.ndim == 1

    lighter = {"NumpyScalarConverter": is_scalar, "NumpyArrayConverter": is_array}
    for converter in protocol.INPUT_CONVERTER:
        if type(converter).__name__ in lighter:
            converter.can_convert = lighter[type(converter).__name__]


def environment(spark: Any) -> dict[str, report.Scalar]:
    """The facts about where a run runs: versions, host, executors and cores."""
    context = spark.sparkContext
    asked = executors.asked(context)
    return {
        "spark": context.version,
        "java": context._jvm.java.lang.System.getProperty("java.version"),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "spark_master": context.master,
        "application_id": context.applicationId,
        "executors": 1 if executors.in_driver(context) else len(executors.cores(context)),
        **({"executors_asked": asked} if asked else {}),
        "cores": context.defaultParallelism,
    }
