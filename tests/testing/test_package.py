"""A package outside of the tree adds kinds of cluster and data set, and an experiment; the real command runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import SMALL_GRID, Answer, Home

pytestmark = pytest.mark.slow

FILES = {
    "borrowed_kind-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: borrowed-kind\nVersion: 1.0\n",
    "borrowed_kind-1.0.dist-info/entry_points.txt": """
[flowerexp.clusters]
borrowed = borrowed_kind.kind:BorrowedKind
broken = borrowed_kind.nowhere:Kind

[flowerexp.datasets]
attic = borrowed_kind.attic:AtticKind
""",
    "borrowed_kind/__init__.py": '"""Borrowed machines."""\n',
    "borrowed_kind/kind.py": '''
"""Machines that somebody lends for a price and within a quota; here, the one that is there."""
from dataclasses import dataclass

from flowerexp.cluster.cost import Rate
from flowerexp.cluster.kind import Kind, Place, Size
from flowerexp.cluster.quota import Demand
from flowerexp.config.fields import ACCOUNT, number, optional, text
from flowerexp.config.schema import Cluster


@dataclass(frozen=True, kw_only=True)
class Borrowed(Cluster):
    """Some slots of a lender."""

    slots: int = number(min=1, max=64)
    shelf: str = text({"pattern": "[a-z0-9_]+", "pattern_wanted": "a shelf", "pattern_hint": "write a_1"})
    ticket: str | None = optional({}, **ACCOUNT)


class BorrowedKind(Kind[Borrowed]):
    """Some slots of a lender."""

    config = Borrowed
    start_seconds = 36.0

    def backend(self):
        from borrowed_kind.backend import BorrowedBackend

        return BorrowedBackend(self.cluster)

    @property
    def place(self):
        return Place("lender", self.cluster.shelf)

    def rate(self, prices):
        return Rate(machines=100.0 * self.cluster.slots)

    def demand(self, prices):
        return Demand(vcpus=self.cluster.slots)

    def smaller(self, limits, prices):
        yield [{"slots": slots} for slots in range(self.cluster.slots - 1, 0, -1)]

    def size(self, prices):
        return Size(self.cluster.slots, 1.0, 1, "borrowed")
''',
    "borrowed_kind/backend.py": '''
"""Jobs on borrowed slots, by the `spark-submit` of this machine."""
from flowerexp.cluster.spark_submit import LOOPBACK, LOOPBACK_ENVIRONMENT, SparkSubmit


class BorrowedBackend(SparkSubmit):
    """Spark in local mode."""

    in_driver = True

    def own_properties(self):
        return {"spark.master": f"local[{self.cluster.slots}]", "spark.driver.memory": "512m", **LOOPBACK}

    def environment(self, files):
        return {**super().environment(files), **LOOPBACK_ENVIRONMENT}
''',
    "borrowed_kind/attic.py": '''
"""Photographs in boxes of an attic."""
from dataclasses import dataclass

from flowerexp.config import names
from flowerexp.config.fields import text
from flowerexp.config.schema import Dataset
from flowerexp.dataset.kind import DatasetKind


@dataclass(frozen=True, kw_only=True)
class Attic(Dataset):
    """Boxes with class folders."""

    boxes: str = text(names.PATH)
    box: str = text({})


class AtticKind(DatasetKind):
    """Boxes with class folders."""

    config = Attic
    source = "borrowed_kind.boxes:Boxes"
''',
    "borrowed_kind/boxes.py": '''
"""Where a box is; the code that runs on the cluster uses this."""
from flowerexp.workload.images.source import Source


class Boxes(Source):
    """A box of an attic."""

    def place(self):
        return f"{self.config['dataset']['boxes']}/{self.config['dataset']['box']}"

    def prepare(self, spark):
        return self.place()
''',
    "conf/dataset/attic.yaml": "kind: attic\nboxes: ???\nbox: ???\n",
    "conf/cluster/borrowed.yaml": "kind: borrowed\nslots: 2\nshelf: a_1\n",
    "conf/entrypoint/halves.yaml": """
