"""Join paths and URIs, and check which ones are local."""

from __future__ import annotations


def is_local(uri: str) -> bool:
    """True for a path of this machine, False for a URI with a scheme."""
    return "://" not in uri


def join(root: str, *parts: str) -> str:
    """A path or URI below another."""
    return "/".join([root.rstrip("/"), *parts])
