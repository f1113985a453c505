"""Take secrets out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A number of tokens is no secret, so that word counts at the end of a key only.
_SECRET_KEY = re.compile(r"(?i)(passw(or)?d|secret|credential|(api|access|private)_?key|token$|service_account)")
_USER_IN_URI = re.compile(r"(?<=://)[^/@\s]+@")
HIDDEN = "***"


def redacted(value: Any, key: str = "") -> Any:
    """A copy of a config value in which secrets are hidden.

    Args:
        value: a plain value, list or mapping.
        key: the key that holds it; a value under a key that names a secret is hidden whole.

    Returns:
        The copy; in strings, ``user:password@`` of a URI is hidden.
    """
    if value is not None and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, dict):
        return {name: redacted(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return _USER_IN_URI.sub(f"{HIDDEN}@", value) if isinstance(value, str) else value


def secrets(value: Any, key: str = "") -> Iterator[str]:
    """The secrets in a config, as text.

    Args:
        value: a plain value, list or mapping.
        key: the key that holds it.
    """
    if value is not None and _SECRET_KEY.search(key):
        yield str(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from secrets(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from secrets(inner)
    elif isinstance(value, str) and (user := _USER_IN_URI.search(value)):
        yield user[0].removesuffix("@")


def hide_in(paths: Iterator[Path], config: Any) -> None:
    """Hide a config's secrets in text files that another program wrote.

    Args:
        paths: the files.
        config: the plain config.
    """
    hidden = sorted(set(secrets(config)), key=len, reverse=True)
    for path in paths if hidden else ():
        text = path.read_text(encoding="utf-8")
        for secret in hidden:
            text = text.replace(secret, HIDDEN)
        path.write_text(text, encoding="utf-8")
