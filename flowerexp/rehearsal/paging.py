"""Lists in pages, small ones, so that every reader meets a second page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from flowerexp.rehearsal.refusal import invalid

Item = TypeVar("Item")

MOST = 3
"""Items in a page. A service may give fewer than are asked for: https://google.aip.dev/158."""


def page(found: Sequence[Item], asked: str, page_size: int, page_token: str) -> tuple[list[Item], str]:
    """A page of what was found, and the token of the next one, which is empty after the last.

    Args:
        found: all of it.
        asked: what the list is of, its filter for example: a token is only good for the same list.
        page_size: of the request; 0 leaves it to the service.
        page_token: of the request.

    Raises:
        RefusalError: the size is negative, or the token is not one of this list.
    """
    if page_size < 0:
        raise invalid(f"Invalid page size {page_size}.")
    begin = _begin(asked, page_token) if page_token else 0
    end = begin + min(page_size or MOST, MOST)
    return list(found[begin:end]), _token(asked, end) if end < len(found) else ""


def _token(asked: str, begin: int) -> str:
    return base64.urlsafe_b64encode(f"{begin}/{asked}".encode()).decode()


def _begin(asked: str, token: str) -> int:
    try:
        begin, _, of = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        if of == asked:
            return int(begin)
    except ValueError:
        pass
    raise invalid(f"Invalid page token: {token}")
