"""Jobs of this machine: `spark-submit` in a child process, with the same files as on any cluster."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Generic, TypeVar

from flowerexp.cluster import ExistingCluster, JobFiles, environment, java, submitted
from flowerexp.cluster.process import LocalSubmission, leader_with, start_time
from flowerexp.config.redact import SPARK_PATTERN
from flowerexp.config.schema import Cluster
from flowerexp.errors import MachineError, from_os_error
from flowerexp.workload import slots

C = TypeVar("C", bound=Cluster)

TOKEN = "FLOWEREXP_JOB"
"""The variable by which a job's process is found whose launcher was killed before it could note the process."""

# The JVM schedules tasks that Python works on, for seconds or minutes: compiling it hard, or collecting its garbage on
# all cores, costs more than it gains, and would take place beside the measurements.
LEAN_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms64m"

# While measuring, nothing may start a task twice or take executors away, and all executors must be there.
MEASURING = {
    "spark.speculation": "false",
    "spark.dynamicAllocation.enabled": "false",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    # TensorFlow alone takes more than the default of 512m, above which a Python worker puts every aggregate on disk.
    "spark.python.worker.memory": "4g",
    # Over TCP each task waits 40 ms for a delayed acknowledgement. Spark before 4.1 does not know this, and ignores it.
    "spark.python.unix.domain.socket.enabled": "true",
}


# Nothing listens on a network.
LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
# This machine's own name, which may not be known, is not looked up.
LOOPBACK_ENVIRONMENT = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}


def spark_home() -> Path:
    """The folder of the installed PySpark, found without importing it.

    Raises:
        MachineError: PySpark is not installed.
    """
    for folder in dict.fromkeys(sys.path):
        spec = PathFinder.find_spec("pyspark", [folder])
        # Another Spark's PYTHONPATH has its Python sources only.
        if spec and spec.origin and (Path(spec.origin).parent / "bin" / "spark-submit").exists():
            return Path(spec.origin).parent
    raise MachineError("PySpark is not installed", hint="run: pip install pyspark")


def linked_home(home: Path, spark: Path | None = None) -> Path:
    """A SPARK_HOME of symbolic links to the installed one, or to `spark`, without its `python` folder.

    That holds PySpark once more, as a zip of sources that Spark puts in front of the installed package: each of a job's
    Python processes would compile them anew, since Python keeps nothing that it compiles out of a zip. Without it they
    import the installed package: a job with two Python workers takes 1.4 s of CPU and 50 MB less.

    Raises:
        OSError: the folder cannot be made.
    """
    home.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "jars"):
        # Two jobs that start at once may both want to make it.
        with contextlib.suppress(FileExistsError):
            (home / name).symlink_to((spark or spark_home()) / name)
    return home


def shared_home() -> Path:
    """A `linked_home` for all jobs of this user; where none can be made, the installed one."""
    name = f"spark-{hashlib.sha256(os.fsencode(spark_home())).hexdigest()[:12]}"
    try:
        return linked_home(java.own_folder() / name)
    except (OSError, MachineError):
        return spark_home()


