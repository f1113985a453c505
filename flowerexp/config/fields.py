"""Helpers that make the fields of config classes: a key's default, and what values it may have.

`metadata` of a field may hold ``min`` and ``max`` (inclusive, for a number or for each item of a list), ``above``
(exclusive), ``choices`` (for a string or each item), ``pattern`` (likewise, with ``pattern_wanted`` and
``pattern_hint``, a text or a function of the value), ``length`` (of a list), ``nonempty``, ``texts`` (an open
mapping whose values are text), ``share`` (of a number that may be written with a ``%``), and ``hint`` (what to do about
a wrong value).

``role`` says what a key is for where no result depends on it, see `flowerexp.config.roles`: ``place`` is where things
are kept and logged on this machine, ``account`` where and within which limits the cloud is used, ``sweep`` how runs are
made of one command. A key without a role is part of what is measured.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from omegaconf import MISSING

MEMORY = {"pattern": r"[1-9]\d{0,8}[kmgtKMGT]", "pattern_wanted": "a size", "pattern_hint": "write 512m or 2g"}
"""A size in Spark's notation."""
ACCOUNT = {"role": "account"}
MOST_SEEDS = 2**63 - 1


def number(**limits: Any) -> Any:
    """A number that must be given."""
    return field(default=MISSING, metadata=limits)


def text(limits: Any, **others: Any) -> Any:
    """A text that must be given."""
    return field(default=MISSING, metadata={**limits, **others})


def optional(limits: Any, **others: Any) -> Any:
    """A value that may be null."""
    return field(default=None, metadata={**limits, **others})


def one_of(*choices: str) -> Any:
    """One of some words, which must be given."""
    return field(default=MISSING, metadata={"choices": choices})


def items(**limits: Any) -> Any:
    """A list of at least one value, which must be given."""
    return field(default=MISSING, metadata={"nonempty": True, **limits})


def spark_memory(default: str = "1g") -> Any:
    """A size in Spark's notation."""
    return field(default=default, metadata=MEMORY)
