"""What people see of our runs in MLflow's own pages, in a real browser."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flowerexp.tracking import Store, log_run
from tests.tracking import is_up, unused_port, wait_for, write_run
from tests.tracking.browser import MISSING, Browser, browser

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

SERVE = "import sys, flowerexp.tracking as t; sys.exit(t.serve(t.Store(sys.argv[1]), port=int(sys.argv[2])))"
NAMES = ("local tfrecords cache=on", "local tfrecords cache=off")


@dataclass(frozen=True)
class Pages:
    """MLflow's pages of a store of ours: a browser, their address, and the ids of our runs."""

    browser: Browser
    address: str
    runs: list[str]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("browser")
    store = Store(f"sqlite:///{home}/mlflow.db")
    runs = []
    for place, name in enumerate(NAMES):
        folder = write_run(home / str(place), store, name=name, run_key=f"key{place}")
        (folder / "analysis" / "report.html").write_text("<!DOCTYPE html><h1>How fast are images read?</h1>")
        runs.append(log_run(folder, store))
    port = unused_port()
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-c", SERVE, store.uri, str(port)], stdout=log, stderr=log)
    try:
        wait_for(lambda: is_up(port), lambda: server.poll() is not None)
        with browser() as made:
            yield Pages(made, f"http://127.0.0.1:{port}/#", runs)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def test_the_table_of_runs_has_their_short_names(pages):
    pages.browser.open(f"{pages.address}/experiments/1/runs")
    pages.browser.shows(*NAMES, "2 matching runs")


def test_the_chart_view_has_a_section_for_each_reader(pages):
    pages.browser.open(f"{pages.address}/experiments/1/runs?compareRunsMode=CHART")
    pages.browser.shows("tfrecords", "image_files", "time", *NAMES)


def test_the_compare_page_has_both_runs_and_the_headline_metric(pages):
    runs = json.dumps(pages.runs, separators=(",", ":"))
    pages.browser.open(f'{pages.address}/compare-runs?runs={runs}&experiments=["1"]')
    pages.browser.shows(*NAMES, "Parallel Coordinates Plot", "image_files/images_per_second_median")


def test_the_report_is_rendered_among_the_artifacts(pages):
    pages.browser.open(f"{pages.address}/experiments/1/runs/{pages.runs[0]}/artifacts/analysis/report.html")
    pages.browser.until("return document.querySelector('iframe')")
    pages.browser.enter_frame(0)
    try:
        pages.browser.shows("How fast are images read?")
    finally:
        pages.browser.enter_frame(None)
