"""The real command from beginning to end: Spark, TensorFlow and MLflow as users have them."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flowerexp import cli
from flowerexp.cluster import java
from tests.command import PHOTOGRAPHS, SMALL_GRID, Home

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.spark

BASELINE = Path(__file__).parents[2] / "shared" / "baselines" / "notebook_preprocess.py"
needs_flowers = pytest.mark.skipif(
    not PHOTOGRAPHS.is_dir(), reason="the flower photographs are not beside the checkout; set FLOWEREXP_PHOTOS"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"), new=True)


@pytest.fixture(scope="module")
def first_run(home):
    """The main job, on few generated photographs; later tests in this module look at what it left."""
    answer = home("dataset.images=60", *SMALL_GRID)
    assert answer.code == 0, answer.err
    return answer


def test_prints_a_table_a_verdict_and_how_to_go_on(first_run):
    assert "image_files, all" in first_run.out
    assert "tfrecords, all" in first_run.out
    assert "verdict   " in first_run.out
    assert "flowerexp ui" in first_run.out


def test_measures_every_cell_as_often_as_asked(home, first_run):
    rows = home.rows()
    assert len(rows) == 2 * 2 * 3 * 2
    assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in rows)
    assert all(row["neighbours"] == 0 for row in rows), "two measurements ran at once on one host"
    assert {row["execution"] for row in rows} == {1}
    assert [row["order"] for row in rows] == list(range(len(rows)))


def test_logs_one_finished_run_with_params_metrics_and_artifacts(home, first_run):
    (run,) = home.logged()
    assert run.info.status == "FINISHED"
    assert run.data.params["measure.repetitions"] == "2"
    assert run.data.params["caching"] == "true"
    assert run.data.metrics["tfrecords/images_per_second"] > 0
    assert run.data.tags["spark"].startswith("4.")
    assert run.data.tags["run_key"] == home.record()["run_key"]

    def walk(path=None):
        for item in home.mlflow().list_artifacts(run.info.run_id, path):
            yield from walk(item.path) if item.is_dir else [Path(item.path).name]

    names = set(walk())
    wanted = {"measurements.parquet", "measurements.json", "regression.json", "regression_tfrecords.png", "driver.log"}
    assert wanted <= names
    assert any(name.startswith("local-") for name in names), "Spark's event log is missing"


@pytest.mark.long
def test_second_run_prepares_nothing_again_and_says_so(home, first_run):
    written = {path: path.stat().st_mtime_ns for path in home.path.glob("data/**/*.*")}
    answer = home("dataset.images=60", *SMALL_GRID, "grid.reader=tfrecords", "caching=false")
    assert answer.code == 0, answer.err
    assert "prepared data reused: 60 images" in answer.err
    assert home.record()["facts"]["prepared_reused"] is True
    assert {path: path.stat().st_mtime_ns for path in home.path.glob("data/**/*.*")} == written
    assert {row["reader"] for row in home.rows()} == {"tfrecords"}
    # Without caching, each of the five actions on the measurement RDD measures every cell again.
    assert len(home.rows()) == 2 * 3 * 2 * 5
    assert home.logged()[-1].data.params["caching"] == "false"


@pytest.mark.long
def test_a_small_sample_drops_cells_that_need_more_images(home, first_run):
    sample = ["sampling.fraction=0.1", "sampling.on_short=drop"]
    answer = home("dataset.images=60", *sample, *SMALL_GRID, "grid.reader=tfrecords")
    assert answer.code == 0, answer.err
    assert "cells left out" in answer.err
    images = home.record()["facts"]["prepared_images"]
    assert 0 < images < 12
    assert all(row["batch_size"] * row["batch_number"] <= images for row in home.rows())


@pytest.mark.long
def test_existing_tfrecords_are_measured_without_a_manifest(home, first_run, tmp_path):
    (manifest,) = [one for one in home.manifests() if one["records"] == 60]
    for file in manifest["files"][:4]:
        shutil.copy(manifest["folder"] / file["file"], tmp_path)
    answer = home("grid.reader=tfrecords", f"dataset.tfrecords={tmp_path}", "grid.batch_size=2", "grid.batch_number=2")
    assert answer.code == 0, answer.err
    assert home.record()["facts"]["prepared_images"] == sum(file["records"] for file in manifest["files"][:4])


ANOTHER = '''
"""An entrypoint of a user's own."""
from flowerexp.workload import main

def run(spark, config):
    """Squares."""
    for n in spark.sparkContext.range(3).collect():
        yield {"n": n, "square": n ** 2 * config["entrypoint"]["settings"]["factor"]}

if __name__ == "__main__":
    main(run)
