import csv
import html
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from flowerexp.analysis.report import FILES, make_report
from flowerexp.analysis.report.cells import value_of
from flowerexp.analysis.report.gather import load
from flowerexp.config import plain
from flowerexp.errors import DataError
from flowerexp.measurements.written import write as write_measurements
from tests.analysis.report.page import Page
from tests.analysis.rows import READ_SPEED, WRITE_SHARDS, grid, row, table, written
from tests.analysis.sweeps import SECRET, config, write_partitions, write_run, write_sweep
from tests.tracking.browser import MISSING, browser

pytestmark = pytest.mark.slow
blank = pytest.mark.usefixtures("blank_pictures")

CLUSTERS = {
    "single_node": {"cost/usd": 0.031, "limit/network_mb_s": 250.0, "limit/vcpus": 8, "limit/decode_images_s": 900.0},
    "eight_nodes": {
        "cost/usd": 0.097,
        "limit/network_mb_s": 250.0,
        "limit/network_mb_s/cluster": 1750.0,  # of seven workers
        "limit/vcpus": 14,
        "limit/decode_images_s": 900.0,
    },
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep over everything that has a section of its own, with its report."""
    axes: dict[str, list[Any]] = {"cluster": list(CLUSTERS), "caching": [True, False], "repeat": [1, 2]}
    secret = f"tracking.uri=http://me:{SECRET}@localhost:5000"
    folder = write_sweep(tmp_path_factory.mktemp("sweep"), axes, CLUSTERS, overrides=["sweep.repeats=2", secret])
    assert [path.name for path in make_report(folder).paths] == [*FILES]
    return folder


@pytest.fixture(scope="module")
def page(swept):
    return Page(swept / "report.html")


class TestPage:
    def test_it_is_well_formed_and_ids_are_unique(self, page):
        assert page.open == []
        ids = Counter(value for _, name, value in page.attributes if name == "id")
        repeated = [name for name, count in ids.items() if count > 1]
        assert all(
            re.fullmatch(r"[mp][0-9a-f]{10}", name) for name in repeated
        )  # matplotlib's: equal ids, equal shapes
        targets = re.findall(r'(?:href="|url\()#([^")]+)', page.source)
        assert set(targets) <= set(ids)

    def test_it_loads_nothing(self, page):
        assert page.links
        assert all(link.startswith("#") for link in page.links)
        addresses = set(re.findall(r"https?://[^\s\"'<)&]+", page.source))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://***@localhost:5000"}
        assert not {"script", "link", "iframe", "img", "object"} & {*page.tags}
        assert "@import" not in page.source

    def test_pictures_take_all_their_colours_from_the_page(self, page):
        pictures = re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)
        assert len(pictures) >= 6
        for picture in pictures:
            assert not re.findall(r"#[0-9a-f]{6}\b(?![0-9a-f])", picture)
            assert "<style" not in picture
        used = set(re.findall(r"var\((--[a-z0-9-]+)\)", page.source))
        light, dark, paper = (set(re.findall(r"(--[a-z0-9-]+):", block)) for block in _schemes(page.source))
        assert used - {"--font"} <= light & dark & paper

    def test_it_has_the_sections_that_have_something_to_say(self, page):
        found = ["speed", "runs", "caching", "clusters", "limits", "models", "model", "verdicts", "settings", "again"]
        assert page.sections == found  # there is no event log, so nothing about executors

    def test_every_picture_says_what_it_shows(self, page):
        labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
        assert len(labels) == page.tags["svg"] == page.tags["figcaption"]
        assert all(len(label) > 30 for label in labels)

    def test_no_secret_is_shown(self, swept):
        for name in FILES:
            assert SECRET.encode() not in (swept / name).read_bytes()


def _schemes(source):
    light, rest = source.split("@media (prefers-color-scheme: dark)", 1)
    dark, paper = rest.split("@media print", 1)
    return light, dark, paper


class TestFindings:
    def test_readers_parameters_caching_and_limits_have_their_numbers(self, page):
        text = page.text["findings"]
        assert re.search(
            r"2\.\d\d × TFRecords against image files: 2,\d{3} and 1,\d{3} steady images/s \(95 % interval 2\.", text
        )
        assert "which is a part of the difference" in text
        assert re.search(r"1\.0\d × cluster .* against cluster .*: it may be chance\)", text)
        assert re.search(r"[34]\.\d\d × the wall time of measuring without caching .*5 times instead of 1", text)
        assert "all 8 runs are valid" in text

    def test_the_question_is_made_of_what_varies(self, page):
        assert (
            "Which cluster reads fastest, and at what price, and does caching make a run faster?" in page.text["head"]
        )

    @blank
    def test_the_question_of_an_experiment_stands_in_its_file(self, tmp_path):
        page = Page(make_report(write_partitions(tmp_path)).paths[0])
        assert "Into how many TFRecord files should a data set be written?" in page.text["head"]

    def test_two_partitions_against_sixteen_is_a_number_and_a_picture(self, tmp_path):
        page = Page(make_report(write_partitions(tmp_path)).paths[0])
        assert re.search(
            r"7\.9\d × the tasks at once in phase prepare with shards 16 against 2: 15\.\d and 2",
            page.text["findings"],
        )
        assert "on 16 and 2 of 16 executors; 50% and 6% of the cores were at work" in page.text["findings"]
        assert page.text["executors"].count("(2 cores)") == 32  # 16 strips in each of two pictures
        assert re.search(r"0 prepare 2 16 2 6% 0% 2 of 16 50%", page.text["executors"])

    def test_money_is_compared_where_it_is_known(self, page):
        assert re.search(r"single_node 4 \d+\.?\d* 0\.0310 eight_nodes 4 \d+\.?\d* 0\.0970", page.text["clusters"])

    def test_the_fraction_of_the_ceiling_is_of_the_host(self, page):
        rate, ceiling, share = re.search(
            r"TFRecords eight_nodes 23\.4 ([\d,]+) decoding ([\d,]+) (\d+)%", page.text["limits"]
        ).groups()  # type: ignore[union-attr]
        assert ceiling == "1,800"
        assert float(share) == pytest.approx(100 * float(rate.replace(",", "")) / 1800, abs=0.6)


class TestTables:
    def test_a_line_for_each_run_reader_and_cell(self, swept):
        table = pd.read_csv(swept / "cells.csv", dtype={"run": str})
        assert len(table) == 8 * 2 * 9
        keys = ["run", "cluster", "caching", "repeat", "verdict", "reader", "batch_size", "batch_number"]
        counts = ["repetitions", "images", "seconds", "first_batch_seconds"]
        rates = ["images_per_second", "steady_images_per_second", "median_images_per_second", "low", "high"]
        assert [*table.columns] == [*keys, *counts, *rates, "censored", "executions", "value"]
        rows = pd.read_parquet(swept / "2" / "analysis" / "measurements.parquet")
        own = rows[(rows.reader == "tfrecords") & (rows.batch_size == 4) & (rows.batch_number == 6)]
        first = own[own.execution == 1]
        (line,) = table[
            (table.run == "2") & (table.reader == "tfrecords") & (table.batch_size == 4) & (table.batch_number == 6)
        ].to_dict("records")
        assert (line["repetitions"], line["executions"], line["images"]) == (3, 15, 72)
        assert line["images_per_second"] == pytest.approx(72 / first.seconds.sum())
        assert line["median_images_per_second"] == pytest.approx((first.images / first.seconds).median())
        assert line["low"] < line["median_images_per_second"] < line["high"]
        steady = (first.images - first.first_batch_images).sum() / (first.seconds - first.first_batch_seconds).sum()
        assert line["steady_images_per_second"] == line["value"] == pytest.approx(steady)

    def test_parquet_and_csv_hold_the_same(self, swept):
        one, two = pd.read_csv(swept / "cells.csv"), pd.read_parquet(swept / "cells.parquet")
        assert [*one.columns] == [*two.columns]
        assert np.allclose(one["low"], two["low"].astype(float))
        assert two["caching"].dtype == bool or str(two["caching"].dtype) == "boolean"

    def test_how_sure_cells_are_is_counted(self, swept, page):
        table = pd.read_csv(swept / "cells.csv")
        narrow = table["high"] - table["low"] <= 0.2 * table["median_images_per_second"]
        assert 0 < narrow.sum() < len(table)
        assert f"{narrow.sum()} of {len(table)} single cells have an interval within 10%" in page.text["verdicts"]

    def test_markdown_has_the_same_findings_and_tables(self, swept, page):
        text = (swept / "report.md").read_text()
        assert text.startswith("# Which cluster reads fastest")
        assert text.count("\n- **") == page.tags["b"]
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert all(
            line.count("|") == lines[place - 1].count("|") or "---" not in line for place, line in enumerate(lines)
        )
        assert sum("---" in line for line in lines) == page.tags["table"]


@blank
def test_what_company_on_a_host_costs_has_its_section_and_its_line(tmp_path):
    folder = write_sweep(tmp_path, {"repeat": [1, 2, 3], "measure.concurrency": [1, 2]})
    for name in ("1", "3", "5"):
        path = folder / name / "analysis" / "measurements.parquet"
        rows = pd.read_parquet(path)
        pd.DataFrame(rows.assign(seconds=rows.seconds * 1.6, neighbours=1)).to_parquet(path)
    page = Page(make_report(folder).paths[0])
    assert "How much do measurements on one node slow each other down" in page.text["head"]
    assert re.search(r"image files 2 1\.6\d × 1\.5\d to 1\.6\d 81 of 81 1", page.text["interference"])
    assert re.search(r"TFRecords take 1\.6\d × as long when 2 are measured at once on a host", page.text["findings"])
    line = (
        r"Image files take 1\.6\d × as long when 2 are measured at once \(95 % interval 1\.5\d to 1\.6\d\); TFRecords"
    )
    assert re.match(line, make_report(folder).answer)


def test_repeats_that_disagree_widen_the_interval(tmp_path):
    """Repetitions within a run agree to 5 %, but one run is half as fast as the other: that must be seen."""
    folder = write_sweep(tmp_path, {"repeat": [1, 2]})
    quiet = value_of(load(folder).valued.query("series == 'tfrecords'"), load(folder))
    path = folder / "1" / "analysis" / "summary.json"
    summary = json.loads(path.read_text())
    for group in summary["groups"]:
        group["value"] /= 2
    path.write_text(json.dumps(summary))
    loud = value_of(load(folder).valued.query("series == 'tfrecords'"), load(folder))
    assert quiet is not None
    assert loud is not None
    assert quiet.reach is not None
    assert loud.reach is not None
    assert quiet.reach < 0.2
    assert loud.reach > 10  # two runs are few: one degree of freedom


def test_many_rows_are_aggregated_before_they_are_drawn(tmp_path):
    folder = write_sweep(tmp_path, {"preprocess.shards": [2, 16]})
    small = make_report(folder).paths[0].stat().st_size
    path = folder / "0" / "analysis" / "measurements.parquet"
    rows = pd.read_parquet(path)
    large = pd.concat([rows] * (200_000 // len(rows) + 1), ignore_index=True)
    large["seconds"] *= np.random.default_rng(0).gamma(100, 0.01, len(large))
    large.to_parquet(path)
    html, _, table, _, _ = make_report(folder).paths
    assert html.stat().st_size < 1.5 * small
    assert len(pd.read_csv(table)) == 2 * 2 * 9
    assert "200," in html.read_text()


def test_of_many_settings_the_fastest_are_drawn(tmp_path):
    folder = write_sweep(tmp_path, {"preprocess.shards": [*range(1, 31)]}, repetitions=1)
    rows = pd.read_parquet(folder / "29" / "analysis" / "measurements.parquet")
    rows["seconds"] /= 2
    rows.to_parquet(folder / "29" / "analysis" / "measurements.parquet")
    page = Page(make_report(folder).paths[0])
    assert "These are the 24 best of 30 settings." in page.text["speed"]
    drawn = re.findall(r"shards=(\d+)", page.text["speed"])
    assert len(drawn) == 24
    assert drawn[0] == "30"


@blank
def test_a_report_says_that_models_are_fitted_to_a_sample(tmp_path, monkeypatch):
    folder, said = write_run(tmp_path / "one", config({})), "are fitted to a sample of these: 40 of 54."
    assert said not in Page(make_report(folder).paths[0]).text["models"]
    monkeypatch.setattr("flowerexp.analysis.report.MOST_FITTED", 20)
    assert said in Page(make_report(folder).paths[0]).text["models"]


class TestWhatElseMayLieInAFolder:
    def test_a_single_run_has_a_report_of_its_own(self, tmp_path):
        paths = make_report(write_run(tmp_path / "one", config({}))).paths
        assert [path.parent for path in paths] == [tmp_path / "one" / "analysis"] * 5
        page = Page(paths[0])
        assert "How fast can images be read?" in page.text["head"]
        assert "caching" not in page.sections

    @pytest.mark.parametrize("which", [READ_SPEED, WRITE_SHARDS], ids=lambda which: which.name)
    def test_the_contact_sheet_of_a_run_is_part_of_its_page(self, tmp_path, which):
        chosen = config({}) | {"entrypoint": plain(which)}
        folder = write_run(tmp_path / "one", chosen, rows=[written(0, 1.0)])
        (folder / "results" / "attached").mkdir(parents=True)
        (folder / "results" / "attached" / "contact_sheet.jpg").write_bytes(b"\xff\xd8picture")
        page = Page(make_report(folder).paths[0])
        assert ("img", "src", "data:image/jpeg;base64,/9hwaWN0dXJl") in page.attributes
        assert "Nine of the images" in page.text["written"]

    @blank
    def test_failed_and_missing_runs_are_listed_with_their_reasons(self, tmp_path):
        folder = write_sweep(tmp_path, {"caching": [True, False], "repeat": [1, 2]})
        record = json.loads((folder / "1" / "run.json").read_text())
        record |= {"state": "failed", "error": "no room | left\non device", "verdict": None}
        (folder / "1" / "run.json").write_text(json.dumps(record))
        (folder / "1" / "analysis" / "summary.json").unlink()
        (folder / "2" / "run.json").unlink()
        (folder / "2" / "analysis" / "summary.json").unlink()
        (folder / "journal.jsonl").write_text(
            '{"event":"failed","at":1,"run":"1"}\n{"event":"finished","at":1,"run":"0"}\n'
        )
        page = Page(make_report(folder).paths[0])
        assert "2 of 4 runs are valid; 1 failed or lost" in page.text["findings"]
        assert "no room | left" in page.text["verdicts"]
        assert "not started" in page.text["runs"]
        assert "no room \\| left on device" in (folder / "report.md").read_text()

    def test_a_sweep_in_which_everything_failed_still_has_a_report(self, tmp_path):
        folder = write_sweep(tmp_path, {"caching": [True, False]})
        for name in ("0", "1"):
            (folder / name / "analysis" / "summary.json").unlink()
            (folder / name / "analysis" / "measurements.parquet").unlink()
            record = json.loads((folder / name / "run.json").read_text())
            record |= {"state": "failed", "error": "no Java", "verdict": None, "phases": {}, "facts": {}, "config": {}}
            (folder / name / "run.json").write_text(json.dumps(record))
        (folder / "journal.jsonl").write_text(
            '{"event":"failed","at":1,"run":"0"}\n{"event":"failed","at":1,"run":"1"}\n'
        )
        page = Page(make_report(folder).paths[0])
        assert page.sections == ["runs", "verdicts", "again"]
        assert page.text["verdicts"].count("no Java") == 2

    @pytest.mark.parametrize(
        "rows",
        [
            [written(0, 1.0), written(1, 2.0), written(2, None)],
            [{"latency_ms": 3.5, "batch_size": 2}, {"latency_ms": 4.5, "batch_size": 4}],
            [{"note": "nothing to count"}],
            [{"images": "many", "seconds": True, "reader": 7, "repetition": 2**70, "batch_size": [1]}],
            [row()],
            [row(batch_number=None), row(batch_size=None), row() | {"reader": None}],
        ],
    )
    def test_rows_of_all_kinds_make_a_report(self, tmp_path, rows):
        chosen = config({}) | {"entrypoint": plain(replace(READ_SPEED, name="ping"))}
        page = Page(make_report(write_run(tmp_path / "one", chosen, rows=rows)).paths[0])
        assert {"runs", "verdicts", "again"} <= {*page.sections}
        if "latency_ms" in rows[0]:
            assert re.search(r"median latency_ms .* ping 4", page.text["runs"])

    def test_what_users_write_is_text_and_no_markup(self, tmp_path):
        nasty = "<script>alert('$x_1$')</script>"
        folder = write_sweep(tmp_path, {"cluster": [nasty, "b"]})
        page = Page(make_report(folder).paths[0])
        assert "script" not in page.tags
        assert nasty in page.text["runs"]

    def test_what_users_write_is_no_markup_in_markdown_and_no_formula_in_a_spreadsheet(self, tmp_path):
        values = [
            "<img src=x onerror=hit()>",
            "=cmd|' /C calc'!A0",
            "[a](javascript:hit())",
            "`<script>hit()</script>`",
        ]
        folder = write_sweep(tmp_path / "<img src=x onerror=hit()>", {"cluster": values}, overrides=["a=<b>hit</b>"])
        make_report(folder)
        shown = MarkdownIt("commonmark").enable("table").render((folder / "report.md").read_text())
        tags = {*re.findall(r"<(\w+)", shown)}
        assert not tags & {"img", "script", "svg", "a", "b"}
        text = html.unescape(re.sub(r"<[^>]+>", "", shown))
        assert all(value in text or value.replace("`", "") in text for value in values)
        with (folder / "cells.csv").open(newline="") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
        assert "'=cmd|' /C calc'!A0" in cells
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]

    @pytest.mark.skipif(bool(MISSING), reason=MISSING)
    def test_a_browser_runs_nothing_of_what_users_write(self, tmp_path):
        values = ['<img src=x onerror="window.hit=1">', "<script>window.hit=1</script>", "<svg/onload=window.hit=1>"]
        folder = write_sweep(tmp_path, {"cluster": [*values, "`<img src=x onerror=window.hit=1>`", "plain"]})
        make_report(folder)
        rendered = MarkdownIt("commonmark").enable("table").render((folder / "report.md").read_text())
        (folder / "markdown.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{rendered}</body>")
        with browser() as window:
            for name in ("markdown.html", "report.html"):
                window.open((folder / name).as_uri())
                window.shows(*values)
                assert window.run("return window.hit || document.querySelectorAll('img, script').length") == 0

    @blank
    def test_what_hosts_did_during_measurements_is_told_where_it_is_known(self, tmp_path):
        load = {"cpu_percent": 61.0, "net_bytes_s": 125e6, "load_before": 0.5}
        rows = [one | load for one in grid()] + [row(repetition=9, cpu_percent=61.0)]
        page = Page(make_report(write_run(tmp_path / "one", config({"cluster": "four_nodes"}), rows=rows)).paths[0])
        assert "CPU, % network, MB/s load average before" in page.text["executors"]
        assert "TFRecords a 61 125 0.5" in page.text["executors"]

    def test_what_is_passed_on_names_no_machine_and_no_folder_of_its_writer(self, tmp_path):
        """A local run's host and home say nothing to anyone else; a cluster's hosts do."""
        rows = [one | {"host": "annas-laptop", "cpu_percent": 61.0} for one in grid()]
        local = config({}) | {"home": str(tmp_path)}
        folder = write_run(tmp_path / "outputs" / "one", local, facts={"host": "annas-laptop", "java": "17"}, rows=rows)
        hydra = folder / ".hydra" / "hydra.yaml"
        hydra.parent.mkdir()
        sources = f"[{{path: {tmp_path}/mine/conf, provider: own}}, {{path: {tmp_path}/shipped, provider: main}}]"
        hydra.write_text(
            f"hydra: {{overrides: {{task: [reader=tfrecords, home={tmp_path}]}}, "
            f"runtime: {{cwd: {tmp_path}/here, config_sources: {sources}}}}}"
        )
        page, told = Page(make_report(folder).paths[0]), (folder / "analysis" / "report.md").read_text()
        for text in (page.source, told):
            assert "annas-laptop" not in text
            assert str(tmp_path) not in text
            assert "<code>outputs/one</code>" in text or "`outputs/one`" in text
        assert "`flowerexp --config-dir ../mine/conf reader=tfrecords`" in told
        assert "TFRecords this machine 61" in page.text["executors"]
        assert "java 17" in page.text["settings"]

    @blank
    def test_an_event_log_that_cannot_be_read_costs_its_section_only(self, tmp_path):
        folder = write_partitions(tmp_path)
        for path in folder.glob("jobs/*/events/*"):
            path.write_bytes(b'{"Event":"SparkListenerTaskEnd",\n')
        page = Page(make_report(folder).paths[0])
        assert "executors" not in page.sections
        assert "speed" in page.sections

    @pytest.mark.parametrize("damage", [None, "{}", "{"])
    def test_what_is_no_sweep_and_no_run_is_one_clear_line(self, tmp_path, damage):
        if damage:
            (tmp_path / "run.json").write_text(damage)
        with pytest.raises(DataError, match=r"holds neither a sweep nor a run|is damaged"):
            make_report(tmp_path)


def test_runs_without_measurements_files_are_passed_over(tmp_path):
    folder = write_sweep(tmp_path, {"caching": [True, False]})
    (folder / "0" / "analysis" / "measurements.parquet").unlink()
    write_measurements(table([]), folder / "1" / "analysis" / "measurements.parquet")
    assert Page(make_report(folder).paths[0]).sections[0] == "runs"


def searched(folder: Path, winner: str | None = "single_node") -> dict[str, Any]:
    """The account of a search among three clusters, of which one was aborted and one was not tried."""

    def candidate(name: str, **known: Any) -> dict[str, Any]:
        unknown = dict.fromkeys(("status", "order", "value", "median", "low", "high"))
        return {**unknown, "name": name, **known}

    def tried(name: str, status: str, usd: float, why: str) -> dict[str, Any]:
        known = {"candidate": name, "status": status, "usd": usd, "seconds": usd * 1e4}
        return {**known, "prior": False, "explanation": why}

    best = {"winner": winner, "value": 0.031, "usd": 0.031, "seconds": 310.0, "runner_up": None}
    more = {"runner_up_value": None, "probability_best": 0.77, "runs": 2, "spent_usd": 0.2, "pays_after": 11.2}
    account = {
        "unit": "usd",
        "explanation": "no other is expected to save more",
        "recommendation": {**best, **more},
        "candidates": [
            candidate("single_node", status="finished", order=0, value=0.031, median=0.03, low=0.02, high=0.05),
            candidate("eight_nodes", status="aborted", order=1, median=0.06, low=0.04, high=0.09),
            candidate("forty_nodes", median=0.4, low=0.1, high=0.9),
        ],
        "tries": [
            tried("single_node", "finished", 0.031, "nothing is known yet"),
            tried("eight_nodes", "aborted", 0.04, "expected to save a lot"),
        ],
    }
    (folder / "search.json").write_text(json.dumps(account))
    return account


@blank
def test_a_search_for_a_cluster(tmp_path):
    folder = write_sweep(tmp_path, {"cluster": list(CLUSTERS)}, CLUSTERS)
    assert "search" not in Page(make_report(folder).paths[0]).sections
    account = searched(folder)
    smoked = {"status": "finished", "seconds": 12.0, "usd": 0.004, "error": "", "dropped": None}
    dropped = {**smoked, "candidate": "forty_nodes", "dropped": "its smoke run took longer"}
    account |= {"smoke": [{**smoked, "candidate": "single_node"}, dropped]}
    account["tries"].append({**account["tries"][0], "candidate": "forty_nodes", "status": "dropped", "usd": None})
    (folder / "search.json").write_text(json.dumps(account))
    page = Page(make_report(folder).paths[0])
    assert page.sections[0] == "search"
    text = page.text["search"]
    assert "Rent single_node : $0.031 and 310 seconds a run." in text
    assert "With 77% confidence, no untried cluster is better." in text
    assert "after 12 production runs" in text
    for words in ("expected to save a lot", "forty_nodes", "aborted", "dollars a run"):
        assert words in text
    assert "each of 2 clusters made a smoke run on a small share of the data; 1 were left out" in text
    assert "its smoke run took longer" in text
    assert text.count("nothing is known yet") == 1, "what was dropped was not tried"
    searched(folder, winner=None)
    text = Page(make_report(folder).paths[0]).text["search"]
    assert "No cluster can be recommended" in text
    assert "smoke" not in text
    (folder / "search.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        make_report(folder)
