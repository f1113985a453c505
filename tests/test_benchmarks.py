"""`benchmarks/report.py` writes what was measured, also where one of the benchmarks fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

PAGE = """# Benchmarks

Load average before it began: 0.97. 2 of 2 bounds are reached.

## A long sweep

an older measurement | reached |

## Cost against size

an older measurement | reached |
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def report(benchmarks: Path, page: Path, *titles: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(benchmarks / "report.py"), str(page.parent), "--quick", "--page", str(page)]
    return subprocess.run([*command, "--only", *titles], capture_output=True, text=True, check=False)


def test_a_benchmark_that_fails_loses_nothing_of_the_others(tmp_path, page):
    benchmarks = tmp_path / "benchmarks"
    shutil.copytree(ROOT / "benchmarks", benchmarks)
    (benchmarks / "long_sweep.py").write_text("raise SystemExit('out of order')")
    (benchmarks / "scale.py").write_text("print('a table')\nprint('{\"targets\": []}')")
    done = report(benchmarks, page, "A long sweep", "Cost against size")
    assert done.returncode == 1
    assert "out of order" in done.stderr
    assert "failed: A long sweep" in done.stderr
    _, sweep, size = page.read_text().split("\n## ")
    assert "an older measurement" in sweep
    assert "a table" in size


def test_a_section_that_does_not_exist_is_refused(page):
    done = report(ROOT / "benchmarks", page, "A longer sweep")
    assert done.returncode == 2
    assert "'A longer sweep'" in done.stderr
    assert page.read_text() == PAGE


@pytest.mark.long
@pytest.mark.timeout(1200)  # it starts some twenty programs, one after the other
def test_cost_against_size_is_measured(page):
    done = report(ROOT / "benchmarks", page, "Cost against size")
    assert done.returncode == 0, done.stderr
    assert "| sweep: peak MB for 100 |" in page.read_text()
