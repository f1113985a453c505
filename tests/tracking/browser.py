"""A real browser without a screen: Chromium, driven through chromedriver by the WebDriver protocol (W3C, 2018)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.tracking import unused_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
MISSING = "" if CHROMIUM and CHROMEDRIVER else "needs Chromium: apt-get install chromium chromium-driver"
PATIENCE = 60.0
"""Seconds that a page may take on a busy machine until it shows what is looked for."""

SIZE = (2200, 1400)
"""Of the window, in pixels."""

_WINDOW = f"--window-size={SIZE[0]},{SIZE[1]}"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", _WINDOW)
# Nothing but loopback is asked for anything: MLflow's pages and Chromium itself would otherwise look for news.
_OFFLINE = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking")


class Browser:
    """One window.

    Args:
        driver: chromedriver's address.
    """

    def __init__(self, driver: str) -> None:
        self._address = driver
        options = {"binary": CHROMIUM, "args": [*_FLAGS, *_OFFLINE]}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        self._session = f"{driver}/session"
        self._session += "/" + self._ask("POST", "", {"capabilities": wanted})["sessionId"]

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._session + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]

    def open(self, address: str) -> None:
        """Go to a page; another fragment of the same page is loaded anew too."""
        self._ask("POST", "/url", {"url": "about:blank"})
        self._ask("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns that runs in the page."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": [*arguments]})

    @property
    def text(self) -> str:
        """What the page shows, as text: what is hidden is not in it."""
        return str(self.run("return document.body.innerText"))

    def shows(self, *texts: str) -> str:
        """Wait until the page shows all these texts; fail with what it shows instead."""
        deadline = time.monotonic() + PATIENCE
        while missing := [text for text in texts if text not in (shown := self.text)]:
            assert time.monotonic() < deadline, f"{missing} not in:\n{shown}"
            time.sleep(0.1)
        return shown

    def until(self, script: str, *arguments: Any) -> Any:
        """Wait until a script returns something, and return that."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < deadline, f"nothing from: {script}\n{self.text}"
            time.sleep(0.1)
        return value

    def enter_frame(self, number: int | None) -> None:
        """Look into a frame of the page, by its number; None is the page itself."""
        self._ask("POST", "/frame", {"id": number})

    def size(self, width: int, height: int) -> None:
        """Make the window another size, in pixels."""
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def picture(self, path: Path) -> None:
        """Write a screenshot."""
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def close(self) -> None:
        """End the browser."""
        with suppress(OSError):
            self._ask("DELETE", "")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, ended with its driver whatever happens."""
    port = unused_port()
    command: Sequence[str] = (str(CHROMEDRIVER), f"--port={port}", "--log-level=OFF")
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, driver)
        made = Browser(address)
        try:
            yield made
        finally:
            made.close()
    finally:
        driver.terminate()
        driver.wait()


def _wait(address: str, driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{address}/status", timeout=PATIENCE) as answer:
                if json.load(answer)["value"]["ready"]:
                    return
        except urllib.error.URLError:
            assert driver.poll() is None, "chromedriver has ended"
        assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.05)