class SparkSubmit(ExistingCluster, Generic[C]):
    """What every cluster that this machine's `spark-submit` reaches has in common.

    The driver runs in a child process: its crash or lack of memory is a failed run, never a dead launcher.
    """

    on_this_host = True
    kept: frozenset[str] = frozenset()
    """Of the variables that jobs do not get (`environment.DROPPED`), those that this kind of cluster needs."""
    in_driver = False
    """Does all work happen in the driver's process and its children?"""
    options: Sequence[str] = ()
    """Further options of `spark-submit`."""

    def __init__(self, cluster: C) -> None:
        self.cluster: C = cluster

    def check(self) -> None:
        """See `Backend.check`: is there a Java, PySpark, and a place for the measuring slots of this machine?"""
        java.find()
        spark_home()
        if environment.user_name() is None and not self.in_driver:
            hint = "use cluster=local, or run it as a user that has one, such as by a line for it in /etc/passwd"
            problem = f"user {os.getuid()} has no name, without which Spark's executors cannot start"
            raise MachineError(problem, where="cluster", hint=hint)
        if self.on_this_host:
            try:
                slots.folder()
            except OSError as error:
                raise from_os_error(error, "making the folder of the measuring slots,") from error

    def own_properties(self) -> dict[str, str]:
        """The Spark properties of this kind of cluster, `spark.master` and `spark.driver.memory` among them."""
        raise NotImplementedError

    def properties(self, files: JobFiles) -> dict[str, str]:
        """The Spark properties of a job; the config's own win."""
        return {
            "spark.driver.extraJavaOptions": LEAN_JVM,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "WARN",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": (files.folder / "events").as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
            # Else only tasks of 10 s or more know how much memory there was in use.
            "spark.executor.metrics.pollingInterval": "1s",
            "spark.redaction.regex": SPARK_PATTERN,
            # Java takes a folder named ? for the home of a user whom the system does not know.
            **({} if environment.has_home() else {"spark.jars.ivy": str(java.own_folder() / "ivy")}),
            **MEASURING,
            **self.own_properties(),
            **configured(self.cluster),
        }

    def home(self, files: JobFiles) -> Path:
        """SPARK_HOME of a job."""
        return spark_home()

    def environment(self, files: JobFiles) -> dict[str, str]:
        """The child's environment: this Java and interpreter, and nothing that would change what it does."""
        return {
            **environment.inherited(os.environ, self.kept),
            "JAVA_HOME": str(java.find().home),
            "SPARK_HOME": str(self.home(files)),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LAUNCHER_OPTS": LEAN_JVM,
            **workers_environment(),
        }

    def submit(self, files: JobFiles) -> LocalSubmission:
        """See `Backend.submit`."""
        plain = submitted.with_plain_names(files)
        (plain.folder / "events").mkdir(parents=True, exist_ok=True)
        variables = self.environment(plain) | {TOKEN: self.handle(files.folder, files.scope)["token"]}
        submitted.write_properties(plain.folder, self.properties(plain))
        command = [str(Path(variables["SPARK_HOME"]) / "bin" / "spark-submit"), *self.options]
        command += ["--properties-file", str(plain.folder / submitted.PROPERTIES)]
        if environment.user_name() is None:  # Hadoop would log the user in for --py-files, and fail
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(plain.bundle), variables.get("PYTHONPATH"))))
        else:
            command += ["--py-files", str(plain.bundle)]
        command += [str(plain.script), "--job", str(plain.job)]
        log = files.folder / "driver.log"
        with log.open("wb") as output:
            if note := environment.note(environment.dropped(os.environ, self.kept)):
                output.write(json.dumps({"flowerexp": {"note": note}}).encode() + b"\n")
                output.flush()
            # A session of its own: Ctrl-C reaches the launcher alone, which then stops the job; and a job whose
            # launcher is killed goes on and leaves its results.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=variables,
                start_new_session=True,
            )
        return LocalSubmission(process.pid, log, process)

    def find(self, folder: Path, handle: dict[str, Any]) -> LocalSubmission | None:
        """See `Backend.find`: a process of that number counts only if it started when the job did."""
        if "token" in handle:
            pid = leader_with(TOKEN, handle["token"])
        else:
            pid = handle["pid"] if start_time(handle["pid"]) == handle["start_time"] else None
        if pid is not None:
            return LocalSubmission(pid, folder / "driver.log")
        submitted.collect(folder)  # whoever started it has not done so
        return None


def workers_environment() -> dict[str, str]:
    """Variables for TensorFlow in a Python worker: fewer messages, and no GPU unless asked for."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }


def configured(cluster: Cluster) -> dict[str, str]:
    """The properties that a cluster's config sets, as Spark reads them."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in cluster.spark.items()}
