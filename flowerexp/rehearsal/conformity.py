"""Does a request keep to its definition? What is required is there, what only Google sets is not, and all is known.

Of the definitions (googleapis/google/cloud/dataproc/v1/*.proto) the client libraries have the fields, types and enums.
What `google.api.field_behavior` says of a field (https://google.aip.dev/203) they have in their documentation, as the
first word of what they say of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

_BEHAVIOUR = re.compile(r"^ {8}(\w+) \([^\n]*\):\n +(Required|Output only)\b", re.MULTILINE)


def problems(request: Any) -> list[str]:
    """What is wrong with a request, each with the path of its field; nothing where all is well.

    Args:
        request: a message of a client library, or a plain one, of which only unknown fields are looked for.
    """
    fields = getattr(type(request), "_meta", None)
    # A resource that is updated by a mask holds no more than what changes.
    return list(_problems(request, "", partly=fields is not None and "update_mask" in fields.fields))


def _problems(message: Any, path: str, *, partly: bool = False) -> Iterator[str]:
    kind: Any = type(message)
    plain = kind.pb(message) if hasattr(kind, "pb") else message
    yield from (f"{path}: unknown field {each.field_number}" for each in UnknownFieldSet(plain))
    if not hasattr(kind, "_meta"):
        return
    behaviour = _behaviour(kind)
    for name, field in kind._meta.fields.items():
        where = f"{path}.{name}".lstrip(".")
        there = bool(field.repeated and getattr(message, name)) or (not field.repeated and name in message)
        if behaviour.get(name) == "Required" and not there and not (partly and path):
            yield f"{where}: required, and not set"
        if behaviour.get(name) == "Output only" and there:
            yield f"{where}: only Google sets it"
        if there:
            yield from _within(getattr(message, name), field, where, partly)


def _within(value: Any, field: Any, where: str, partly: bool) -> Iterator[str]:
    each: Iterable[Any] = value.values() if hasattr(value, "values") else value if field.repeated else [value]
    if field.enum:
        known = {int(member) for member in field.enum}
        yield from (f"{where}: unknown value {int(one)} of {field.enum.__name__}" for one in each if one not in known)
    elif field.message:
        for one in each:
            if hasattr(one, "_pb") or hasattr(one, "DESCRIPTOR"):  # else one that the library turns into Python's own
                yield from _problems(one, where, partly=partly)


@functools.cache
def _behaviour(kind: Any) -> dict[str, str]:
    return dict(_BEHAVIOUR.findall(kind.__doc__ or ""))
