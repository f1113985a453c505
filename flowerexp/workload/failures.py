"""Why a run failed, in one line: of an exception of the driver, of a task on an executor, or of Spark itself.

Spark tells the driver about a task's exception by the text of its traceback, inside of an exception of Java's. Here the
task's own exception is taken out of that text again; and what was lost to the machine (a worker that was killed, memory
or disk that ran out, a node that went away) is told apart from what the experiment got wrong.
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
_OURS = re.compile(r"/flowerexp/workload/")
_NODE = re.compile(r"\{\{.*?\}\}")  # what TensorFlow says of its graph
_OS_ERROR = re.compile(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?$")

_DOING = {
    "list": "listing",
    "generate": "generating",
    "prepare": "preparing",
    "check": "checking",
    "warm_up": "warming up",
    "measure": "measuring",
}

# Errors of the operating system that say nothing about what was asked for; beside these, all of connections.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.ESTALE}


class _Loss(NamedTuple):
    """Something that Spark says when the machine let it down, what that means, and what to do."""

    said: re.Pattern[str]
    meaning: str
    hint: str


_MEMORY = "give it more memory, or run less beside it; flowerexp resume makes a sweep's run again"
_AGAIN = "see its log; flowerexp resume makes a sweep's run again"
_LOSSES = [
    _Loss(re.compile(said), meaning, hint)
    for said, meaning, hint in (
        (r"No space left on device|Disk quota exceeded", "the disk is full", "free some room, and make the run again"),
        (r"java\.lang\.OutOfMemoryError", "Spark's Java process ran out of memory",
         "raise cluster.memory, of executors cluster.executor_memory; flowerexp resume makes a sweep's run again"),
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
    """What to tell the user about an exception.

    Args:
        error: what the driver caught.
        phase: the phase of the run that it ended.

    Returns:
        An error of ours as it was raised, wherever that was; else one that names the exception's type, message and
        place. A `MachineError` or `ClusterError` if the machine is to blame.
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
    said = _JAVA.split(text.rpartition("\n: ")[2])[0]
    place = _place("".join(traceback.format_exception(error)))
    return _lost(text, phase) or JobError(f"{type(error).__name__}: {_shortened(said)}{place}")


def is_machines(error: FlowerexpError) -> bool:
    """Is the machine, or the cluster, to blame? If so, the same run may well succeed at another time."""
    return isinstance(error, MachineError | ClusterError)


def gone(error: FlowerexpError) -> MachineError:
    """What to tell of an error that was met when Spark was there no more."""
    return MachineError(f"Spark was shut down ({_shortened(error.problem)})", hint=_AGAIN)


def of_the_system(error: OSError, doing: str) -> FlowerexpError:
    """What to tell of an operating system's error; a `MachineError` only if it says nothing about what was asked for.

    Args:
        error: what the operating system said.
        doing: what was being done, as of `from_os_error`.
    """
    told = from_os_error(error, doing)
    if error.errno in _MACHINE or isinstance(error, ConnectionError | TimeoutError):
        return told
    return JobError(told.problem, hint=told.hint)


def _of_python(text: str, phase: str) -> FlowerexpError:
    """The last exception in a text that holds tracebacks."""
    last = _JAVA.split(text.rpartition(_BEGIN)[2])[0]
    if own := from_traceback(last):
        return own
    said = next((line for line in last.splitlines() if line and not line.startswith(" ")), "an exception")
    name, _, message = last[last.find(said) :].partition(": ") if ": " in said else (said, "", "")
    name, place = name.strip().rpartition(".")[2], _place(last)
    if name.endswith("MemoryError") or name == "ResourceExhaustedError":
        return MachineError(f"a Python process ran out of memory{_while(phase)} ({name}{place})", hint=_MEMORY)
    if match := _OS_ERROR.search(_shortened(message)):
        number, reason, path = match.groups()
        return of_the_system(OSError(int(number), reason, path), f"using{place}")
    return JobError(f"{name}: {_shortened(message)}{place}" if message.strip() else f"{name}{place}")


def _place(text: str) -> str:
    """Where an exception was raised: the innermost line of a script, before one of ours, before one of a library."""
    frames = [match.groupdict() for match in _FRAME.finditer(text)]
    scripts = [frame for frame in frames if not _LIBRARY.search(frame["file"])]
    theirs = [frame for frame in scripts if not _OURS.search(frame["file"])]
    for frame in (theirs or scripts or frames)[-1:]:
        return f" ({PurePath(frame['file']).name}, line {frame['line']}, in {frame['function']})"
    return ""


def _lost(text: str, phase: str) -> FlowerexpError | None:
    """What the machine lost, of what Spark says; None if it says nothing of that kind."""
    if fatal := re.search(r"Fatal Python error: .*", text):  # a crash, not a kill; said if Spark's faulthandler is on
        return JobError(f"a Python worker crashed{_while(phase)}: {fatal[0]}")
    for loss in _LOSSES:
        if loss.said.search(text):
            head, bracket, tail = loss.meaning.partition(" (")
            reason = re.search(r"Reason: ([^\n]+)", text)
            because = f": {_shortened(reason[1])}" if reason else ""
            return MachineError(f"{head}{_while(phase)}{bracket}{tail}{because}", hint=loss.hint)
    return None


def _while(phase: str) -> str:
    return f" while {_DOING.get(phase, f'in the phase {phase}')}" if phase else ""


def _shortened(text: str) -> str:
    return " ".join(_NODE.sub("", text).split())[:_LONGEST]
