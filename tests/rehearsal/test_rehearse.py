"""`flowerexp rehearse`: the real command, without credentials and without a project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowerexp import cli
from flowerexp.commands import completing, rehearse
from tests.command import Answer, Home

pytestmark = pytest.mark.slow

LIGHT = ("cluster=single_node", "caching=true", "grid.reader=[image_files_native]", "grid.batch_size=[2]")
APART = re.compile(r"(FLOWEREXP|GOOGLE|STORAGE|DATAPROC|COMPUTE|CLOUDSDK)_")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, new=True)
    made.environment = {name: value for name, value in made.environment.items() if not APART.match(name)}
    made.environment |= {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/of-the-user.json"}
    return made


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("cluster=single_node", "--fault", "quoat"), r"'quoat' is not the name of a fault; did you mean 'quota'"),
            ((), r"cluster=local is not in Google Cloud.*cluster=eight_nodes, four_nodes, serverless, single_node"),
            (("-m", "cluster=single_node,local_nodes"), "cluster=local_nodes is not in Google Cloud"),
            (
                ("cluster=single_node", "dataset=folder", "dataset.path=gs://b/photos"),
                r"dataset\.path: gs://b/photos is in",
            ),
            (("-m", "cluster=single_node", "gcp.project=aaaaaa,bbbbbb"), "2 projects: aaaaaa, bbbbbb"),
            (("cluster=nonsense",), "there is no cluster=nonsense"),
        ],
    )
    def test_in_one_line_and_nothing_is_started(self, monkeypatch, tmp_path, capsys, arguments, said):
        monkeypatch.chdir(tmp_path)
        for name in ("FLOWEREXP_HOME", "GOOGLE_CLOUD_PROJECT"):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        with pytest.raises(SystemExit) as caught:
            cli.main(["rehearse", *arguments])
        shown = capsys.readouterr()
        assert caught.value.code == 1
        assert shown.err.count("\n") == 1
        assert re.search(said, shown.err)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("override", "own"),
    [
        ("home=/x", True),
        ("tracking=mine", True),
        ("+tracking.uri=http://x", True),
        ("skip_finished=true", True),
        ("hydra.sweep.dir=/x", True),
        ("hydra.launcher.max_clusters=2", False),
        ("homes=1", False),
        ("cluster=single_node", False),
    ],
)
def test_what_would_mix_it_with_real_runs_is_left_out(override, own):
    assert bool(rehearse._OWN.match(override)) is own


def test_faults_are_completed():
    assert completing.offered("rehearse", "s", "--fault") == ["stockout", "slow"]
    assert "--fault" in completing.offered("rehearse", "--f")


def is_apart(home: Home, answer: Answer) -> None:
    """Nothing is left in the cloud, and nothing of the rehearsal is among real runs."""
    assert re.search(r"^left over no cluster and no batch", answer.out, re.MULTILINE), answer.out + answer.err
    assert [path.name for path in home.path.iterdir()] == ["rehearsal"]


@pytest.mark.spark
@pytest.mark.long
def test_a_sweep_over_two_clusters(home):
    answer = home("rehearse", "-m", "cluster=single_node,four_nodes", "caching=true,false", "tracking.experiment=mine")
    assert answer.code == 0, answer.err
    is_apart(home, answer)
    rows = re.findall(r"^cluster (\S+) +(\S+) +(\S+) +(\S+) ", answer.out, re.MULTILINE)
    assert len(rows) == 2
    assert rows[0][1] == "0:00"
    assert all(row[2] != "never" for row in rows)
    assert "gcloud services enable dataproc.googleapis.com storage.googleapis.com compute.googleapis.com" in answer.out
    assert "roles/dataproc.editor, roles/iam.serviceAccountUser, roles/storage.admin" in answer.out
    assert "roles/dataproc.worker" in answer.out
    (plan,) = home.path.glob("rehearsal/outputs/*/*/plan.json")
    resumed = home("resume", plan.parent)  # which would reach for the real cloud
    assert (resumed.code, resumed.err.count("\n")) == (1, 1)
    assert "was a rehearsal" in resumed.err
    again = home("rerun", plan.parent / "0")
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "was rehearsed" in again.err
    runs = Home(home.path / "rehearsal").logged()
    assert sum(run.data.tags.get("flowerexp.kind") != "sweep" for run in runs) == 4


@pytest.mark.spark
@pytest.mark.long
def test_serverless_with_packages_in_an_archive(home):
    answer = home("rehearse", "cluster=serverless", "quota=live", *LIGHT[1:])
    assert answer.code == 0, answer.err
    is_apart(home, answer)
    assert "compute.regions.get" in answer.out


@pytest.mark.spark
@pytest.mark.long
def test_a_package_that_would_not_be_there_fails_here(home):
    (home.path / "mine" / "entrypoint").mkdir(parents=True)
    script = home.path / "mine" / "lacking.py"
    script.write_text(
        "from flowerexp.workload import main\n\ndef run(spark, config):\n"
        "    import scipy\n    yield {'value': 1}\n\nif __name__ == '__main__':\n    main(run)\n"
    )
    declared = f"name: lacking\nquestion: Is it there?\nunit: things\nscript: {script}\n"
    (home.path / "mine" / "entrypoint" / "lacking.yaml").write_text(declared)
    answer = home("--config-dir", home.path / "mine", "rehearse", "entrypoint=lacking", "cluster=single_node")
    assert answer.code == 1
    assert re.search(r"No module named 'scipy'.*entrypoint\.requires", answer.err), answer.err
    assert "left over no cluster and no batch" in answer.out


@pytest.mark.spark
@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("quota", 1, r"quota is too small: CPUS: asked 8, available 1; take fewer workers"),
        ("stockout", 1, r"no machines left: .*name other zones \(gcp\.zones=\[\.\.\.\]\)"),
        ("error-create", 1, r"creating cluster \S+: Timeout waiting for the master to report in"),
        ("job-fails", 1, r"MemoryError: Unable to allocate 12\.0 GiB; see \S+driver\.log"),
        ("idle-delete", 1, r"is gone; it was deleted by its timers \(cluster\.idle_delete_minutes"),
        ("slow", 0, ""),
        ("drop", 0, ""),
        ("preempt", 0, ""),
    ],
)
def test_a_fault_ends_without_a_cluster_and_with_what_a_user_needs_to_know(home, fault, code, said):
    answer = home("rehearse", "--fault", fault, *LIGHT)
    assert answer.code == code, answer.err
    is_apart(home, answer)
    assert re.search(said, answer.err)
    assert "it was not played" not in answer.out
    if fault == "preempt":
        (record,) = home.path.glob("rehearsal/outputs/*/*/run.json")
        assert "discarded and made again: executor" in record.read_text()
