"""The account of a rehearsal: lives of clusters, cost, permissions; and what stands for the package index."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flowerexp.cluster.cost import Prices
from flowerexp.rehearsal import account, server, shims, storage, wheelhouse
from flowerexp.rehearsal.permissions import _METHODS, needed
from flowerexp.rehearsal.plays import PLAYS

IMAGE = Path(wheelhouse.__file__).parent / "image"


def report(*events, machines=None):
    """`(seconds, name, state)` of clusters whose master is an n1-standard-8; names with a slash are batches."""
    made = [
        {"at": 1000.0 + at, "kind": "batch" if "/" in name else "cluster", "name": name, "state": state}
        for at, name, state in events
    ]
    disk = {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100}
    group = {"num_instances": 1, "machine_type_uri": "n1-standard-8", "disk_config": disk}
    cluster = {"master_config": group, "gce_cluster_config": {"internal_ip_only": True}}
    batch = {"properties": {"spark.executor.instances": "2", "spark.executor.cores": "4"}}
    kinds = {each["name"]: (each["kind"], batch if each["kind"] == "batch" else cluster) for each in made}
    of = {name: {"kind": kind, "region": "us-central1", "config": config} for name, (kind, config) in kinds.items()}
    return {"events": made, "machines": of}


class TestLives:
    def test_a_cluster_lives_from_its_creation_to_its_end(self):
        (life,) = account.lives(
            report((0, "one", "CREATING"), (90, "one", "RUNNING"), (3555, "one", "DELETING"), (3600, "one", "deleted")),
            Prices.load(),
        )
        assert (life.begun, life.ended) == (0.0, 3600.0)
        hourly = 8 * 0.031611 + 30 * 0.004237  # vCPUs and memory of N1 in us-central1, the larger part
        assert hourly < life.usd < 2 * hourly  # type: ignore[operator]

    def test_one_that_is_created_again_has_two_lives(self):
        found = account.lives(
            report((0, "one", "CREATING"), (10, "one", "deleted"), (20, "one", "CREATING"), (50, "one", "deleted")),
            Prices.load(),
        )
        assert [(life.begun, life.ended) for life in found] == [(0.0, 10.0), (20.0, 50.0)]

    def test_what_was_not_deleted_is_left(self):
        (life,) = account.lives(report((0, "one", "CREATING"), (60, "one", "ERROR")), Prices.load())
        assert life.ended is None
        assert "STILL THERE" in "\n".join(account.shown([life], {}, "2026-01-01"))

    def test_a_batch_is_paid_for_while_it_runs_and_one_that_never_ran_is_not(self):
        events = ((0, "a/1", "PENDING"), (60, "a/1", "RUNNING"), (100, "a/1", "SUCCEEDED"))
        (life,) = account.lives(report(*events, (5, "a/2", "PENDING"), (6, "a/2", "CANCELLED")), Prices.load())
        assert (life.kind, life.begun, life.ended) == ("batch", 60.0, 100.0)

    def test_nothing(self):
        assert account.lives(report(), Prices.load()) == []
        assert "nothing" in "\n".join(account.shown([], {}, "2026-01-01"))


class TestNeeded:
    def test_of_a_cluster(self):
        found = needed(["CreateCluster", "SubmitJob", "objects.insert"], ["objects.get"])
        assert found.apis == ("dataproc.googleapis.com", "storage.googleapis.com", "compute.googleapis.com")
        assert found.roles == ("roles/dataproc.editor", "roles/iam.serviceAccountUser", "roles/storage.admin")
        assert "dataproc.clusters.use" in found.permissions
        assert found.of_machines == ("storage.objects.get",)

    @pytest.mark.parametrize(("runtime", "wanted"), [("2.3", False), ("3.0", True)])
    def test_newer_runtimes_need_another_api(self, runtime, wanted):
        assert ("dataprocrm.googleapis.com" in needed(["CreateBatch"], (), [runtime]).apis) is wanted

    def test_each_method_of_the_servers_is_known(self):
        served = {name for methods in server._METHODS.values() for name in methods}
        assert served | {*storage._METHODS.values()} <= set(_METHODS)


class TestWheelhouse:
    def test_a_wheel_names_what_it_requires_and_its_modules_and_holds_none(self, tmp_path):
        wheelhouse.build(tmp_path, ["gcsfs"])
        (wheel,) = tmp_path.glob("gcsfs-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
            assert archive.read("gcsfs/core.py") == b""
        assert "Requires-Dist: aiohttp" in metadata
        assert "gcsfs.core" in shims.modules(names)
        assert list(tmp_path.glob("aiohttp-*.whl"))

    def test_tensorflow_for_processors_is_the_one_that_is_here(self, tmp_path):
        wheelhouse.build(tmp_path, ["tensorflow-cpu==2.21.0", "not installed at all", "nowhere==1.0"])
        assert list(tmp_path.glob("tensorflow_cpu-*.whl"))
        assert not list(tmp_path.glob("nowhere*"))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import packaging.version, json, _ast, importlib.metadata", ""),
        ("import yaml", "No module named 'yaml'"),
        ("import google.api_core", ""),
        ("import google.cloud.dataproc_v1", "No module named 'google.cloud'"),
        ("from importlib.util import find_spec; assert find_spec('yaml') is None", ""),
        ("import own", ""),
    ],
)
def test_an_image_has_nothing_but_what_was_installed(tmp_path, program, said):
    (tmp_path / "own.py").write_text("")
    path = os.pathsep.join([str(IMAGE), str(tmp_path)])
    has = "packaging,google.api_core,google.protobuf,google.rpc,grpc,google.auth,requests"
    environment = {**os.environ, "PYTHONPATH": path, "FAKE_IMAGE_HAS": has}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert said in done.stderr
    assert bool(done.returncode) is bool(said), done.stderr


def test_a_fault_says_what_happens():
    assert set(PLAYS) == {"quota", "stockout", "preempt", "error-create", "job-fails", "slow", "drop", "idle-delete"}
    assert len({play.said for play in PLAYS.values()}) == len(PLAYS)
