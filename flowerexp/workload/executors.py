"""The executors of a Spark application: wait for them, check their imports, and give a task an executor for itself."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import time
from collections.abc import Mapping
from typing import Any

from flowerexp.errors import ClusterError
from flowerexp.workload import report

WAIT = "spark.flowerexp.executors.wait"
"""The Spark property that says for how many seconds an application waits for its executors; 120 by default."""

_PATIENCE_SECONDS = 120.0
_SETTLED_SECONDS = 2.0
_POLL_SECONDS = 0.1
_LISTED = 5

# Masters on which a task can ask for more than one core of existing executors (Spark 3.5 and later).
_WITH_TASK_PROFILES = ("spark://", "local-cluster[", "k8s://", "yarn")

_profiles: dict[str, Any] = {}


def in_driver(context: Any) -> bool:
    """Whether the driver's process does all tasks, as with the master `local[4]`."""
    return bool(context.master == "local" or context.master.startswith("local["))


def is_gone(context: Any) -> bool:
    """Whether Spark has ended, so that this application cannot be used any more."""
    try:
        return context._jsc is None or bool(context._jsc.sc().isStopped())
    except Exception:  # py4j raises several classes if its Java process is gone
        return True


def cores(context: Any) -> list[int]:
    """The cores of each executor that has registered."""
    return [summary.totalCores() for summary in summaries(context) if summary.id() != "driver"]


def summaries(context: Any, active: bool = True) -> list[Any]:
    """Spark's `ExecutorSummary` of the driver and each executor; with `active=False`, also of those that are gone."""
    found = context._jsc.sc().statusStore().executorList(active)
    return [found.apply(index) for index in range(found.size())]


def asked(context: Any) -> int | None:
    """How many executors the application has asked for; None if that is not known, or may change."""
    conf = context.getConf()
    if conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        return None
    total, each = (int(conf.get(name, "0")) for name in ("spark.cores.max", "spark.executor.cores"))
    return int(conf.get("spark.executor.instances", "0")) or (total // each if each else 0) or None


def lacking(context: Any) -> int:
    """How many executors fewer there are than the application has asked for, as far as that is known."""
    return max(0, (asked(context) or 0) - len(cores(context)))


def wait_until_idle(context: Any) -> None:
    """Wait until no task is active: the tasks of a cancelled job take a while to end, and disturb what follows."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(summary.activeTasks() for summary in summaries(context)):
        if time.monotonic() > deadline:
            report.note("tasks of a cancelled Spark job are still running, and disturb what is measured now")
            return
        time.sleep(_POLL_SECONDS)


def wait(context: Any) -> str:
    """Wait until all executors have registered; if their number is not known, until no further one registers.

    Spark itself waits only if it knows their number, and starts with those that have registered within 30 s.

    Returns:
        What to say if fewer have registered than the application has asked for; else nothing.

    Raises:
        ClusterError: no executor has registered.
    """
    conf = context.getConf()
    expected = int(conf.get("spark.cores.max", "0"))  # of a standalone master; others count executors
    instances = int(conf.get("spark.executor.instances", "0"))
    patience = float(conf.get(WAIT, str(_PATIENCE_SECONDS)))
    deadline = time.monotonic() + patience
    registered: list[int] = []
    changed = time.monotonic()
    while time.monotonic() < deadline:
        now = cores(context)
        if (expected or instances) and sum(now) >= expected and len(now) >= instances:
            return ""
        if now != registered:
            registered, changed = now, time.monotonic()
        if registered and not (expected or instances) and time.monotonic() > changed + _SETTLED_SECONDS:
            return ""
        time.sleep(_POLL_SECONDS)
    within = f"within {patience:.0f} s"
    if not registered:
        raise ClusterError(
            f"no executor started {within}",
            where="cluster",
            hint="check whether the cluster has workers with enough free cores and memory",
        )
    wanted = f"{expected} cores" if expected else f"{instances} executors"
    return f"{len(registered)} executors with {sum(registered)} cores, not {wanted}, started {within}"


def alone(context: Any) -> Any | None:
    """A resource profile with which a task is alone on its executor; None if the master does not support that.

    Preparing data still uses every core, since a profile belongs to a stage. Spark 4 keeps Python workers separate by
    the cores of their tasks, so that a worker is warm only for tasks of the same profile.
    """
    allowed = context.master.startswith(_WITH_TASK_PROFILES)
    conf = context.getConf()
    # With dynamic allocation, Spark would start other executors for the profile.
    if not allowed or conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        return None
    if context.applicationId not in _profiles:
        from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

        least = min(cores(context), default=1)
        enough = least > int(conf.get("spark.task.cpus", "1"))
        requests = TaskResourceRequests().cpus(least)
        _profiles[context.applicationId] = ResourceProfileBuilder().require(requests).build if enough else None
    return _profiles[context.applicationId]


def spread(context: Any, function: Any, profile: Any | None) -> list[Any]:
    """Call a function at the same time on each executor or, without a profile, on each core.

    Args:
        context: the SparkContext.
        function: takes the task's number.
        profile: the profile that `alone` has returned.

    Returns:
        The results.
    """
    count = len(cores(context)) if profile else context.defaultParallelism
    with report.spark_progress(context, count):
        tasks = context.parallelize(range(count), count).map(function)
        answers: list[Any] = (tasks.withResources(profile) if profile else tasks).collect()
    return answers


def check_imports(context: Any, requires: Mapping[str, str]) -> None:
    """Check that the driver and every executor can import what a job needs.

    Args:
        context: the SparkContext.
        requires: the modules, each with the requirement that pip would install.

    Raises:
        ClusterError: a module cannot be imported; the message says which, on which host, and why.
    """
    if not requires:
        return
    names = list(requires)

    def on_executor(_: int) -> tuple[str, dict[str, str]]:
        return socket.gethostname(), {name: why for name in names if (why := _problem(name))}

    # The driver measures nothing, so it looks TensorFlow up without importing it.
    here = {name: "not found" for name in names if not _findable(name)}
    lacking = [(f"{socket.gethostname()} (the driver)", here)] if here else []
    lacking += [answer for answer in spread(context, on_executor, alone(context)) if answer[1]]
    if not lacking:
        return
    missing = sorted({name for _, problems in lacking for name in problems})
    hosts = sorted({host for host, _ in lacking})
    why = next(problems[missing[0]] for _, problems in lacking if missing[0] in problems)
    more = f" and {len(hosts) - _LISTED} more" if len(hosts) > _LISTED else ""
    wanted = " ".join(f"'{requires[name]}'" for name in missing)
    raise ClusterError(
        f"{', '.join(missing)} cannot be imported on {', '.join(hosts[:_LISTED])}{more} ({why})",
        where="cluster",
        hint="nothing was measured; on Dataproc cluster.packages=stage installs it; elsewhere, in the Python of every "
        f"node: pip install {wanted}",
    )


def _findable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # the package that contains it is missing
        return False


def _problem(name: str) -> str | None:
    """Why a module cannot be imported here; None if it can. A damaged module can raise any exception."""
    try:
        importlib.import_module(name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return None
