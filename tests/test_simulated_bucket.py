"""A run through a simulated bucket says so wherever its numbers are shown, and leaves no server behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Home

pytest_plugins = ["tests.tracking"]

SMALL = (
    *("dataset.images=40", "preprocess.shards=2", "grid.reader=[tfrecords_native]", "grid.batch_size=[4]"),
    *("grid.batch_number=[3]", "measure.repetitions=2", "measure.warm_up_seconds=1", "storage.latency_ms=1"),
)
SAID = "simulated: 1 ms to the first byte"


def servers() -> set[str]:
    """The processes that serve a simulated bucket."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"simulated_server" in path.read_bytes():
                found.add(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.spark
@pytest.mark.long
def test_plan_screen_rows_report_and_mlflow_say_so_and_the_server_ends(tmp_path):
    home, before = Home(tmp_path), servers()
    assert f"bucket    {SAID}" in home("plan", *SMALL).out
    answer = home(*SMALL)
    assert answer.code == 0, answer.err
    assert f"bucket    {SAID}" in answer.out
    assert {row["page_cache"] for row in home.rows()} == {"simulated"}
    (run,) = home.logged()
    assert run.data.tags["simulated_bucket"] == "1 ms to the first byte"
    assert run.data.params["storage.latency_ms"] == "1.0"
    assert home("report", home.runs[-1]).code == 0
    assert SAID in (home.runs[-1] / "analysis" / "report.md").read_text().partition("## ")[0]
    assert servers() <= before
