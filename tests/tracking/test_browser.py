"""What people see of a real sweep in MLflow's own pages, in a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowerexp.tracking import Store
from tests.command import Home
from tests.tracking import is_up, unused_port, wait_for
from tests.tracking.browser import MISSING, SIZE, Browser, browser

pytest_plugins = ["tests.tracking"]
pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

SERVE = "import sys, flowerexp.tracking as t; sys.exit(t.serve(t.Store(sys.argv[1]), port=int(sys.argv[2])))"
SWEEP = ("-m", "preprocess.shards=2,4", "caching=true,false", "dataset.images=40")
GRID = ("grid.batch_size=[2,4]", "grid.batch_number=[2,3]", "measure.repetitions=2")
NAMES = {f"shards={shards} caching={caching} · read_speed" for caching in ("true", "false") for shards in (2, 4)}
SETTINGS = {
    f"setting/{reader} shards:{shards} caching:{caching}"
    for reader in ("image_files", "tfrecords")
    for shards in (2, 4)
    for caching in ("true", "false")
}
RATES = ["image_files/images_per_second", "tfrecords/images_per_second"]
VARIED = ["caching", "preprocess.shards"]

CELLS = "return [...document.querySelectorAll(arguments[0])].map(cell => cell.innerText)"
TEXTS = """
    const found = [...document.querySelectorAll(arguments[0])].map(text => text.textContent);
    return arguments[1].every(text => found.includes(text)) && found
"""
FITS = """
    const found = [...document.querySelectorAll('.ag-cell[col-id="attributes.`Run Name`"] a')];
    return found.length > 0 && found.every(one => one.scrollWidth <= one.clientWidth)
"""
ML = "workflowType=machine_learning"
SHOW_MORE = (
    "[...document.querySelectorAll('button')].filter(one => one.innerText == 'Show more').forEach(one => one.click())"
)
LINK = "return ([...document.links].find(one => one.innerText == arguments[0]) || {}).href"
POINTS = """
    const lines = [...document.querySelectorAll('.js-plotly-plot')].flatMap(one => one.data || []);
    return lines.some(line => JSON.stringify(line).includes(arguments[0]) && line.x.length >= arguments[1])
"""
DRAWN = {
    "charts": "[...document.querySelectorAll('text')].some(one => one.textContent == 'caching')",
    "lines": "document.querySelector('.js-line')",
    "system": "document.querySelector('.js-line')",
}
"""What says of a page with charts that they are there."""
QUIET = "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')"
LARGEST = "return Math.max(0, ...[...document.images].map(image => image.naturalWidth))"
PICTURES = """
    return [...document.querySelectorAll('svg[role=img]')].map(one => {
        const {width, height} = one.getBoundingClientRect();
        return [width, height, one.querySelectorAll('path').length];
    })
