"""Spark's own numbers of what ran in a job group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded(context: Any, group: str) -> Iterator[dict[str, Any]]:
    """Let the body's Spark jobs belong to a group.

    Yields:
        A dict that holds Spark's columns when the body has ended.
    """
    context.setJobGroup(group, group)
    try:
        yield {}
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
