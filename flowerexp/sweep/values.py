"""Values of a sweep: written as Hydra's overrides, and compared by what they mean."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from flowerexp.errors import ConfigError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/.@-]*")
_RESERVED = re.compile(r"(?i)true|false|null|inf|nan")


def text_of(key: str, value: Any, parser: OverridesParser, where: str) -> str:
    """A value of the config as the right side of an override that means the same.

    Raises:
        ConfigError: Hydra's grammar has no word for it.
    """
    try:
        text: str = Override._get_value_element_as_str(_quoted(value))
        simple = value is None or isinstance(value, int) or text == value
        same = simple or repr(parser.parse_override(f"{key}={text}").value()) == repr(value)
    except (HydraException, AssertionError):
        same = False
    if not same:
        raise ConfigError(f"{key}={value!r} cannot be written as an override", where=where, hint="choose another value")
    return text


def _is_plain(text: str) -> bool:
    """Is it a word that Hydra reads as itself, without quotes?"""
    return bool(_PLAIN.fullmatch(text)) and not _RESERVED.fullmatch(text)


def _quoted(value: Any) -> Any:
    """The same value with quotes around every string that needs them."""
    if isinstance(value, str):
        return value if _is_plain(value) else QuotedString(value, Quote.single)
    if isinstance(value, list):
        return [_quoted(one) for one in value]
    if isinstance(value, dict):
        return {key: _quoted(one) for key, one in value.items()}
    return value


def comparable(value: Any) -> str:
    """A form in which values are equal that mean the same: `true` and `"true"`, 1 and 1.0, but not 1 and true."""
    if isinstance(value, QuotedString):
        value = value.text
    if isinstance(value, str):
        value = value if _is_plain(value) else _read(value)
    if isinstance(value, list):
        return f"[{','.join(comparable(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{comparable(key)}:{comparable(one)}' for key, one in value.items()))}}}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, default=str)


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> Any:
    """What Hydra's grammar makes of a value's text; the text itself where that is nothing, or a sweep."""
    try:
        override = OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return text
    return text if override.is_sweep_override() else override.value()