'''


def test_anyone_can_add_an_entrypoint(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "squares.py").write_text(ANOTHER)
    (tmp_path / "mine" / "entrypoint").mkdir(parents=True)
    config = (
        '{name: squares, question: "How fast are squares?", script: squares.py, unit: squares, '
        "settings: {factor: 10}, limits: {factor: {min: 1}}}\n"
    )
    (tmp_path / "mine" / "entrypoint" / "squares.yaml").write_text(config)
    answer = home("--config-dir", "mine", "entrypoint=squares")
    assert answer.code == 0, answer.err
    assert [row["square"] for row in home.rows()] == [0, 10, 40]
    (run,) = home.logged()
    assert run.data.metrics["squares/square"] == 10
    assert run.data.params["entrypoint.settings.factor"] == "10"


KILLING = '''
"""Kills the tracking server, which was there when the run began."""
import os
import signal
from flowerexp.workload import main

def run(spark, config):
    """One row."""
    os.killpg(os.getpgid(config["entrypoint"]["settings"]["pid"]), signal.SIGKILL)
    yield {"n": 1}

if __name__ == "__main__":
    main(run)
'''


def path_without_java(folder: Path) -> str:
    """A PATH with every command of this machine but Java's."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for item in Path(place).glob("*") if Path(place).is_dir() else []:
            if item.is_file() and not item.name.startswith("java"):
                (folder / item.name).unlink(missing_ok=True)
                (folder / item.name).symlink_to(item)
    return str(folder)


@pytest.mark.long
def test_runs_on_a_machine_without_java(tmp_path, photos):
    home = Home(tmp_path, {"PATH": path_without_java(tmp_path / "bin"), "JAVA_HOME": ""})
    assert shutil.which("java", path=home.environment["PATH"]) is None
    answer = home("dataset=folder", f"dataset.path={photos}", "entrypoint=write_shards")
    assert answer.code == 0, answer.err
    assert home.record()["facts"]["java"].startswith("21")


def spoilt(photos: Path, folder: Path) -> Path:
    """A copy of the photographs with four files that cannot be decoded."""
    shutil.copytree(photos, folder)
    whole = next((photos / "tulips").iterdir()).read_bytes()
    (folder / "tulips" / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "daisy" / "text.jpg").write_text("hello\n")
    (folder / "daisy" / "empty.jpg").touch()
    (folder / "roses" / "gone.jpg").symlink_to(folder / "nowhere")
    return folder


@pytest.mark.long
def test_bad_files_fail_the_run_or_are_skipped_counted_and_listed(tmp_path, photos):
    home = Home(tmp_path)
    data = ("dataset=folder", f"dataset.path={spoilt(photos, tmp_path / 'spoilt')}", "entrypoint=write_shards")
    answer = home(*data)
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert ".jpg: " in answer.errors[0]
    assert "dataset.on_error=skip" in answer.errors[0]
    assert not home.manifests()
    (failed,) = home.logged()
    assert failed.info.status == "FAILED"

    answer = home(*data, "dataset.on_error=skip")
    assert answer.code == 0, answer.err
    assert "4 files skipped" in answer.err
    (manifest,) = home.manifests()
    assert manifest["records"] == 40
    reasons = {one["relative"]: one["reason"] for one in manifest["skipped"]}
    assert set(reasons) == {"tulips/truncated.jpg", "daisy/text.jpg", "daisy/empty.jpg", "roses/gone.jpg"}
    assert "empty" in reasons["daisy/empty.jpg"]
    assert home.record()["facts"]["images_skipped"] == 4


# What is said of each, `workload/images/test_listing.py` shows; that a job's error is one line, the next test.
@pytest.mark.long
@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        pytest.param({}, "no photographs in", id="empty"),
        pytest.param({"a.jpg": b"x"}, "no class folders", id="no class folders"),
        pytest.param({"a/b/c.jpg": b"x"}, "no class folders", id="too deep"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_one_line(tmp_path, layout, wanted):
    home = Home(tmp_path)
    (tmp_path / "data").mkdir()
    for name, content in layout.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    answer = home("dataset=folder", "dataset.path=data")
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert wanted in answer.errors[0]
    assert "dataset.path (command line)" in answer.errors[0]


def test_a_grid_larger_than_the_data_is_refused_before_anything_is_prepared(tmp_path, photos):
    home = Home(tmp_path)
    answer = home("dataset=folder", f"dataset.path={photos}", "grid.reader=tfrecords", "grid.batch_size=50")
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert "grid (command line): batch_size 50 x batch_number 12 needs 600 images, and there are 40" in answer.errors[0]
    assert not home.manifests()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("dataset=folder", "dataset.path=missing"), "does not exist"),
        (("storage.prepared=/proc/nowhere",), "cannot be written"),
        (("home=/proc/nowhere",), "cannot be written"),
        (("tracking.uri=http://127.0.0.1:1",), "no MLflow server answers"),
    ],
)
def test_what_can_be_known_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys, arguments, wanted):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert wanted in line
    assert not (tmp_path / "outputs").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, which takes the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.long
def test_a_full_disk_is_one_line_and_leaves_no_half_files(tmp_path, small_disk):
    home = Home(tmp_path)
    answer = home("entrypoint=write_shards", "dataset.images=200", f"storage.prepared={small_disk}/prepared")
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert "No space left on device" in answer.errors[0]
    assert not [path for path in small_disk.rglob("*") if path.name.startswith(".") or path.name == "manifest.json"]
    (failed,) = home.logged()
    assert failed.info.status == "FAILED"


def test_an_output_folder_without_permission_is_one_line(tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs").chmod(stat.S_IRUSR | stat.S_IXUSR)
    answer = Home(tmp_path)("dataset.images=10")
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert "Permission denied" in answer.errors[0]


def records(folder: Path) -> list[list[tuple[bytes, int]]]:
    """The images and classes of each TFRecord file in a folder, as TensorFlow and the notebook read them."""
    import tensorflow as tf

    features = {"image": tf.io.FixedLenFeature([], tf.string), "class": tf.io.FixedLenFeature([], tf.int64)}
    files = []
    for path in sorted(folder.glob("*.tfrec")):
        examples = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(str(path))]
        files.append([(example["image"].numpy(), int(example["class"])) for example in examples])
    return files


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """What the notebook's own program writes for the flower photographs: images with their classes."""
    if not BASELINE.exists():
        pytest.skip("the notebook's program is not beside the checkout")
    folder = tmp_path_factory.mktemp("notebook")
    environment = {**os.environ, "JAVA_HOME": str(java.find().home)}
    subprocess.run([sys.executable, BASELINE, PHOTOGRAPHS, folder], check=True, capture_output=True, env=environment)
    return [record for file in records(folder) for record in file]


def psnr(one: bytes, other: bytes) -> float:
    """Peak signal-to-noise ratio of two JPEGs' pixels, in dB; 99 where they are equal."""
    from PIL import Image

    a, b = (np.asarray(Image.open(io.BytesIO(image)), float) for image in (one, other))
    error = float(np.mean((a - b) ** 2))
    return 10 * np.log10(255**2 / error) if error else 99.0


def thumbnail(image: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(image)).resize((16, 16)), float).ravel()


@pytest.mark.long
@needs_flowers
def test_flower_photographs_become_what_the_notebook_writes(tmp_path, notebook):
    home = Home(tmp_path)
    data = ("dataset=folder", f"dataset.path={PHOTOGRAPHS}", "entrypoint=write_shards")
    assert home(*data).code == 0
    (manifest,) = home.manifests()
    files = records(manifest["folder"])
    written = [record for file in files for record in file]
    assert len(files) == 16
    assert len(written) == len(notebook)
    assert all({label for _, label in file} == {0, 1, 2, 3, 4} for file in files)

    theirs = np.stack([thumbnail(image) for image, _ in notebook])
    for image, label in written:
        nearest = int(np.argmin(((theirs - thumbnail(image)) ** 2).sum(axis=1)))
        assert label == notebook[nearest][1]
        assert psnr(image, notebook[nearest][0]) >= 45

    assert home(*data, "preprocess.exact=true").code == 0
    (exact,) = [one for one in home.manifests() if one["preprocess"]["exact"]]
    assert sorted(record for file in records(exact["folder"]) for record in file) == sorted(notebook)


@pytest.mark.long
def test_a_server_that_fails_at_the_end_costs_no_results(tmp_path, mlflow_server):
    home = Home(tmp_path)
    (tmp_path / "killing.py").write_text(KILLING)
    (tmp_path / "mine" / "entrypoint").mkdir(parents=True)
    settings = {"pid": mlflow_server.process.pid}
    config = {"name": "killing", "script": "killing.py", "settings": settings, "limits": {"pid": {"min": 1}}}
    config |= {"question": "What if the server dies?", "unit": "rows"}
    (tmp_path / "mine" / "entrypoint" / "killing.yaml").write_text(json.dumps(config))
    answer = home("--config-dir", "mine", "entrypoint=killing", f"tracking.uri={mlflow_server.store.uri}")
    assert answer.code == 1
    assert len(answer.errors) == 1
    assert "the results are safe" in answer.errors[0]
    folder = home.runs[-1]
    assert f"flowerexp log {folder}" in answer.errors[0]
    assert home.rows() == [{"n": 1}]

    mlflow_server.start()
    again = home("log", folder)
    assert again.code == 0, again.err
    run_id = again.out.split()[-1]
    from mlflow import MlflowClient

    assert MlflowClient(tracking_uri=mlflow_server.store.uri).get_run(run_id).info.status == "FINISHED"
