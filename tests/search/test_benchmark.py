"""The replay of a table, as a command: what it makes of tables that lack or repeat things."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.search.conftest import clusters, finished

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def replay(table: Path, *arguments: str, script: str = "cluster_search.py") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), str(table), "--seeds", "2", *arguments]
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


@pytest.mark.long
def test_rules_are_compared_in_pairs_and_held_against_bounds(table):
    renamed = table.read_text().replace("\na,", "\nkmeans_huge_spark15,").replace("\nb,", "\nlr_huge_spark,")
    table.write_text(renamed)
    done = replay(table, "--seeds", "1", script="search_targets.py")
    assert done.returncode == 0, done.stderr
    targets = json.loads(done.stdout.splitlines()[-1])["targets"]
    values = {target["what"]: target["value"] for target in targets}
    assert len(values) == 6 * 2 + 5 + 3 + 2
    assert all(map(math.isfinite, values.values()))
    until = [values[f"runs until {name}, on Ruya's jobs"] for name in ("within 20 %", "within 10 %", "the optimum")]
    assert 1 <= until[0] <= until[1] <= until[2] <= 19
    lines = [line for line in done.stdout.splitlines() if "less that of random 6" in line and " to " in line]
    assert len(lines) == 6
    assert "total of 1 jobs without an estimate" in done.stdout, "of the other the authors of Ruya could not tell"


def test_a_table_of_other_jobs_has_no_figures_of_ruya(table):
    done = replay(table, "--parts", "until", script="search_targets.py")
    assert (done.returncode, done.stderr) == (
        1, f"search_targets: {table} has none of Ruya's jobs; measure --parts worlds alone\n",
    )  # fmt: skip
