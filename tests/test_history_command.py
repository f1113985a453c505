"""`flowerexp history`: what it prints and writes, and what it refuses; all of it from a real database."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from flowerexp import cli
from flowerexp.tracking import default_store, ensure
from flowerexp.tracking.client import connect
from tests.tracking.past import commit, day_of, logger

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with eight days on alpha, the last four of them at half the rate, and one on beta."""
    home = tmp_path_factory.mktemp("home")
    store = default_store(home)
    log = logger(home / "runs", store)
    for day in range(8):
        log(day, (100 if day < 4 else 50) + day % 3)
    log(8, 100, {"host": "beta"})
    log(9, state="failed", error="no room", verdict=None)
    return home


@pytest.fixture
def call(capsys, home):
    """Call the command; returns the exit code and what was printed."""

    def call(*arguments, home=home):
        with pytest.raises(SystemExit) as caught:
            cli.main(["history", *map(str, arguments), f"home={home}"])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


def test_prints_each_line_with_its_change_and_what_is_left_out(call):
    code, out, err = call("--where", "caching=false")
    assert (code, err) == (0, "")
    assert out.count("\non alpha, 4 cores, Linux-6.1\n") == 2
    sides = f"between {commit(3)[:8]} ({day_of(3)}) and {commit(4)[:8]} ({day_of(4)}): "
    assert out.count(f"change    {sides}") == 2
    assert out.count("▁") > 2
    assert "worse; nothing else that is recorded changed" in out
    assert "changes   2, looked for in 2 of 4 lines; noise alone finds one" in out
    assert out.endswith("left out  1 run: 1 failed\n")


def test_writes_a_page_json_and_csv(call, tmp_path):
    paths = [tmp_path / name for name in ("a.html", "a.json", "a.csv")]
    code, out, _ = call("read_speed", "--html", paths[0], "--json", paths[1], "--csv", paths[2])
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("written")] == [f"written   {path}" for path in paths]
    assert paths[0].read_text().count("<svg ") == 2
    assert len(json.loads(paths[1].read_text())["lines"]) == 4
    assert len(list(csv.reader(paths[2].open(newline="")))) == 1 + 2 * 9


def test_logs_lines_beside_the_measured_runs(call, home):
    _, out, _ = call("--mlflow")
    assert "MLflow    4 lines in the experiment 'flowerexp history' of sqlite" in out
    store = default_store(home)
    assert len(connect(store).search_runs([ensure(store)])) == 10
    assert call()[1] == out[: out.index("MLflow  ")], "they are in no line"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["raed_speed"],
            "command line: raed_speed is not an experiment or a metric of a run in the store; did you mean",
        ),
        (
            ["caching=true"],
            "command line: caching=true does not name a store; for runs with that value: --where caching",
        ),
        (["--where", "caching"], "--where: caching is not KEY=VALUE; write such as --where caching=true"),
        (["--since", "yesterday"], "--since: yesterday is not a date; write it as 2026-11-01"),
        (["--json", "/no/such/folder/a.json"], "No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_one_line(call, words, message):
    code, _, err = call(*words)
    assert code == 1
    assert err.count("\n") == 1
    assert message in err


def test_values_are_written_as_in_a_config(call):
    assert "alpha" in call("--where", "grid.batch_size=[2, 4]")[1]
    out = call("--where", "caching=true")[1]
    assert out.startswith("no run in the store fits: leave conditions out, or run an experiment first")


def test_an_empty_store_says_what_to_do(call, tmp_path):
    code, out, err = call(home=tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith(f"flowerexp: there are no runs yet in {tmp_path}/mlruns/mlflow.db; run an experiment first")
    assert not list(tmp_path.iterdir())


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from flowerexp.commands import history\n"
        "try: history.main(['--help'])\n"
        "except SystemExit: pass\n"
        "found = {'mlflow', 'numpy', 'scipy', 'pyspark', 'pandas', 'matplotlib', 'hydra'} & {*sys.modules}\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
