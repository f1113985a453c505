"""A light installation: what an extra brings is named, in one line, by what needs it; all else does without."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from packaging.requirements import Requirement

from flowerexp import errors, storage
from flowerexp.config.explain import explain
from flowerexp.errors import EXTRAS, MachineError
from flowerexp.orchestrate import preflight

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {name: [Requirement(text) for text in texts] for name, texts in project["optional-dependencies"].items()}


def name_of(text):
    return text.lower().replace("_", "-")


class TestExtras:
    def test_each_module_is_in_a_package_of_its_extra(self):
        packages = packages_distributions()
        for module, extra in EXTRAS.items():
            own = {name_of(requirement.name) for requirement in declared()[extra]}
            if module.startswith("google.cloud."):
                kind = module.split(".")[2].removesuffix("_v1")
                assert f"google-cloud-{kind}" in own
            elif module.startswith("hydra_plugins."):
                assert name_of(module.split(".")[1]) in own
            else:
                assert own & {name_of(package) for package in packages[module]}, module

    def test_all_of_them_are_in_all_and_pinned(self):
        extras = declared()
        within = {extra for requirement in (*extras["all"], *extras["local"]) for extra in requirement.extras}
        assert within == set(extras) - {"all", "dev"}
        pins = (ROOT / "constraints.txt").read_text().splitlines()
        pinned = {name_of(line.partition("==")[0]) for line in pins}
        wanted = {name_of(one.name) for name, every in extras.items() for one in every if one.name != "flowerexp"}
        assert wanted <= pinned


@pytest.fixture
def lack(monkeypatch):
    """`lack("gcp")` takes away what an extra brings."""

    def lack(*extras):
        gone = {module for module, extra in EXTRAS.items() if extra in extras}
        monkeypatch.setattr(errors, "_is_installed", lambda module: module not in gone)

    return lack


class TestWhatNeedsOne:
    def test_an_experiment_says_so_before_anything_starts(self, config, lack):
        lack("images", "tensorflow", "gcp")
        with pytest.raises(MachineError) as caught:
            preflight(config())
        assert str(caught.value).startswith(
            "entrypoint=read_speed needs cv2, simplejpeg, PIL, google_crc32c, tensorflow"
        )
        assert caught.value.hint == "in the clone of flowerexp, run: pip install '.[images,tensorflow]'"
        preflight(config("entrypoint=aggregate"))

    def test_only_readers_of_tf_data_need_tensorflow(self, config, lack):
        lack("tensorflow", "gcp")
        with pytest.raises(MachineError, match="needs tensorflow"):
            preflight(config())
        preflight(config("grid.reader=[image_files_native,tfrecords_native]"))

    def test_the_cloud(self, config, lack):
        lack("gcp")
        cloud = ("cluster=single_node", "gcp.project=p", "gcp.bucket=b-b", "gcp.region=us-central1", "storage=bucket")
        wanted = "google.cloud.dataproc_v1, google.cloud.storage, gcsfs"
        with pytest.raises(MachineError, match=f"cluster=single_node needs {wanted}, .*'\\.\\[gcp\\]'"):
            preflight(config(*cloud))
        with pytest.raises(MachineError, match="gs://some/file needs gcsfs"):
            storage.read_bytes("gs://some/file")

    def test_commands_of_the_cloud(self, config, lack):
        from flowerexp.commands.clusters import leftovers

        lack("gcp")
        with pytest.raises(MachineError, match=r"pip install '\.\[gcp\]'"):
            leftovers(config("gcp.project=p", "gcp.bucket=b-b", "gcp.region=us-central1"))

    def test_a_sweeper(self, lack):
        lack("search")
        missing = MissingConfigException("", "hydra/sweeper/optuna", ["basic"])
        with pytest.raises(MachineError, match=r"hydra/sweeper=optuna needs .*'\.\[search\]'"):
            explain(missing, ["hydra/sweeper=optuna"], None)  # type: ignore[arg-type]


PROGRAM = f"""
import sys
for name in {[*EXTRAS, "google.cloud", "google.api_core", "optuna"]!r}:
    sys.modules[name] = None
from flowerexp import cli
cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("plan", "--json", "-m", "experiment=caching"), 0, ""),
        (("dataset.images=100",), 1, "needs cv2, simplejpeg, PIL, google_crc32c, tensorflow, not installed in"),
        (("rehearse", "cluster=single_node", "dataset.images=100"), 1, "'.[gcp,rehearsal]'"),
        (("cleanup", "gcp.project=p", "gcp.bucket=b-b", "gcp.region=us-central1"), 1, "'.[gcp]'"),
    ],
)
def test_without_any_of_them(tmp_path, arguments, code, said):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == code
    if not code:
        assert len(json.loads(done.stdout)["runs"]) == 2
