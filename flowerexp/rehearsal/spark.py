"""A local spark-submit that stands for a cluster: runs files of the bucket, in its own folder, without the product."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from flowerexp.cluster import java
from flowerexp.cluster.spark_submit import LOOPBACK, LOOPBACK_ENVIRONMENT, linked_home, spark_home
from flowerexp.rehearsal import wheelhouse
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.executors import Executors
from flowerexp.rehearsal.shims import modules
from flowerexp.rehearsal.state import replace_file

_IMAGE = Path(__file__).parent / "image"
_LEAN_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms64m"
# No image has these: what a job needs of the product, the job brings.
_NEVER_THERE = ("flowerexp", "hydra_plugins", "hydra", "omegaconf", "mlflow")
_HIDDEN = ("PYTHON", "SPARK_", "PYSPARK_", "FLOWEREXP_", "MLFLOW_", "HYDRA_", "GOOGLE_", "DATAPROC_", "PYTEST_")
# How large a cluster is, this machine cannot follow; on a cluster these are about YARN.
_NOT_HERE = (
    "spark.master",
    "spark.submit.",
    "spark.yarn.",
    "spark.dataproc.",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.memory",
    "spark.executor.cores",
    "spark.executor.instances",
    "spark.dynamicAllocation.",
)
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Work:
    """What is to run: URIs in the bucket, and Spark properties.

    `output` is the prefix of the driver's output, which comes `output_late` seconds after its end, if any. `lacks` are
    modules that the image lacks, `has` the only ones that it has, beside Spark and the standard library; None where it
    has all that this machine has. `executors` are processes of their own; without any, the driver does all tasks. The
    last `late` of them come later, by `Executors.let_come`. One of them is taken away once something was measured, if
    it `preempts`.
    """

    main: str
    output: str
    args: list[str] = field(default_factory=list)
    python_files: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    jars: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    has: list[str] | None = None
    event_log: str = ""
    output_late: float = 0.0
    executors: int = 0
    late: int = 0
    preempts: bool = False


class Run:
    """One spark-submit. It lives in a session of its own, and survives the service; another service finds it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "driver.log"
        self._file = folder / "run.json"
        self.executors = Executors(folder)

    @property
    def started(self) -> bool:
        """Was it started, by this service or an earlier one?"""
        return self._file.exists()

    def start(self, work: Work, bucket: Bucket) -> None:
        """Fetch the files and start.

        Raises:
            FileNotFoundError: a file is not in the bucket; `str()` is its URI.
        """
        home = self.folder / "work"
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "tmp").mkdir(parents=True)
        home.mkdir()
        if work.executors:
            self.executors.prepare(work.executors, work.late)
        brought = {name for uri in work.archives for name in _unpack(uri, bucket, home)}
        command = ["bash", "-c", '"$@"; code=$?; echo $code > "$0.tmp"; mv "$0.tmp" "$0"', str(self.folder / "exit")]
        command += self._command(work, bucket, home)
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home,
                env=self._environment(work, bucket, brought),
                start_new_session=True,
            )
        found = {"pid": process.pid, "start_time": _start_time(process.pid)}
        replace_file(self._file, json.dumps(found).encode())

    def _command(self, work: Work, bucket: Bucket, home: Path) -> list[str]:
        master = f"local-cluster[{work.executors},1,1024]" if work.executors else "local[2]"
        spark = linked_home(self.folder / "spark", _node()[1])
        command = [str(spark / "bin" / "spark-submit"), "--master", master]
        script = bucket.fetch(work.main, home)
        for option, uris in (("--py-files", work.python_files), ("--files", work.files), ("--jars", work.jars)):
            if uris:
                command += [option, ",".join(str(bucket.fetch(uri, home)) for uri in uris)]
        for name, value in {**_buckets(bucket, self.folder.parent / "hadoop"), **self._properties(work)}.items():
            command += ["--conf", f"{name}={value}"]
        return [*command, str(script), *work.args]

    def _properties(self, work: Work) -> dict[str, str]:
        given = {name: value for name, value in work.properties.items() if not name.startswith(_NOT_HERE)}
        if given.get("spark.eventLog.dir", "").startswith("gs://") or given.get("spark.eventLog.enabled") == "true":
            (self.folder / "events").mkdir(exist_ok=True)
            given["spark.eventLog.dir"] = (self.folder / "events").as_uri()
        jvm = given.pop("spark.driver.extraJavaOptions", "")
        return {
            **LOOPBACK,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "WARN",
            **given,
            **(self.executors.properties(work.executors, _LEAN_JVM) if work.executors else {}),
            "spark.driver.extraJavaOptions": f"{_LEAN_JVM} {jvm}".strip(),
        }

    def _environment(self, work: Work, bucket: Bucket, brought_here: Iterable[str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)}
        given = dict(work.environment)
        brought = [path for path in given.pop("PYTHONPATH", "").split(os.pathsep) if path]
        python, _ = _node()
        return {
            **kept,
            "JAVA_HOME": str(java.find().home),
            "SPARK_HOME": str(self.folder / "spark"),
            **LOOPBACK_ENVIRONMENT,
            "PYSPARK_PYTHON": python,
            "PYSPARK_DRIVER_PYTHON": python,
            "SPARK_LAUNCHER_OPTS": _LEAN_JVM,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join([str(_IMAGE), *brought]),
            "TMPDIR": str(self.folder / "tmp"),
            "SPARK_LOCAL_DIRS": str(self.folder / "tmp"),
            "FAKE_IMAGE_LACKS": ",".join([*_NEVER_THERE, *work.lacks]),
            "STORAGE_EMULATOR_HOST": bucket.host,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "",
            **({} if work.has is None else {"FAKE_IMAGE_HAS": ",".join(_outermost({*work.has, *brought_here}))}),
            **{name: value for name, value in given.items() if not name.startswith("PYSPARK_")},
        }

    def exit_code(self) -> int | None:
        """The exit code; None while it runs; -9 if it went without leaving one."""
        found = json.loads(self._file.read_bytes())
        with contextlib.suppress(ChildProcessError):
            os.waitpid(found["pid"], os.WNOHANG)
        alive = _start_time(found["pid"]) == found["start_time"] is not None
        code = self.folder / "exit"
        if code.exists():
            return int(code.read_text())
        return None if alive else -9

    def preempt(self) -> None:
        """Take an executor away, as with the machine that it is on."""
        self.executors.take_away(json.loads(self._file.read_bytes())["pid"])

    def stop(self) -> None:
        """End it and all that it started: by SIGTERM, and SIGKILL after some seconds."""
        if not self.started or self.exit_code() is not None:
            return
        group = json.loads(self._file.read_bytes())["pid"]
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
            deadline = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < deadline and _lives(group):
                time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, whoever waits for it."""
        if self.started and self.exit_code() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(json.loads(self._file.read_bytes())["pid"], signal.SIGKILL)


def _buckets(bucket: Bucket, folder: Path) -> dict[str, str]:
    """Spark's own way to gs://, for which nodes have a connector: here it leads to folders, which jobs share.

    https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/ViewFsOverloadScheme.html. What Spark writes
    there itself is not seen by the API of Cloud Storage, nor is what the API has seen by Spark.
    """
    found = {"spark.hadoop.fs.gs.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"}
    for name in bucket.names():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        found[f"spark.hadoop.fs.viewfs.mounttable.{name}.linkFallback"] = place.as_uri()
    return found


def _node() -> tuple[str, Path]:
    """The Python of nodes and its SPARK_HOME: those of this process, or of the Python that FAKE_NODE_PYTHON names."""
    python = os.environ.get("FAKE_NODE_PYTHON")
    if python is None:
        return sys.executable, spark_home()
    (home,) = Path(python).parents[1].glob("lib/python*/site-packages/pyspark")
    return python, home


def lacking(lacked: Iterable[str], installed: Iterable[str]) -> list[str]:
    """The modules that a cluster lacks: those that its image does, and that nothing installed."""
    there = set(installed)
    return [name for name in lacked if name not in there and not any(each.startswith(f"{name}.") for each in there)]


def environment_of(properties: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """Environment variables given as properties, such as spark.dataproc.driverEnv.NAME or spark-env:NAME."""
    found: dict[str, str] = {}
    for prefix in prefixes:
        found |= {name.removeprefix(prefix): value for name, value in properties.items() if name.startswith(prefix)}
    return found


def _lives(group: int) -> bool:
    """Is there a process in a group that is not a zombie? Not every machine has an init that buries them."""
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def _outermost(names: Iterable[str]) -> list[str]:
    """Module names without those that lie within another one."""
    found: list[str] = []
    for name in sorted(names):
        if not found or not name.startswith(f"{found[-1]}."):
            found.append(name)
    return found


def _unpack(uri: str, bucket: Bucket, home: Path) -> set[str]:
    """An archive goes into the working directory, under the name after its `#`, else under its own, as YARN has it.

    Returns:
        The modules of packages without contents, see `wheelhouse`: those are this machine's own, and unpacked nowhere.
    """
    plain, _, alias = uri.partition("#")
    archive = bucket.fetch(plain, home.parent)
    target = home / (alias or archive.name)
    target.mkdir()
    if archive.suffix == ".jar":
        shutil.unpack_archive(archive, target, "zip")
    else:
        shutil.unpack_archive(archive, target)
    if not any(target.glob(f"*.dist-info/{wheelhouse.MARK}")):
        return set()
    names = modules([path.relative_to(target).as_posix() for path in target.rglob("*")])
    shutil.rmtree(target)
    return names


def _start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None if there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
