"""Take secrets out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowerexp.config.convert import plain

_KEYS = "api|access|account|private|shared|encryption|signing|storage"
# A number of tokens is not a secret, so that word counts at the end of a key only, or between dots.
_SECRET = (
    rf"passw(or)?d|passphrase|pwd$|secret|credential|authorization|cookie|({_KEYS})[._-]?key|token$|\.token\."
    r"|(^|[._-])(auth|sig)$|service_account"
)
_SECRET_KEY = re.compile(f"(?i){_SECRET}")
# The last @ before the path ends the name and password; Hydra writes : as \: in overrides.
_USER_IN_URI = re.compile(r"(:\\?//)((?:[^/\s]|(?<=\\)/)+)@")
_NAMED = re.compile(r"""([\w.-]+)=("[^"]*"|'[^']*'|[^&;#\s,'"]+)""")
_BEARER = re.compile(r"(?i)\b(bearer\s+)([\w.~+/=-]{8,})")
HIDDEN = "***"
_DECLARED = ("parameters", "limits")
"""Of an experiment: what may be set, by its name, which may be that of a secret; it holds none."""

SPARK_PATTERN = rf"(?i){_SECRET}|://[^/\s]+@|[?&;]\S*({_SECRET.replace('$', '')})\S*="
"""For `spark.redaction.regex`: what Spark leaves out of its event log, by a property's name or its value."""


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return _SECRET_KEY.search(key) is not None


def redacted(value: Any, key: str = "") -> Any:
    """A copy of a config value in which secrets are hidden.

    Args:
        value: a plain value, list or mapping.
        key: the key that holds it; a value under a key that names a secret is hidden whole.

    Returns:
        The copy; in strings, ``user:password@`` of a URI, the value in ``NAME=VALUE`` where the name says that it is a
        secret, and what follows ``Bearer``, are hidden.
    """
    if value is not None and not isinstance(value, bool) and is_secret(key):
        return HIDDEN
    if isinstance(value, dict):
        own = _DECLARED if key == "entrypoint" else ()
        return {name: inner if name in own else redacted(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return _hidden(value) if isinstance(value, str) else value


def redacted_override(override: str) -> str:
    """A `KEY=VALUE` of the command line in which secrets are hidden."""
    key, equals, value = override.partition("=")
    return f"{key}{equals}{redacted(value, key)}"


def _hidden(text: str) -> str:
    text = _USER_IN_URI.sub(rf"\1{HIDDEN}@", text)
    if "=" in text:
        text = _NAMED.sub(lambda named: f"{named[1]}={HIDDEN}" if is_secret(named[1]) else named[0], text)
    return _BEARER.sub(rf"\1{HIDDEN}", text)


def secrets(value: Any, key: str = "") -> Iterator[str]:
    """The secrets in a config, as text.

    Args:
        value: a plain value, list or mapping.
        key: the key that holds it; all that is below a key that names a secret is one.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            if key != "entrypoint" or name not in _DECLARED:
                yield from secrets(inner, key if is_secret(key) else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from secrets(inner, key if is_secret(key) else "")
    elif value is not None and not isinstance(value, bool) and is_secret(key):
        yield str(value)
    elif isinstance(value, str):
        yield from (user[2] for user in _USER_IN_URI.finditer(value))
        yield from (named[2].strip("'\"") for named in _NAMED.finditer(value) if is_secret(named[1]))
        yield from (bearer[2] for bearer in _BEARER.finditer(value))


def hide_in(paths: Iterator[Path], config: Any) -> None:
    """Hide a config's secrets in text files that another program wrote.

    Args:
        paths: the files.
        config: the config, or several.
    """
    hidden = sorted({secret for secret in secrets(plain(config)) if secret}, key=len, reverse=True)
    pattern = re.compile("|".join(map(_as_written, hidden)))
    for path in paths if hidden else ():
        path.write_text(pattern.sub(HIDDEN, path.read_text(encoding="utf-8")), encoding="utf-8")


def _as_written(secret: str) -> str:
    """A pattern of a secret as Hydra's overrides and YAML write it: escaped, quoted, or broken over lines."""
    written = {"'": "'{1,2}", " ": r"[\s\\]+", "\t": r"(?:\t|t)"}
    return "".join(rf"\\*{written.get(letter, re.escape(letter))}" for letter in secret)
