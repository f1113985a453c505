"""Event logs in Spark's own format: the lines of a real log of Spark 4, with other executors, tasks and times."""

import json
from pathlib import Path
from typing import Any

START = 1_795_446_796.0


def executor(name: str, host: str, cores: int, at: float = 0.0) -> dict[str, Any]:
    return {
        "Event": "SparkListenerExecutorAdded",
        "Timestamp": _ms(at),
        "Executor ID": name,
        "Executor Info": {
            "Host": host,
            "Total Cores": cores,
            "Log Urls": {},
            "Attributes": {},
            "Resources": {},
            "Resource Profile Id": 0,
        },
    }


def removed(name: str, at: float) -> dict[str, Any]:
    return {
        "Event": "SparkListenerExecutorRemoved",
        "Timestamp": _ms(at),
        "Executor ID": name,
        "Removed Reason": "Command exited with code 137",
    }


def job(stage: int, phase: str | None, at: float = 0.0) -> dict[str, Any]:
    described = {} if phase is None else {"spark.job.description": phase}
    properties = {"spark.rdd.scope.noOverride": "true", "callSite.short": "collect at read_speed.py:1", **described}
    about = {"Stage ID": stage, "Stage Attempt ID": 0, "Details": 'a stack trace "Event":"SparkListenerTaskEnd"'}
    return {
        "Event": "SparkListenerJobStart",
        "Job ID": stage,
        "Submission Time": _ms(at),
        "Stage Infos": [about],
        "Stage IDs": [stage],
        "Properties": properties,
    }


def task(
    stage: int,
    name: str,
    start: float,
    end: float,
    run: float | None = None,
    gc: float = 0.0,
    lost: bool = False,
    **more: int,
) -> dict[str, Any]:
    """A task of an executor, from `start` to `end` seconds; its run time is all of that but 10 ms, unless given."""
    metrics = {
        "Executor Deserialize Time": 5,
        "Executor Deserialize CPU Time": 31972113,
        "Executor Run Time": round(1000 * (end - start if run is None else run)) - (10 if run is None else 0),
        "Executor CPU Time": 60929397,
        "Peak Execution Memory": 0,
        "Result Size": 1465,
        "JVM GC Time": round(1000 * gc),
        "Result Serialization Time": 1,
        "Memory Bytes Spilled": 0,
        "Disk Bytes Spilled": 0,
        "Shuffle Read Metrics": {
            "Remote Blocks Fetched": 0,
            "Local Blocks Fetched": 0,
            "Fetch Wait Time": 0,
            "Remote Bytes Read": more.get("remote", 0),
            "Remote Bytes Read To Disk": 0,
            "Local Bytes Read": more.get("local", 0),
            "Total Records Read": 0,
        },
        "Shuffle Write Metrics": {
            "Shuffle Bytes Written": more.get("written", 0),
            "Shuffle Write Time": 0,
            "Shuffle Records Written": 0,
        },
        "Input Metrics": {"Bytes Read": 0, "Records Read": 0},
        "Output Metrics": {"Bytes Written": 0, "Records Written": 0},
        "Updated Blocks": [],
    }
    event = {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": stage,
        "Stage Attempt ID": 0,
        "Task Type": "ResultTask",
        "Task End Reason": {"Reason": "ExecutorLostFailure" if lost else "Success"},
        "Task Info": {
            "Task ID": 1,
            "Index": 1,
            "Attempt": 0,
            "Partition ID": 1,
            "Launch Time": _ms(start),
            "Executor ID": name,
            "Host": "a",
            "Locality": "PROCESS_LOCAL",
            "Speculative": False,
            "Getting Result Time": 0,
            "Finish Time": _ms(end),
            "Failed": lost,
            "Killed": False,
            "Accumulables": [],
        },
    }
    return event if lost else {**event, "Task Metrics": metrics}


def cluster(
    partitions: int, executors: int = 16, cores: int = 2, seconds: float = 32.0, name: str = "application_1"
) -> list[dict[str, Any]]:
    """A job that writes `partitions` files on a cluster: the same work, cut into so many tasks."""
    slots = [str(1 + place // cores) for place in range(executors * cores)]
    each = seconds / partitions
    tasks = [task(0, slots[place * cores % len(slots)], 1 + 0.001 * place, 1 + each) for place in range(partitions)]
    return [
        {"Event": "SparkListenerLogStart", "Spark Version": "4.3.0"},
        {"Event": "SparkListenerApplicationStart", "App Name": "x", "App ID": name, "Timestamp": _ms(0)},
        *(executor(str(place + 1), f"node-{place // 2}", cores, 0.1) for place in range(executors)),
        job(0, "prepare", 1),
        *tasks,
        {
            "Event": "SparkListenerApplicationEnd",
            "Timestamp": _ms(max(one["Task Info"]["Finish Time"] / 1000 - START for one in tasks)),
        },
    ]


def write(events: list[dict[str, Any]], path: Path) -> Path:
    """Write a log as Spark does: without spaces, a line an event."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    return path


def _ms(at: float) -> int:
    return round(1000 * (START + at))
