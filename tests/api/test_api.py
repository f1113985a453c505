"""`import flowerexp`: the same runs as on the command line, in this process, as data frames; errors are exceptions."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import flowerexp
from flowerexp.errors import ConfigError, DataError, JobError
from tests.sweep import made

pytestmark = pytest.mark.slow

WORDS = ("entrypoint=write_shards", "dataset.images=40")
SWEPT = ("preprocess.quality=80,90,95", "caching=true,false")


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch:
        yield made.install(patch)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a home, with 'quotes'")


@pytest.fixture(scope="module")
def sweep(world, home):
    """Six runs, of which two fail."""
    world.errors = {90: DataError("no such photograph", hint="look there")}
    return flowerexp.sweep(*WORDS, *SWEPT, home=home)


def test_importing_it_imports_nothing_heavy_and_shows_what_there_is():
    code = (
        "import sys, flowerexp\n"
        "assert {'run', 'sweep', 'load', 'compare', 'Run', 'FlowerexpError'} <= {*dir(flowerexp)}\n"
        "found = {'pandas', 'numpy', 'hydra', 'mlflow', 'pyspark', 'matplotlib', 'pyarrow'} & {*sys.modules}\n"
        "assert not found, found\n"
        "import flowerexp.sweep.labels\n"
        "assert callable(flowerexp.sweep), 'though a package has the same name'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_offered_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'swep'"):
        _ = flowerexp.swep


def test_a_sweep_has_its_swept_values_as_typed_columns_of_each_table(sweep):
    for table in (sweep.runs, sweep.cells, sweep.measurements):
        assert (str(table["preprocess.quality"].dtype), str(table["caching"].dtype)) == ("int64", "bool")
    assert {"images_per_second", "value"} <= {*sweep.cells} & {*sweep.measurements}
    first = sweep.measurements.iloc[0]
    assert first["images_per_second"] == first["images"] / first["seconds"] == first["value"]


def test_its_tables_are_those_of_its_files(sweep):
    for name, table in (("runs", sweep.runs), ("cells", sweep.cells)):
        for read in (pd.read_parquet, pd.read_csv):
            file = read(sweep.folder / f"{name}.{'csv' if read is pd.read_csv else 'parquet'}")
            assert [*file.columns] == [*table.columns]
            assert [*map(str, file["preprocess.quality"])] == [*map(str, table["preprocess.quality"])]
    file = pd.read_parquet(sweep.folder / "measurements.parquet")
    pd.testing.assert_frame_equal(file, sweep.measurements)


def test_it_says_which_runs_failed_and_why(sweep):
    assert len(sweep) == 6
    assert sweep.verdict == "failed"
    assert {*sweep.failed} == {f"{sweep.id}/2", f"{sweep.id}/3"}
    assert all("no such photograph" in reason for reason in sweep.failed.values())
    assert "no such photograph" in sweep._repr_html_()
    assert sweep[2].verdict == "failed"
    assert [run.folder.name for run in sweep] == ["0", "1", "2", "3", "4", "5"]
    with pytest.raises(IndexError, match="has no run 6"):
        _ = sweep[6]


def test_it_ranks_its_settings_and_answers_and_draws(sweep):
    ranked = sweep.ranking
    assert [*ranked["preprocess.quality"]][:2] == [80, 80]
    assert ranked["verdict"].iloc[0] in ("best", "suspect")
    assert sweep.answer
    assert sweep.report == sweep.folder / "report.html"
    assert len(sweep.plot().axes) > 0
    with pytest.raises(DataError, match="there is no picture 'pie'"):
        sweep.plot("pie")


def test_a_run_of_it_is_compared_with_another_by_object_name_or_folder(sweep, home):
    one = flowerexp.compare(sweep[0], sweep[4])
    assert [*one.ratios["run"]] == [sweep[4].id]
    assert one.verdict in one.answer
    assert "differs" in str(one)
    assert one.verdict in one._repr_html_()
    by_name = flowerexp.compare(f"{sweep.folder.name}/0", sweep[4].folder, home=home)
    assert by_name.ratios["ratio"].equals(one.ratios["ratio"])


def test_what_was_run_is_loaded_again_by_any_name(sweep, home):
    for name in (sweep.folder, sweep.folder.name, str(sweep.folder)):
        found = flowerexp.load(name, home=home)
        assert isinstance(found, flowerexp.Sweep)
        assert found.folder == sweep.folder
    one = flowerexp.load(f"{sweep.folder.name}/1", home=home)
    assert isinstance(one, flowerexp.Run)
    assert one.config.caching is False
    assert one.runs["run"].tolist() == ["1"]


def test_a_run_is_tables_and_an_answer_and_a_failed_one_raises(world, home):
    run = flowerexp.run(*WORDS, "preprocess.quality=70", home=home)
    assert len(run.measurements) == 3
    assert run.run_id
    assert run.answer in run._repr_html_()
    assert run.report.is_file()
    world.errors = {71: DataError("no such photograph")}
    with pytest.raises(JobError, match="no such photograph"):
        flowerexp.run(*WORDS, "preprocess.quality=71", home=home)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["cachign=true"], "unknown key cachign"),
        (["caching=true,false"], "call flowerexp.sweep with the same words"),
        (["experiment=caching"], "experiment=caching is a sweep; call flowerexp.sweep"),
        (["--help"], "--help"),
    ],
)
def test_what_is_wrong_is_an_exception_and_starts_nothing(world, tmp_path, words, problem):
    with pytest.raises(ConfigError, match=problem):
        flowerexp.run(*words, home=tmp_path)
    assert not [*tmp_path.iterdir()]


def test_logging_and_hydra_are_left_as_they_were_also_in_another_thread(world, home):
    root = logging.getLogger()
    before = root.handlers[:], root.level, GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    found = []
    thread = threading.Thread(
        target=lambda: found.append(flowerexp.run(*WORDS, "preprocess.quality=72", home=home)), daemon=True
    )
    thread.start()
    thread.join()
    assert found[0].verdict in ("valid", "suspect")
    assert (root.handlers, root.level, GlobalHydra.instance().hydra, HydraConfig.instance().cfg) == before


PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_pages_snippets_run(world, tmp_path, monkeypatch, capsys):
    world.errors = {}
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))
    names: dict[str, object] = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(snippet, names)
    out = capsys.readouterr().out
    assert "unknown key cachign" in out
    assert "preprocess.quality" not in out, "they differ in caching alone"
    assert "caching" in out


def test_the_pages_attributes_exist():
    table = PAGE.read_text().partition("## What a run or a sweep holds")[2].partition("The tables are")[0]
    names = re.findall(r"^\| `(\w+)(?:\(\))?`(?:, `(\w+)`)?", table, re.MULTILINE)
    attributes = [name for pair in names for name in pair if name]
    assert len(attributes) > 8
    for kind in (flowerexp.Run, flowerexp.Sweep):
        assert not [name for name in attributes if name not in (*dir(kind), "folder")]
