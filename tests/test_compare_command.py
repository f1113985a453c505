"""`flowerexp compare`: what it prints, what it pools, and what it refuses."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from urllib.parse import parse_qs, unquote

import pytest

from flowerexp import cli
from flowerexp.comparing.sides import grouped
from flowerexp.comparing.text import url
from flowerexp.measurements.written import write as write_measurements
from flowerexp.tracking import log_run
from flowerexp.tracking.fetch import find
from tests.analysis.rows import grid, table
from tests.tracking import CONFIG, EXPERIMENT, record, write_run

pytest_plugins = ["tests.tracking"]

BASE = CONFIG | {
    "grid": {"reader": ["image_files", "tfrecords"], "batch_size": [2, 4, 6, 8], "batch_number": [3, 6, 12, 18]},
    "measure": {"repetitions": 3},
    "entrypoint": EXPERIMENT | {"uses": ["dataset", "preprocess"]},
    "preprocess": {"shards": 16, "target_size": [192, 192], "quality": 95, "exact": False},
    "repeat": 1,
}


@pytest.fixture
def log(tmp_path, local_store):
    """Log a run that reads `speed` times as fast as others; returns its run_id."""
    count = iter(range(1000))

    def log(speed=1.0, noise=0.05, facts=None, config=None, **changes):
        folder = tmp_path / str(next(count))
        known = record(local_store)["facts"] | {"data_fingerprint": "f1"} | (facts or {})
        content = copy.deepcopy(BASE) | (config or {})
        write_run(
            folder,
            local_store,
            **{"facts": known, "config": content, "verdict": {"state": "valid"}, "sweep_id": None} | changes,
        )
        rows = [row | {"seconds": row["seconds"] / speed} for row in grid(noise=noise)]
        (folder / "results/measurements.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        write_measurements(table(rows), folder / "analysis/measurements.parquet")
        return log_run(folder)

    return log


@pytest.fixture
def call(capsys, local_store):
    """Call the command on the store of these tests; returns the exit code and what was printed."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["compare", *arguments, f"tracking.uri={local_store.uri}"])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def test_prints_ratios_verdicts_what_differs_and_the_address_of_mlflows_page(call, log, local_store):
    ids = [log(), log(3.0, config={"caching": True}, phases={"list": 0.5, "prepare": 0.5, "measure": 10.0})]
    code, out, err = call(*(run_id[:10] for run_id in ids))
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    a, b = (run_id[:8] for run_id in ids)
    assert f"{a} 2023-11-14 {lines[1].split()[2]} read_speed caching=false · local (base)" in lines
    assert f"differs {a} {b}" in lines
    assert "caching false true" in lines
    for reader in ("image_files", "tfrecords"):
        (line,) = [line for line in lines if line.startswith(f"{reader} {b}")]
        assert " 3.000 1." in line
        assert line.endswith(" faster")
    assert f"{b} 10.0 0.50 1.0 -" in lines
    assert "caching changes how long a run takes and how often it measures; rates are those of first executions" in out
    assert "one run a side does not show how far runs differ: 8% is assumed" in out
    assert "all 2 are true together with 95 % (Bonferroni)" in out
    query = parse_qs(out.rpartition("/#/compare-runs?")[2].split(" ")[0])
    experiment = find(local_store, ids[0]).experiment_id
    assert [json.loads(query[key][0]) for key in ("runs", "experiments")] == [ids, [experiment]]
    assert "http://127.0.0.1:5000/#/compare-runs?runs=[%22" in out
    assert "flowerexp ui serves it" in out


def test_a_slower_run_and_one_that_is_alike(call, log):
    ids = [
        log(),
        log(0.25, config={"caching": True}),
        log(config={"repeat": 2, "caching": True, "measure": {"repetitions": 3, "seed": 1}}),
    ]
    out = call(*ids)[1]
    assert sum(line.endswith("slower") for line in out.splitlines()) == 2
    assert sum(line.endswith("inconclusive") for line in out.splitlines()) == 2
    assert out.count(" runs a side would settle it (sweep.repeats=") == 2


def test_runs_that_repeat_each_other_are_one_side(call, log, local_store):
    base = [log(speed, config={"repeat": place}) for place, speed in enumerate((1.0, 1.1, 0.9), start=1)]
    other = [log(speed, config={"repeat": place, "caching": True}) for place, speed in ((1, 1.15), (2, 0.95))]
    ids = [base[0], other[0], *base[1:], other[1]]
    code, out, _ = call(*ids)
    assert code == 0
    assert f"{base[0][:8]} +2" in out
    (line,) = [line for line in out.splitlines() if line.startswith("tfrecords")]
    assert f"{other[0][:8]} +1" in line
    assert line.endswith("inconclusive")
    assert "from the spread of runs that repeat each other" in out
    assert len(grouped([find(local_store, run_id) for run_id in base])) == 3, "of one config alone, each is a side"
    updated = log(facts={"version.numpy": "1.0"})
    assert len(grouped([find(local_store, run_id) for run_id in (*base, updated)])) == 2


def test_says_that_nothing_differs_and_what_is_suspect(call, log):
    ids = [log(), log(verdict={"state": "suspect", "reasons": ["too much noise"]})]
    out = call(*ids)[1]
    assert "differs   nothing: config, code and versions are the same" in out
    assert f"suspect   {ids[1][:8]}: too much noise" in out
    assert sum(line.endswith(" suspect") for line in out.splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"facts": {"data_fingerprint": "f2"}}, "different data (f1 and f2)"),
        ({"config": {"grid": {**BASE["grid"], "batch_size": [2, 4]}}}, "different grid.batch_size"),
        ({"config": {"preprocess": {**BASE["preprocess"], "target_size": [9, 9]}}}, "(192x192 and 9x9)"),
        ({"state": "failed", "error": "no room"}, "failed: no room"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_refuses_what_is_not_comparable_in_a_line(call, log, changes, reason):
    ids = [log(), log(), log(**changes)]
    code, out, err = call(*ids)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith(f"flowerexp: runs {ids[0][:8]} and {ids[2][:8]} cannot be compared: ")
    assert reason in err


def test_refuses_one_run_the_same_run_and_unknown_ones(call, log):
    run_id = log()
    alone = "flowerexp: command line: a comparison needs two runs or a sweep, and a single run is given; usage: "
    assert call(run_id)[2].startswith(alone)
    assert f"run {run_id[:8]} is given twice" in call(run_id, run_id[:9])[2]
    assert "nor MLflow has a run or a sweep '00000000'" in call(run_id, "00000000")[2]
    assert call(run_id, run_id, "trakcing.uri=x")[2].startswith("flowerexp: command line: unknown key trakcing.uri")


def test_a_servers_address_has_no_password(log, local_store):
    run = find(local_store, log())
    server = type(local_store)("https://me:secret@mlflow.example/at/")
    address = url(server, [run, run])
    assert unquote(address) == (
        f'https://mlflow.example/at/#/compare-runs?runs=["{run.run_id}","{run.run_id}"]&experiments=["{run.experiment_id}"]'
    )


def test_importing_the_command_imports_nothing_heavy():
    code = "import sys, flowerexp.commands.compare, flowerexp.commands.rerun; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"mlflow", "numpy", "pyarrow", "pandas", "scipy", "pyspark"} & set(out.split())
