"""How a report shows its series: a line and a picture, also of many and of a single run."""

import re

import pytest

from flowerexp.analysis.report import make_report
from tests.analysis.report.page import Page
from tests.analysis.rows import grid
from tests.analysis.sweeps import config, write_run, write_sweep

pytestmark = pytest.mark.slow


def test_of_many_series_each_has_a_line_for_each_run(tmp_path):
    rows = grid(sizes=(2, 4), numbers=(3, 6), readers=("image_files", "tfrecords", "image_files_native"))
    folder = write_sweep(tmp_path, {"caching": [True, False]}, rows=rows)
    make_report(folder)
    text = (folder / "report.md").read_text()
    assert "| run | caching | seconds | preparing | warming up | verdict |" in text
    assert "| run | caching | reader | steady images/s | 95 % interval | images/s |" in text
    lines = [line.split(" | ") for line in text.splitlines() if re.match(r"\| [01] \| (true|false) \| \D", line)]
    readers = ["image files", "TFRecords", "image files, native"]
    assert [line[:3] for line in lines] == [
        [run, caching, reader] for run, caching in (("| 0", "true"), ("| 1", "false")) for reader in readers
    ]
    assert all(" to " in line[4] for line in lines)


def test_a_single_run_has_a_picture_of_its_series_the_best_first(tmp_path):
    page = Page(make_report(write_run(tmp_path / "one", config({}))).paths[0])
    picture = next(part for part in re.findall(r"<svg.*?</svg>", page.source, re.DOTALL) if "The best first" in part)
    assert re.findall(r">(TFRecords|Image files)</text>", picture) == ["TFRecords", "Image files"]
