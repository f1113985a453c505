"""Cache what an experiment measures on, or see that nothing of it is cached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyspark import StorageLevel


def apply(prepared: Any, level: str | None) -> Any:
    """Persist and materialise every RDD and DataFrame in what was prepared.

    Args:
        prepared: an RDD or DataFrame, or some in a dict, list or tuple; anything else stays as it is.
        level: Spark's name of the storage level; None for Spark's default.
    """
    for one in _datasets(prepared):
        if level:
            one.persist(getattr(StorageLevel, level))
        else:
            one.cache()
        one.count()
    return prepared


def remove(prepared: Any) -> None:
    """Unpersist every RDD and DataFrame in what was prepared."""
    for one in _datasets(prepared):
        one.unpersist()


def _datasets(prepared: Any) -> Iterator[Any]:
    if hasattr(prepared, "unpersist") and hasattr(prepared, "persist"):
        yield prepared
    elif isinstance(prepared, Mapping):
        for one in prepared.values():
            yield from _datasets(one)
    elif isinstance(prepared, list | tuple):
        for one in prepared:
            yield from _datasets(one)
