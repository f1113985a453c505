"""`docs/tour.ipynb` runs from its first cell to its last one in a fresh kernel, and shows what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"

pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.timeout(1500)]


def test_every_cell_runs_and_shows_what_it_says(tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOUR.parents[1]), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(book, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert 10 <= len(code) <= 14, "a dozen cells"
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in code]
    assert sum("image/png" in kinds for kinds in shown) == 2, "the pictures"
    assert sum("text/html" in kinds for kinds in shown) == 7, "the run, the sweep, the comparison and the tables"
    text = "".join(output.get("text", "") for cell in code for output in cell.outputs)
    assert "Traceback" not in text
    assert "report.html of" in text
