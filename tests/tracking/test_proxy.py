"""A proxy that the environment names: not for this machine itself, and named where it is in the way."""

from __future__ import annotations

import os

import pytest

from flowerexp.errors import TrackingError
from flowerexp.tracking import Store, check_reachable, ensure, proxy
from tests.tracking.test_store import answering

pytest_plugins = ["tests.tracking"]

VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No proxy; what the code sets is taken back."""
    for name in (*VARIABLES, "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_server_on_this_machine_is_asked_directly(variable, monkeypatch):
    asked_proxy: list[str] = []
    asked: list[str] = []
    with answering(503, asked_proxy) as fake, answering(200, asked) as uri:
        monkeypatch.setenv(variable, fake)
        check_reachable(Store(uri))
    assert (asked, asked_proxy) == (["/health"], [])


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("status", [503, 407])
def test_a_proxy_that_is_in_the_way_is_named(variable, status, monkeypatch):
    asked: list[str] = []
    with answering(status, asked) as fake:
        monkeypatch.setenv(variable, fake)
        with pytest.raises(TrackingError, match=f"answers {status}") as found:
            check_reachable(Store("http://tracking.invalid:5000"))
    assert asked == ["http://tracking.invalid:5000/health"]
    assert f"through the proxy in {variable}: add tracking.invalid to NO_PROXY" in str(found.value)


def test_a_proxy_that_is_not_there_is_named_too(free_port, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    with pytest.raises(TrackingError, match="no MLflow server answers") as found:
        check_reachable(Store("http://tracking.invalid:5000"))
    assert "the proxy in HTTP_PROXY: add tracking.invalid to NO_PROXY" in str(found.value)


def test_without_a_proxy_none_is_spoken_of(free_port):
    with pytest.raises(TrackingError) as found:
        check_reachable(Store(f"http://127.0.0.1:{free_port}"))
    assert "proxy" not in str(found.value).lower()


@pytest.mark.parametrize(
    ("uri", "spared"),
    [
        ("http://localhost:5000", "example.org,localhost"),
        ("http://127.0.0.9:5000", "example.org,127.0.0.9"),
        ("http://[::1]:5000", "example.org,::1"),
        ("http://tracking.invalid:5000", "example.org"),
        ("sqlite:////x/mlflow.db", "example.org"),
    ],
)
def test_only_this_machine_is_spared_and_what_is_spared_already_stays(uri, spared, monkeypatch):
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("NO_PROXY", "example.org")
    for _ in range(2):
        proxy.spare_loopback(uri)
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == spared


def test_mlflow_itself_reaches_a_server_on_this_machine(mlflow_server, monkeypatch):
    asked: list[str] = []
    with answering(503, asked) as fake:
        for name in VARIABLES:
            monkeypatch.setenv(name, fake)
        assert ensure(mlflow_server.store)
    assert asked == []
