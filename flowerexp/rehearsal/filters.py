"""The filters of list calls: `field = value AND field = value`, see ListClustersRequest and ListJobsRequest."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from flowerexp.rehearsal.refusal import invalid

_CLAUSE = re.compile(r'\s*([\w.-]+)\s*(?:=|:)\s*("[^"]*"|[^\s"]+)\s*')


def parse(text: str) -> dict[str, str]:
    """Field -> value.

    Raises:
        RefusalError: it is no such expression. (Timestamps are not compared here; nothing of ours asks for it.)
    """
    wanted = {}
    for clause in re.split(r"\s+AND\s+", text.strip()) if text.strip() else []:
        for part in re.findall(r'[\w.-]+\s*(?:=|:)\s*(?:"[^"]*"|[^\s"]+)|\S+', clause):
            match = _CLAUSE.fullmatch(part)
            if match is None:
                raise invalid(f"Invalid list filter: {text}")
            wanted[match[1]] = match[2].strip('"')
    return wanted


def matches(wanted: Mapping[str, str], values: Mapping[str, str], groups: Mapping[str, Collection[str]] = {}) -> bool:
    """Does a resource with these values fit?

    Args:
        wanted: field -> value; `*` stands for any.
        values: the resource's.
        groups: values of `status.state` that stand for several states, such as ACTIVE.

    Raises:
        RefusalError: there is no such field.
    """
    for field, value in wanted.items():
        if field not in values and not field.startswith("labels."):
            raise invalid(f"Invalid list filter: unknown field '{field}'")
        actual = values.get(field)
        if actual is None or (value != "*" and actual not in groups.get(value, {value})):
            return False
    return True
