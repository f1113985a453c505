"""Names and texts that MLflow accepts."""

from __future__ import annotations


def name_of(text: str) -> str:
    """A name that MLflow accepts: at most 250 letters, digits and ``_-. :/``, without the paths ``.`` and ``..``."""
    plain = "".join(letter if letter.isalnum() or letter in "_-. :/" else "_" for letter in text)
    return "/".join(part if part.strip(".") else "_" for part in plain.split("/"))[:250]


def shortened(text: str, length: int) -> str:
    """A text that MLflow's store can keep, cut to a length."""
    text = text.encode(errors="backslashreplace").decode()  # a path need not be UTF-8, but text in the store is
    return text if len(text) <= length else f"{text[: length - 3]}..."
