"""The proxy to a tracking server that environment variables name: whether it is used, and what to do about it."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit


def spare_loopback(uri: str) -> None:
    """Let MLflow reach a server on this machine without the proxy, which could not reach it.

    Args:
        uri: the server's.
    """
    host = urlsplit(uri).hostname or ""
    if not _is_loopback(host):
        return
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [each.strip() for each in spared.split(",") if each.strip()]
    if host not in hosts:
        hosts.append(host)
    for name in ("no_proxy", "NO_PROXY"):  # the first wins where both are set
        os.environ[name] = ",".join(hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def variable(uri: str) -> str | None:
    """The environment variable that names the proxy to a server; None if there is no proxy."""
    from requests.utils import get_environ_proxies, select_proxy

    if not select_proxy(uri, get_environ_proxies(uri)):
        return None
    scheme = urlsplit(uri).scheme
    names = [scheme + "_proxy", (scheme + "_proxy").upper(), "all_proxy", "ALL_PROXY"]
    return next((name for name in names if os.environ.get(name)), None)


def hint(uri: str) -> str | None:
    """What to do about a server that does not answer through a proxy; None without a proxy."""
    name = variable(uri)
    if name is None:
        return None
    host = urlsplit(uri).hostname
    return f"the request went through the proxy in {name}: add {host} to NO_PROXY to reach it without"
