"""The environment of a job of this machine: which of the user's variables its processes get, and which are set.

What a shell has set for another Spark, another Java or another program would end a job, or change what it measures,
without a word. So it is dropped, with a note.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

_ANOTHER_SPARK = "belongs to another Spark installation"
_ANOTHER_JVM = "changes how Java runs, beside the options that a measurement sets (collector, compiler, memory)"

DROPPED = {
    "SPARK_HOME": _ANOTHER_SPARK,
    "SPARK_CONF_DIR": _ANOTHER_SPARK,
    "SPARK_SUBMIT_OPTS": _ANOTHER_JVM,
    "SPARK_LAUNCHER_OPTS": _ANOTHER_JVM,
    "SPARK_DIST_CLASSPATH": _ANOTHER_SPARK,
    "SPARK_PREPEND_CLASSES": _ANOTHER_SPARK,
    "SPARK_SCALA_VERSION": _ANOTHER_SPARK,
    "SPARK_TESTING": "makes Spark behave as in its own tests",
    "SPARK_REMOTE": "makes PySpark a client of a server elsewhere",
    "SPARK_API_MODE": "makes PySpark a client of a server elsewhere",
    "SPARK_CONNECT_MODE_ENABLED": "makes PySpark a client of a server elsewhere",
    "SPARK_LOCAL_DIRS": "wins over cluster.spark.spark.local.dir",
    "HADOOP_CONF_DIR": "makes the paths of this machine those of another file system",
    "YARN_CONF_DIR": "makes the paths of this machine those of another file system",
    "PYTHONINSPECT": "lets a driver that failed end as if it had not",
    "JAVA_TOOL_OPTIONS": _ANOTHER_JVM,
    "JDK_JAVA_OPTIONS": _ANOTHER_JVM,
    "_JAVA_OPTIONS": _ANOTHER_JVM,
}
"""Variables that a job's processes do not get, and why. `kept` names those that a kind of cluster needs."""

_JAVA_HINT = "; what a job needs of it, set in cluster.spark.spark.driver.extraJavaOptions"

_LOCALE = {
    # Java reads and writes the names of files in the encoding of the locale: in the C locale, é becomes ?.
    "LC_ALL": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


def dropped(environment: Mapping[str, str], kept: Collection[str] = ()) -> dict[str, str]:
    """The variables of an environment that a job does not get as they are, each with the reason.

    Args:
        environment: the launcher's.
        kept: those of `DROPPED` that the kind of cluster needs.
    """
    reasons = {name: reason for name, reason in DROPPED.items() if environment.get(name) and name not in kept}
    if _python_path(environment) != environment.get("PYTHONPATH", ""):
        reasons["PYTHONPATH"] = f"its folders of PySpark are left out: what is there {_ANOTHER_SPARK}"
    return reasons


def note(names: Mapping[str, str]) -> str:
    """One line that says which variables were dropped; empty where none was."""
    if not names:
        return ""
    by_reason: dict[str, list[str]] = {}
    for name, reason in names.items():
        by_reason.setdefault(reason, []).append(name)
    dropped = "; ".join(f"{', '.join(variables)} ({reason})" for reason, variables in by_reason.items())
    return f"the job does not get these environment variables: {dropped}" + (
        _JAVA_HINT if _ANOTHER_JVM in by_reason else ""
    )


def inherited(environment: Mapping[str, str], kept: Collection[str] = ()) -> dict[str, str]:
    """An environment without what `dropped` names, in a locale that knows every letter.

    Args:
        environment: the launcher's.
        kept: those of `DROPPED` that the kind of cluster needs.
    """
    left = {name: value for name, value in environment.items() if name in kept or name not in DROPPED}
    left.pop("PYTHONPATH", None)
    if _python_path(environment):
        left["PYTHONPATH"] = _python_path(environment)
    return {**left, **_LOCALE}


def user_name() -> str | None:
    """The name of this process's user; None where the system knows none, as in many containers."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def has_home() -> bool:
    """Whether Java finds a home folder of this user: it asks the system, not HOME."""
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir).is_dir()
    except KeyError:
        return False


def _python_path(environment: Mapping[str, str]) -> str:
    """PYTHONPATH without the folders and archives that bring a PySpark: the installed one is used."""
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if not _brings_pyspark(entry))


def _brings_pyspark(entry: str) -> bool:
    is_archive = re.fullmatch(r"(py4j|pyspark)[^/]*\.zip", Path(entry).name) is not None
    return bool(entry) and (is_archive or (Path(entry) / "pyspark" / "__init__.py").exists())