defaults: [{/grid@_global_.grid: halves}, _self_]
name: halves
question: How fast are numbers halved?
script: scripts/halves.py
where: driver
unit: numbers
parameters: {numbers: {min: 1, unit: numbers}}
""",
    "conf/grid/halves.yaml": "numbers: [10, 1000]\n",
    "conf/scripts/halves.py": '''
"""Halve numbers."""
from flowerexp.workload import main


def prepare(spark, config):
    return spark.sparkContext


def measure(context, cell):
    context.range(cell["numbers"]).map(lambda number: number / 2).sum()
    return {"numbers": cell["numbers"]}


if __name__ == "__main__":
    main(measure, prepare)
''',
    "test_borrowed.py": """
import pytest
from borrowed_kind.kind import Borrowed

from flowerexp.testing import BackendContract, KindContract


@pytest.fixture
def cluster():
    return Borrowed(kind="borrowed", name="borrowed", slots=3, shelf="b_2")


class TestKind(KindContract):
    pass


class TestBackend(BackendContract):
    pass
""",
}
OWN = ("--config-dir", "conf", "cluster=borrowed", "entrypoint=halves")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A folder with the package, which is found as one that pip has installed is."""
    folder = tmp_path_factory.mktemp("outside")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip("\n"))
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return Home(folder, {"PYTHONPATH": os.pathsep.join(paths)})


def refused(answer: Answer) -> str:
    """The one line with which a command refuses."""
    assert answer.code != 0
    (line,) = answer.errors
    return line


class TestPlan:
    def test_it_costs_what_the_kind_says(self, home):
        answer = home("plan", *OWN, "quota=free_tier")
        assert answer.code == 0, answer.err
        assert "asks      How fast are numbers halved?" in answer.out
        assert "borrowed slots=2 shelf=a_1" in answer.out
        assert "$200.000 an hour (machines 200.000); at least $2.00 for 36 s to start and stop" in answer.out
        assert "2 vCPUs" in answer.out

    def test_what_a_smaller_one_would_be_is_asked_of_the_kind(self, home):
        answer = home("plan", *OWN, "cluster.slots=16", "quota=free_tier", "--json")
        content: Any = json.loads(answer.out)
        assert "this would fit: cluster.slots=8." in content["clusters"][0]["quota_refuses"]

    def test_text_of_its_keys_stays_as_it_was_typed(self, home):
        assert "shelf=2024_10" in home("plan", *OWN, "cluster.shelf=2024_10").out

    def test_no_result_depends_on_keys_with_a_role(self, home):
        keys = {
            json.loads(home("plan", *OWN, "--json", *changes).out)["runs"][0]["run_key"]
            for changes in ([], ["+cluster.ticket=t"])
        }
        assert len(keys) == 1

    @pytest.mark.parametrize(
        ("override", "line"),
        [
            ("cluster.kind=borowed", "cluster.kind=borowed is unknown; did you mean 'borrowed'?"),
            ("cluster.kind=broken", "cluster.kind=broken cannot be imported: No module named 'borrowed_kind.nowhere'"),
            ("cluster.slots=65", "cluster.slots=65 must be at most 64"),
            ("+cluster.solts=2", "unknown key cluster.solts; did you mean 'cluster.slots'?"),
        ],
    )
    def test_what_is_wrong_is_said_in_one_line(self, home, override, line):
        assert line in refused(home("plan", *OWN, override))


@pytest.mark.long
@pytest.mark.spark
def test_a_run_of_its_experiment_on_its_cluster(home):
    answer = home(*OWN)
    assert answer.code == 0, answer.err
    (folder,) = [path.parent for path in Path(home.path).glob("outputs/**/run.json")]
    record = json.loads((folder / "run.json").read_text())
    assert record["state"] == "finished"
    assert record["config"]["cluster"]["shelf"] == "a_1"
    assert record["facts"]["cores"] == 2
    assert home("report", folder).code == 0


@pytest.mark.spark
def test_a_run_on_its_data_set_which_is_known_again(home, photos):
    data = ("dataset=attic", f"dataset.boxes={photos.parent}", f"dataset.box={photos.name}")
    run = ("--config-dir", "conf", *data, *SMALL_GRID, "grid.reader=[image_files_native]")
    answer = home(*run)
    assert answer.code == 0, answer.err
    (done,) = json.loads(home("plan", *run, "--json").out)["runs"]
    assert done["done"] is not None
    assert done["done"]["data_fingerprint"] == done["data_fingerprint"] is not None


@pytest.mark.spark
def test_the_contract_that_ships(home):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "test_borrowed.py"]
    done = subprocess.run(
        command, cwd=home.path, env=home.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout
