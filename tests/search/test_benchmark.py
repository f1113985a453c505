"""The replay of a table, as a command: what it makes of tables that lack or repeat things."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.search.conftest import clusters, finished

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cluster_search.py"


def replay(table: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(table), "--seeds", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def table(tmp_path):
    """Two jobs: one on all clusters, of which the cheapest did not complete, and one on three, each measured twice."""
    lines = ["job,machine_type,nodes,vcpus,mem_gb,runtime_s,cost_usd,completed"]
    cheapest = min(clusters(), key=lambda candidate: finished(candidate).cost or 0)
    for job, some in (("a", clusters()), ("b", clusters()[4:7] * 2)):
        for one in some:
            shape, seen = one.shape, finished(one)
            row = (job, one.name.split("x", 1)[1], shape.nodes, shape.vcpus_per_node, shape.memory_gb_per_node)
            done = one.name != cheapest.name or job == "b"
            lines.append(",".join(map(str, (*row, seen.seconds, seen.cost, done))))
    lines.append("b,unheard-of,3,,,,,False")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_all_methods_are_compared(table):
    done = replay(table, "--max-seconds", "median", "--noise", "0.05", "--with-failures")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 jobs of 3 to 20 clusters")
    figures = json.loads(done.stdout.splitlines()[-1])["methods"]
    assert len(figures) == 8
    for parts in figures.values():
        for each in parts.values():
            assert math.isfinite(each["mean"])
            assert each["mean"] >= 1
            assert each["runs"] <= 20
    assert figures["exhaustive"]["all"]["runs"] == 11.5
    assert set(figures["ours (saving)"]) == {"all", "half", "other half"}


def test_a_table_without_the_columns_is_one_line(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("job,nodes\na,1\n")
    done = replay(path)
    assert done.returncode == 1
    assert done.stderr == (
        f"cluster_search: {path} has no column machine_type; it needs job, machine_type, nodes, runtime_s, cost_usd\n"
    )