"""


@dataclass(frozen=True)
class Pages:
    """MLflow's pages of a sweep: a browser, their address, the runs in MLflow, and the page that the sweep named."""

    browser: Browser
    address: str
    runs: dict[str, str]  # each one's run_id, by its name
    page: str
    artifacts: Path

    @property
    def summary(self) -> str:
        """The run_id of the sweep's summary."""
        (summary,) = [run_id for name, run_id in self.runs.items() if name not in NAMES]
        return summary

    def open(self, page: str) -> Browser:
        self.browser.open(f"{self.address}/#{page}")
        return self.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = Home(tmp_path_factory.mktemp("browser"))
    answer = home(*SWEEP, *GRID)
    assert answer.code == 0, answer.err
    page = re.search(r"^page +http://127\.0\.0\.1:5000/#(/\S+)$", answer.err, re.MULTILINE)
    assert page, answer.err
    port = unused_port()
    command = [sys.executable, "-c", SERVE, f"sqlite:///{home.path}/mlruns/mlflow.db", str(port)]
    with (home.path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        runs = {run.info.run_name: run.info.run_id for run in home.logged()}
        wait_for(lambda: is_up(port), lambda: server.poll() is not None)
        with browser() as made:
            yield Pages(made, f"http://127.0.0.1:{port}", runs, page[1], home.path / "mlruns" / "artifacts")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def column(browser: Browser, name: str) -> list[str]:
    """What stands in the cells of a column of the table of runs, without the line of the sweep itself."""
    cells = browser.run(CELLS, f'.ag-center-cols-container .ag-cell[col-id="{name}"]')
    return sorted(cell for cell in cells if cell != "-")


def test_the_table_of_runs_has_their_names(pages):
    pages.open("/experiments/1/runs").shows(*NAMES, "5 matching runs")


def test_the_sweep_s_page_has_what_was_varied_and_how_fast_it_was_as_columns(pages):
    shown = pages.open(pages.page).shows(*NAMES, *RATES, *VARIED, "flowerexp.verdict", "5 matching runs")
    assert "Model training" in shown
    pages.browser.until(FITS)  # no name is cut off
    assert column(pages.browser, "params.`caching`") == ["false", "false", "true", "true"]
    assert column(pages.browser, "params.`preprocess.shards`") == ["2", "2", "4", "4"]
    for rate in RATES:
        assert [float(cell) > 0 for cell in column(pages.browser, f"metrics.`{rate}`")] == 4 * [True]
    verdicts = column(pages.browser, "tags.`flowerexp.verdict`")
    assert len(verdicts) == 4
    assert set(verdicts) <= {"valid", "suspect"}


def test_the_chart_view_has_a_section_for_each_reader(pages):
    pages.open("/experiments/1/runs?compareRunsMode=CHART").shows("tfrecords\n(", "image_files\n(", "time\n(", *NAMES)


def test_the_sweep_s_charts_begin_with_what_was_varied_and_how_fast_it_was(pages):
    sections = ["what was varied\n(1)", "what was measured\n(4)", "image_files\n(", "tfrecords\n(", "time\n("]
    shown = pages.open(f"{pages.page}&compareRunsMode=CHART").shows(*sections, *NAMES)
    assert sorted(sections, key=shown.index) == sections
    pages.browser.until(TEXTS, "text", VARIED)


def test_the_compare_page_opens_with_what_was_varied_and_the_headline(pages):
    compared = json.dumps([pages.runs[name] for name in sorted(NAMES)], separators=(",", ":"))
    pages.open(f'/compare-runs?runs={compared}&experiments=["1"]').shows(*NAMES, "Parallel Coordinates Plot")
    assert pages.browser.until(TEXTS, ".axis-title", VARIED) == [*VARIED, "image_files/steady_images_per_second"]
    pages.browser.until(TEXTS, ".parcoords .tick text", ["true", "false"])


def test_a_plot_is_rendered_among_the_artifacts(pages):
    run_id = pages.runs[min(NAMES)]
    plot = pages.artifacts / run_id / "artifacts" / "analysis" / "rates.png"
    (width,) = struct.unpack(">I", plot.read_bytes()[16:20])  # PNG's header, which comes first
    pages.open(f"/experiments/1/runs/{run_id}/artifacts/analysis/rates.png").shows("rates.png")
    pages.browser.until(f"{LARGEST} == arguments[0]", width)


def test_the_measurements_are_a_table_among_the_artifacts(pages):
    page = pages.open(f"/experiments/1/runs/{pages.runs[min(NAMES)]}/artifacts/measurements.json")
    shown = page.shows("View as table", "batch_size", "batch_number", "repetition", "execution")
    assert re.search(r"\b(image_files|tfrecords)\s+[24]\s+[23]\s+[12]\s+1\b", shown)


def test_a_run_s_page_has_its_question_its_picture_and_its_data(pages):
    run_id = pages.runs[min(NAMES)]
    page = pages.open(f"/experiments/1/runs/{run_id}?{ML}")
    shown = page.shows("How fast can images be read?", "synthetic (", "Parameters (")
    assert "GenAI" not in shown.partition("Experiments")[2]
    assert 10 <= int(re.findall(r"Parameters \((\d+)\)", shown)[0]) <= 15
    page.run(SHOW_MORE)
    page.open(page.until(LINK, "A picture of what was measured"))
    page.until(f"{LARGEST} > 600")


def test_a_run_s_repetitions_and_hosts_are_lines(pages):
    run_id = pages.runs[min(NAMES)]
    page = pages.open(f"/experiments/1/runs/{run_id}/model-metrics")
    page.shows("by repetition\n(2)", "tfrecords steady_images_per_second", "Step")
    page.until(POINTS, "by repetition/tfrecords", 2)
    page = pages.open(f"/experiments/1/runs/{run_id}/system-metrics")
    page.shows("cpu_utilization_percentage", "memory_available_megabytes")
    page.until(POINTS, "system/cpu_utilization_percentage", 16)


def test_the_summary_s_page_has_the_answer_and_a_metric_for_each_setting(pages):
    from flowerexp.tracking.client import connect

    # Only valid runs have a setting's metric, and a slow machine makes runs suspect: the store says which there are.
    logged = connect(Store(f"sqlite:///{pages.artifacts.parent}/mlflow.db")).get_run(pages.summary).data.metrics
    settings = {name for name in logged if name.startswith("setting/")}
    assert settings <= SETTINGS
    page = pages.open(f"/experiments/1/runs/{pages.summary}?{ML}")
    shown = page.shows("does caching make a run faster?", "sweep/finished", *settings, "Duration")
    number, unit = re.findall(r"Duration\s+([\d.]+)\s*(ms|s|min|h)", shown)[0]
    assert unit in ("min", "h") or (unit == "s" and float(number) > 1)
    page.run(SHOW_MORE)
    page.open(page.until(LINK, "The whole report"))
    page.until("return document.querySelector('iframe')")


def test_nested_runs_would_be_hidden(pages):
    """Why runs are not nested: the day on which this fails, they can be."""
    from flowerexp.tracking.client import connect

    client = connect(Store(f"sqlite:///{pages.artifacts.parent}/mlflow.db"))
    runs = [pages.runs[name] for name in NAMES]
    try:
        for run_id in runs:
            client.set_tag(run_id, "mlflow.parentRunId", pages.summary)
        shown = pages.open(f"/experiments/1/runs?{ML}").shows("sweep ", "5 matching runs")
        assert not [name for name in NAMES if name in shown]
    finally:
        for run_id in runs:
            client.delete_tag(run_id, "mlflow.parentRunId")


@pytest.mark.parametrize(
    ("name", "page", "shows"),
    [
        ("sweep", "{page}", "shards=2"),
        ("charts", "{page}&compareRunsMode=CHART", "what was measured"),
        ("summary", "/experiments/1/runs/{summary}?{ml}", "sweep/finished"),
        ("run", "/experiments/1/runs/{run}?{ml}", "Parameters ("),
        ("lines", "/experiments/1/runs/{run}/model-metrics?{ml}", "by repetition"),
        ("system", "/experiments/1/runs/{run}/system-metrics?{ml}", "cpu_utilization_percentage"),
    ],
)
def test_the_pictures_of_docs(pages, tmp_path, name, page, shows):
    """`FLOWEREXP_PICTURES=docs/images pytest -k pictures` makes those of `docs/mlflow.md` anew."""
    pages.open("/").shows("Welcome")
    pages.browser.run(QUIET)
    pages.browser.size(1500, {"summary": 685, "charts": 1150}.get(name, 860))
    try:
        address = page.format(page=pages.page, summary=pages.summary, run=pages.runs[min(NAMES)], ml=ML)
        pages.open(address).shows(shows)
        pages.browser.run(SHOW_MORE)
        pages.browser.until(f"return {DRAWN.get(name, 'true')}")
        path = Path(os.environ.get("FLOWEREXP_PICTURES", tmp_path)) / f"mlflow-{name}.png"
        pages.browser.picture(path)
        assert 20_000 < path.stat().st_size < 200_000
    finally:
        pages.browser.size(*SIZE)


def test_the_report_is_rendered_among_the_artifacts_with_its_pictures(pages):
    pages.open(f"/experiments/1/runs/{pages.summary}/artifacts/report.html").until(
        "return document.querySelector('iframe')"
    )
    pages.browser.enter_frame(0)
    try:
        pages.browser.shows("How fast", "The runs", "What caching changes", "Run it again")
        pictures = pages.browser.run(PICTURES)
        assert len(pictures) >= 3
        assert all(width > 200 and height > 50 and paths > 5 for width, height, paths in pictures), pictures
    finally:
        pages.browser.enter_frame(None)
