"""Explain in one line why a run failed: an exception of the driver, of a task on an executor, or of Spark itself.

Spark reports a task's exception to the driver as the text of its traceback, inside a Java exception. This module takes
the task's own exception out of that text, and separates failures of the machine (a killed worker, no more memory or
disk, a lost node) from errors of the experiment.
"""

from __future__ import annotations

import errno
import re
import traceback
from pathlib import PurePath
from typing import NamedTuple

from flowerexp.errors import ClusterError, FlowerexpError, JobError, MachineError, from_os_error, from_traceback

_LONGEST = 300  # characters of a foreign exception's message

_BEGIN = "Traceback (most recent call last):\n"
_JAVA = re.compile(r"\n(?:\tat |\s*SQLSTATE: |\s*Driver stacktrace:|Caused by: )")
_FRAME = re.compile(r'^ +File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$', re.M)
_LIBRARY = re.compile(r"/pyspark(\.zip)?/|/site-packages/|/dist-packages/|/lib/python3|^<")
_FLOWEREXP = re.compile(r"/flowerexp/workload/")
_NODE = re.compile(r"\{\{.*?\}\}")  # how TensorFlow names a node of its graph
_OS_ERROR = re.compile(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?$")

_DOING = {
    "list": "listing",
    "generate": "generating",
    "prepare": "preparing",
    "check": "checking",
    "warm_up": "warming up",
    "measure": "measuring",
}

# Errors of the operating system that the machine causes, not the config; in addition to all errors of connections.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.ESTALE}


class _Loss(NamedTuple):
    """A failure of the machine: the pattern of Spark's message, what it means, and what to do."""

    message: re.Pattern[str]
    meaning: str
    hint: str


NO_MODULE = (
    "put it beside the script, which is shipped with it, or list it in entrypoint.requires, which clusters in "
    "the cloud install with cluster.packages=stage"
)
"""What to do about a module that cannot be imported."""

_MEMORY = "give it more memory, or run less beside it; flowerexp resume repeats a sweep's run"
_AGAIN = "see its log; flowerexp resume repeats a sweep's run"
_LOSSES = [
    _Loss(re.compile(message), meaning, hint)
    for message, meaning, hint in (
        (r"No space left on device|Disk quota exceeded", "the disk is full", "free some space, and repeat the run"),
        (r"java\.lang\.OutOfMemoryError", "Spark's Java process ran out of memory",
         "raise cluster.memory, or cluster.executor_memory for executors; flowerexp resume repeats a sweep's run"),
        (r"exceeding .*memory limits|OOMKilled|exited with code 137",
         "an executor was killed (out of memory?)", _MEMORY),
        (r"ExecutorLostFailure|ExecutorDeadException|FetchFailed", "an executor was lost", _AGAIN),
        (r"Python worker (exited unexpectedly|failed to connect back)|waiting for the Python worker to connect back",
         "a Python worker was killed (out of memory?)", _MEMORY),
        (r"SparkContext was shut ?down|stopped SparkContext|Answer from Java side is empty|connect to the Java server",
         "Spark was shut down", _AGAIN),
    )
]  # fmt: skip


def explained(error: BaseException, phase: str = "") -> FlowerexpError:
    """The error to show to the user for an exception.

    Args:
        error: the exception that the driver caught.
        phase: the phase of the run that it ended.

    Returns:
        A `FlowerexpError` as it was raised, in the driver or on an executor; else an error that names the exception's
        type, message and place. It is a `MachineError` or `ClusterError` if the machine is to blame.
    """
    if isinstance(error, FlowerexpError):
        return error
    if isinstance(error, OSError):
        return of_the_system(error, "using")
    if type(error).__module__.partition(".")[0] not in ("py4j", "pyspark"):
        return _of_python("".join(traceback.format_exception(error)), phase)
    text = str(error)
    if _BEGIN in text:
        return _of_python(text, phase)
    message = _JAVA.split(text.rpartition("\n: ")[2])[0]
    place = _place("".join(traceback.format_exception(error)))
    return _lost(text, phase) or JobError(f"{type(error).__name__}: {_shortened(message)}{place}")


def is_machines(error: FlowerexpError) -> bool:
    """Whether the machine or the cluster is to blame, so that the same run may succeed at another time."""
    return isinstance(error, MachineError | ClusterError)


def gone(error: FlowerexpError) -> MachineError:
    """The error to show for an error that was raised after Spark had ended."""
    return MachineError(f"Spark was shut down ({_shortened(error.problem)})", hint=_AGAIN)


def of_the_system(error: OSError, doing: str) -> FlowerexpError:
    """The error to show for an operating system's error; a `MachineError` only if the machine causes it.

    Args:
        error: the operating system's error.
        doing: what was being done; see `from_os_error`.
    """
    known = from_os_error(error, doing)
    if error.errno in _MACHINE or isinstance(error, ConnectionError | TimeoutError):
        return known
    return JobError(known.problem, hint=known.hint)


def _of_python(text: str, phase: str) -> FlowerexpError:
    """The error for the last exception in a text that contains tracebacks."""
    last = _JAVA.split(text.rpartition(_BEGIN)[2])[0]
    if known := from_traceback(last):
        return known
    first = next((line for line in last.splitlines() if line and not line.startswith(" ")), "an exception")
    name, _, message = last[last.find(first) :].partition(": ") if ": " in first else (first, "", "")
    name, place = name.strip().rpartition(".")[2], _place(last)
    if name.endswith("MemoryError") or name == "ResourceExhaustedError":
        return MachineError(f"a Python process ran out of memory{_while(phase)} ({name}{place})", hint=_MEMORY)
    if match := _OS_ERROR.search(_shortened(message)):
        number, reason, path = match.groups()
        return of_the_system(OSError(int(number), reason, path), f"using{place}")
    problem = f"{name}: {_shortened(message)}{place}" if message.strip() else f"{name}{place}"
    return JobError(problem, hint=NO_MODULE if name == "ModuleNotFoundError" else None)


def _place(text: str) -> str:
    """Where an exception was raised: the innermost line of a script, else of flowerexp, else of a library."""
    frames = [match.groupdict() for match in _FRAME.finditer(text)]
    outside_libraries = [frame for frame in frames if not _LIBRARY.search(frame["file"])]
    scripts = [frame for frame in outside_libraries if not _FLOWEREXP.search(frame["file"])]
    for frame in (scripts or outside_libraries or frames)[-1:]:
        return f" ({PurePath(frame['file']).name}, line {frame['line']}, in {frame['function']})"
    return ""


def _lost(text: str, phase: str) -> FlowerexpError | None:
    """The error for a failure of the machine that Spark's message names; None if it names none."""
    if fatal := re.search(r"Fatal Python error: .*", text):  # a crash, not a kill; only if Spark's faulthandler is on
        return JobError(f"a Python worker crashed{_while(phase)}: {fatal[0]}")
    for loss in _LOSSES:
        if loss.message.search(text):
            head, bracket, tail = loss.meaning.partition(" (")
            reason = re.search(r"Reason: ([^\n]+)", text)
            because = f": {_shortened(reason[1])}" if reason else ""
            return MachineError(f"{head}{_while(phase)}{bracket}{tail}{because}", hint=loss.hint)
    return None


def _while(phase: str) -> str:
    return f" while {_DOING.get(phase, f'in the phase {phase}')}" if phase else ""


def _shortened(text: str) -> str:
    return " ".join(_NODE.sub("", text).split())[:_LONGEST]
