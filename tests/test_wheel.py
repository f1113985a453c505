"""The wheel in an environment of its own, with what the extra `local` brings: the main job runs in any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from flowerexp.errors import EXTRAS

pytestmark = [pytest.mark.spark, pytest.mark.long]

ROOT = Path(__file__).parents[1]
ABSENT = [*(module for module, extra in EXTRAS.items() if extra in ("gcp", "search")), "google.api_core", "optuna"]
BLOCK = f"""
import sys
for name in {ABSENT!r}:
    sys.modules[name] = None
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The program of an environment that has the wheel, and beside it only what is installed here without some extras.

    Nothing is downloaded: the other packages are those of this environment.
    """
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(built, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    (site / "sitecustomize.py").write_text(BLOCK)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--ignore-installed", wheel], check=True)
    return folder / "env" / "bin" / "flowerexp"


def test_the_main_job_runs_in_any_folder_without_the_other_extras(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FLOWEREXP_HOME")}

    def call(*arguments):
        return subprocess.run(
            [installed, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    small = ("dataset.images=60", "grid.batch_size=[2]", "grid.batch_number=[3]", "measure.repetitions=1")
    done = call(*small)
    assert done.returncode == 0, done.stderr
    assert f"open      {installed} ui" in done.stdout
    (record,) = tmp_path.glob("outputs/*/*/run.json")
    assert '"state": "finished"' in record.read_text()
    assert (tmp_path / "mlruns" / "mlflow.db").exists()
    where = [installed.with_name("python"), "-c", "import flowerexp; print(flowerexp.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed.parents[1])
    assert "'.[gcp]'" in call("clusters", "gcp.project=p", "gcp.bucket=b-b", "gcp.region=us-central1").stderr
