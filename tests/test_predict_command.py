"""`flowerexp predict`: what a cell would give, of a folder or of what MLflow has; everything wrong in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowerexp.analysis.model import model_run
from flowerexp.commands import predict
from flowerexp.errors import ConfigError, DataError
from flowerexp.tracking import Store, log_run
from tests.analysis.rows import FIXED, grid, table
from tests.tracking import write_run

pytest_plugins = ["tests.tracking"]


SIZES = ["batch_size=5", "batch_number=8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    model_run(table(grid()), made / "analysis")
    (made / "run.json").touch()
    return made


def test_a_line_for_each_level_that_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert predict.main([str(folder), "batch_size=5", "batch_number=8"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[2].split("  ")[0] == "batch_size"
    assert [line.split()[2] for line in lines[3:5]] == ["image_files", "tfrecords"]
    assert "off for a new cell" in out
    assert err == ""


def test_json_holds_the_value_and_seconds_with_both_intervals(folder: Path, capsys: pytest.CaptureFixture[str]):
    predict.main([str(folder), "batch_size=5", "batch_number=8", "reader=tfrecords", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [one["unit"] for one in found["values"]] == ["images/s", "s"]
    (cell,) = found["cells"]
    assert cell["factors"] == {"batch_size": 5, "batch_number": 8, "reader": "tfrecords"}
    rate, seconds = cell["predictions"]["steady_rate"], cell["predictions"]["seconds"]
    for one in (rate, seconds):
        assert one["one"][0] <= one["mean"][0] < one["value"] < one["mean"][1] <= one["one"][1]
    fixed, each = FIXED["tfrecords"]
    assert seconds["value"] == pytest.approx(fixed + 40 * each, rel=0.1)


def test_beyond_what_was_measured_there_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]):
    predict.main([str(folder), "batch_size=9", "batch_number=8"])
    assert "batch_size is beyond what was measured, 2 to 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["batch_size"], ConfigError, "batch_size is not KEY=VALUE"),
        (
            ["batch_size=5"],
            ConfigError,
            "batch_number is not given; add batch_number=VALUE; these were measured: 3, 6, 12, 18",
        ),
        (["batch_size=50", "batch_number=8"], ConfigError, "batch_size=50 is too far from what was measured, 2 to 8"),
        (
            ["batch_size=4", "batch_number=8", "reader=tfrecord"],
            ConfigError,
            "reader=tfrecord was never measured; did you mean 'tfrecords'",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder: Path, words, error, message):
    with pytest.raises(error, match=message) as caught:
        predict.main([str(folder), *words])
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_told_what_makes_one(tmp_path: Path):
    (tmp_path / "run.json").touch()
    with pytest.raises(DataError, match=r"has no model\.json; .*flowerexp report"):
        predict.main([str(tmp_path), "batch_size=5"])


def test_a_run_without_a_grid_has_nothing_to_predict_from(tmp_path: Path):
    (tmp_path / "run.json").touch()
    (tmp_path / "model.json").write_text('{"experiment": "x", "models": []}')
    with pytest.raises(DataError, match="has no model: nothing was varied"):
        predict.main([str(tmp_path)])


def test_a_run_of_mlflow_is_found_by_the_beginning_of_its_id(
    tmp_path: Path, local_store: Store, capsys: pytest.CaptureFixture[str]
):
    model_run(table(grid()), write_run(tmp_path / "run", local_store) / "analysis")
    run_id = log_run(tmp_path / "run", local_store)
    place = [f"tracking.uri={local_store.uri}", f"tracking.artifacts={local_store.artifacts}"]
    predict.main([run_id, *place, "batch_size=5", "batch_number=8", "reader=tfrecords"])
    assert f"{run_id[:8]} (" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="nor MLflow has a run or a sweep 'no-sweep'"):
        predict.main(["no-sweep", *place])


def test_a_folder_needs_neither_mlflow_nor_hydra(folder: Path):
    code = (
        "import sys\n"
        "from flowerexp.commands import predict\n"
        f"predict.main([{str(folder)!r}, 'batch_size=5', 'batch_number=8'])\n"
        "found = {'mlflow', 'hydra', 'tensorflow', 'pyspark', 'sklearn', 'matplotlib', 'pandas'} & {*sys.modules}\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
