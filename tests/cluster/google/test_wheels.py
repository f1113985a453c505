"""The packages that jobs import: what is pinned, what is fetched, where it is staged, and that nodes can install it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from flowerexp.cluster import java
from flowerexp.cluster.google import backend, wheels
from flowerexp.config.places import entry_folder
from flowerexp.errors import ClusterError, ConfigError, MachineError
from flowerexp.rehearsal import wheelhouse
from tests.cloud.marked import until
from tests.cluster.conftest import BUCKET, SCOPE, Observer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
OWN = {"petals": "petals==1.0"}


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A folder with the wheels of two small packages, the first of which requires the second."""
    folder = tmp_path_factory.mktemp("house")
    wheel(folder, "petals", "1.0", ["stems>=2"])
    wheel(folder, "stems", "2.5", [])
    return folder


def wheel(folder, name, version, requires):
    """Write a wheel: a zip with three files that describe it."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = {
        f"{name}/__init__.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


def names(google, prefix="flowerexp/wheels/"):
    return sorted(blob.name.removeprefix(prefix) for blob in google.storage().list_blobs(BUCKET, prefix=prefix))


class TestPinned:
    def test_what_is_required_in_turn_is_pinned_as_it_is_here(self):
        found = wheels.pinned({"gcsfs": "gcsfs==2026.10.1"}, "3.11")
        constraints = set((ROOT / "constraints.txt").read_text().splitlines())
        known = {re.sub(r"[-_.]+", "-", line).lower() for line in constraints}
        assert len(found) > 10
        assert {re.sub(r"[-_.]+", "-", line).lower() for line in found} <= known

    def test_markers_are_those_of_the_clusters_python(self, monkeypatch):
        requires = {"outer": ["inner; python_version < '3.12'"], "inner": [], "packaging": []}
        monkeypatch.setattr(metadata, "requires", requires.__getitem__)
        monkeypatch.setattr(metadata, "version", lambda name: "1.0")
        assert wheels.pinned({"x": "outer==1.0"}, "3.11") == ["inner==1.0", "outer==1.0"]
        assert wheels.pinned({"x": "outer==1.0"}, "3.12") == ["outer==1.0"]

    def test_what_is_not_installed_here_stays_as_it_is(self):
        assert wheels.pinned(OWN, "3.11") == ["petals==1.0"]

    def test_what_cannot_be_read_is_an_error(self):
        with pytest.raises(MachineError, match=r"entrypoint\.requires"):
            wheels.pinned({"x": "not a requirement ="}, "3.11")


class TestEntrypoints:
    @pytest.mark.parametrize("name", ["read_speed", "write_shards"])
    def test_what_they_require_is_what_this_machine_has(self, name):
        """Another version on a cluster would make its numbers incomparable."""
        config = yaml.safe_load((ROOT / "conf" / "entrypoint" / f"{name}.yaml").read_text())
        constraints = set((ROOT / "constraints.txt").read_text().splitlines())
        mappings = [config["requires"], *config.get("reader_requires", {}).values()]
        for module, pin in (item for mapping in mappings for item in mapping.items()):
            assert pin.replace("tensorflow-cpu", "tensorflow") in constraints, module

    @pytest.mark.parametrize("name", ["read_speed", "write_shards"])
    def test_all_that_they_import_is_required(self, name):
        config = yaml.safe_load((ROOT / "conf" / "entrypoint" / f"{name}.yaml").read_text())
        script = entry_folder() / f"{name}.py"
        program = (
            "import sys, runpy\n"
            f"runpy.run_path({str(script)!r})\n"
            "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        third_party = {"numpy", "cv2", "simplejpeg", "PIL", "google_crc32c", "fsspec", "gcsfs", "psutil", "tensorflow"}
        assert loaded & third_party <= set(config["requires"])


def test_what_every_job_needs_to_reach_the_bucket_is_staged(google, dataproc, observer, monkeypatch, tmp_path):
    """Also where an experiment imports nothing of its own."""
    wheelhouse.build(tmp_path, backend.OWN)
    monkeypatch.setenv(wheels.WHEELHOUSE, str(tmp_path))
    monkeypatch.setattr(java, "own_folders", lambda: [tmp_path])
    dataproc("single_node", "cluster.packages=stage").open(SCOPE, {}, observer)
    assert {"fsspec", "gcsfs"} <= set(google.installed())


class TestStage:
    @pytest.fixture(autouse=True)
    def from_the_house(self, house, monkeypatch, tmp_path):
        monkeypatch.setenv(wheels.WHEELHOUSE, str(house))
        monkeypatch.setattr(backend, "OWN", ())
        monkeypatch.setattr(java, "own_folders", lambda: [house / "petals-1.0-py3-none-any.whl", tmp_path])

    def test_nodes_install_what_was_staged(self, google, dataproc, observer):
        google.lacking("petals", "stems")
        dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert google.installed() == ["petals", "stems"]
        staged = names(google)
        assert [name.partition("/")[2] for name in staged] == [
            "install.sh",
            "petals-1.0-py3-none-any.whl",
            "requirements.txt",
            "stems-2.5-py3-none-any.whl",
        ]

    def test_they_are_staged_once(self, google, dataproc, observer, monkeypatch):
        dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, OWN, observer)
        before = names(google)
        monkeypatch.setattr(wheels, "_pip", None)
        dataproc("single_node", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert names(google) == before

    def test_a_wheel_that_cannot_be_had_is_an_error_before_anything_costs_money(self, google, dataproc, observer):
        with pytest.raises(MachineError, match=r"nowhere==1\.0") as caught:
            dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, {"nowhere": "nowhere==1.0"}, observer)
        assert "FLOWEREXP_WHEELHOUSE" in str(caught.value)
        assert observer.states == []

    def test_an_installation_that_fails_says_why_and_leaves_nothing(self, google, dataproc, observer):
        made = dataproc("four_nodes", "cluster.packages=stage")
        made.open("another-scope-89abcdef", OWN, Observer())
        for blob in google.storage().list_blobs(BUCKET, prefix="flowerexp/wheels/"):
            if "stems" in blob.name:
                blob.delete()
        with pytest.raises(ClusterError, match=r"No matching distribution found for stems==2\.5"):
            dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert observer.states == ["creating", "deleting", "deleted"]

    def test_a_wheel_that_was_exchanged_is_not_installed(self, google, dataproc, observer, tmp_path):
        dataproc("four_nodes", "cluster.packages=stage").open("another-scope-89abcdef", OWN, Observer())
        wheel(tmp_path, "stems", "2.5", ["planted"])
        self.exchange(google, "stems-2.5-py3-none-any.whl", (tmp_path / "stems-2.5-py3-none-any.whl").read_bytes())
        with pytest.raises(ClusterError, match="DO NOT MATCH THE HASHES"):
            dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert observer.states == ["creating", "deleting", "deleted"]

    def test_a_list_that_was_exchanged_before_is_staged_anew_and_so_is_the_action(self, google, dataproc, observer):
        dataproc("four_nodes", "cluster.packages=stage").open("another-scope-89abcdef", OWN, Observer())
        google.lacking("petals", "stems")
        self.exchange(google, "requirements.txt", b"planted==6.6\n")
        self.exchange(google, "install.sh", b"#!/bin/bash\necho ERROR: planted; exit 1\n")
        dataproc("four_nodes", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert google.installed() == ["petals", "stems"]

    def test_a_list_that_is_exchanged_while_the_nodes_start_is_refused_by_them(self, google, dataproc, observer):
        made, caught = dataproc("four_nodes", "cluster.packages=stage"), []

        def run():
            try:
                made.open(SCOPE, OWN, observer)
            except ClusterError as error:
                caught.append(str(error))

        with google.hold("create"):
            thread = threading.Thread(target=run)
            thread.start()
            until(lambda: "CREATING" in google.clusters().values() or not thread.is_alive(), 60)
            self.exchange(google, "requirements.txt", b"planted==6.6\n")
        thread.join(timeout=60)
        assert "requirements.txt is not what flowerexp staged" in caught[0]
        assert google.clusters() == {}

    @staticmethod
    def exchange(google, name, content):
        for blob in google.storage().list_blobs(BUCKET, prefix="flowerexp/wheels/"):
            if blob.name.endswith(f"/{name}"):
                blob.upload_from_string(content)

    def test_an_archive_that_was_exchanged_is_staged_anew(self, google, dataproc, observer, tmp_path):
        made = dataproc("serverless", "cluster.packages=stage")
        made.open(SCOPE, OWN, observer)
        self.exchange(google, "packages.tar.gz", b"planted")
        dataproc("serverless", "cluster.packages=stage").open(SCOPE, OWN, observer)
        contents = [
            blob.download_as_bytes() for blob in google.storage().list_blobs(BUCKET, prefix="flowerexp/wheels/")
        ]
        assert contents
        before = [blob.generation for blob in google.storage().list_blobs(BUCKET, prefix="flowerexp/wheels/")]
        dataproc("serverless", "cluster.packages=stage").open(SCOPE, OWN, observer)
        assert before == [blob.generation for blob in google.storage().list_blobs(BUCKET, prefix="flowerexp/wheels/")]

    def test_nothing_is_staged_for_an_image_that_has_them(self, google, dataproc, observer):
        dataproc("four_nodes", "cluster.packages=image").open(SCOPE, OWN, observer)
        assert names(google) == []

    def test_serverless_gets_an_archive(self, google, dataproc, observer, files, tmp_path):
        made = dataproc("serverless", "cluster.packages=stage")
        made.open(SCOPE, OWN, observer)
        google.hold("batch")
        made.submit(files())
        (name,) = names(google)
        local = tmp_path / "packages.tar.gz"
        google.storage().bucket(BUCKET).blob(f"flowerexp/wheels/{name}").download_to_filename(local)
        with tarfile.open(local) as archive:
            assert {"./petals/__init__.py", "./stems/__init__.py"} <= set(archive.getnames())
        (request,) = google.requests("CreateBatch")
        assert request["batch"]["pyspark_batch"]["archive_uris"] == [f"gs://{BUCKET}/flowerexp/wheels/{name}#packages"]
        properties = request["batch"]["runtime_config"]["properties"]
        assert properties["spark.dataproc.driverEnv.PYTHONPATH"] == "./packages"
        assert properties["spark.executorEnv.PYTHONPATH"] == "./packages"

    def test_a_runtime_whose_python_is_unknown(self, google, dataproc, observer):
        with pytest.raises(ConfigError, match=r"runtime 9\.9"):
            dataproc("serverless", "cluster.packages=stage", "cluster.runtime_version='9.9'").open(SCOPE, OWN, observer)
