"""The proxy between this machine and a tracking server, which environment variables name."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit


def spare_loopback(uri: str) -> None:
    """Reach a server on this machine itself without a proxy, which could not reach it: MLflow would ask one.

    Args:
        uri: of the server.
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
    """The environment variable that names the proxy through which a server is asked; None where there is none."""
    from requests.utils import get_environ_proxies, select_proxy

    if not select_proxy(uri, get_environ_proxies(uri)):
        return None
    scheme = urlsplit(uri).scheme
    names = [scheme + "_proxy", (scheme + "_proxy").upper(), "all_proxy", "ALL_PROXY"]
    return next((name for name in names if os.environ.get(name)), None)


def hint(uri: str) -> str | None:
    """What to do about a server that does not answer through a proxy; None where it is asked directly."""
    name = variable(uri)
    if name is None:
        return None
    host = urlsplit(uri).hostname
    return f"it was asked through the proxy in {name}: add {host} to NO_PROXY if it is to be reached without"
