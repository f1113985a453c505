"""Values of a sweep: written as Hydra's overrides, and compared by what they mean."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from flowerexp.config.hydra_private import grammar_text
from flowerexp.config.overrides import Parser
from flowerexp.config.text import holds_text, written
from flowerexp.errors import ConfigError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/.@-]*")
_RESERVED = re.compile(r"(?i)true|false|null|inf|nan")


def text_of(key: str, value: Any, parser: OverridesParser, where: str) -> str:
    """A value of the config as the right side of an override that means the same.

    Raises:
        ConfigError: Hydra's grammar has no word for it.
    """
    if isinstance(value, str) and holds_text(key) and _stays(key, value, parser):
        return value
    try:
        text = grammar_text(_quoted(value))
        simple = value is None or isinstance(value, int) or text == value
        same = simple or repr(parser.parse_override(f"{key}={text}").value()) == repr(value)
    except (HydraException, AssertionError):
        same = False
    if not same:
        raise ConfigError(f"{key}={value!r} cannot be written as an override", where=where, hint="choose another value")
    return text


def _stays(key: str, text: str, parser: OverridesParser) -> bool:
    """Does a text need no quotes where it is the value of a key that holds text?"""
    try:
        override = parser.parse_override(f"{key}={text}")
    except HydraException:
        return False
    return not override.is_sweep_override() and override.value() == text


def _is_plain(text: str) -> bool:
    """Is it a word that Hydra reads as itself, without quotes?"""
    return bool(_PLAIN.fullmatch(text)) and not _RESERVED.fullmatch(text)


def _quoted(value: Any) -> Any:
    """The same value with quotes around every string that needs them."""
    if isinstance(value, str):
        return value if _is_plain(value) else QuotedString(value, Quote.single)
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if isinstance(value, dict):
        return {key: _quoted(one) for key, one in value.items()}
    return value


def comparable(value: Any, key: str = "") -> str:
    """A form in which values are equal that mean the same: `true` and `"true"`, 1 and 1.0, but not 1 and true.

    Args:
        value: the value.
        key: the key that has it; of one that holds text, the text is compared.
    """
    if isinstance(value, QuotedString):
        value = value.text
    if isinstance(value, list):
        return f"[{','.join(comparable(item, key) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{comparable(name)}:{comparable(one)}' for name, one in value.items()))}}}"
    if holds_text(key):
        return json.dumps(written(value) if isinstance(value, bool | int | float) else value)
    if isinstance(value, str):
        value = value if _is_plain(value) else _read(value)
        if isinstance(value, list | dict):
            return comparable(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, default=str)


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> Any:
    """What Hydra's grammar makes of a value's text; the text itself where that is nothing, or a sweep."""
    try:
        override = Parser.create().parse_override(f"key={text}")
    except HydraException:
        return text
    return text if override.is_sweep_override() else override.value()
