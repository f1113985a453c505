"""`flowerexp clusters` and `flowerexp cleanup`: what is left is found by its labels, and deleted."""

from __future__ import annotations

import pytest

from flowerexp.cluster.google import names
from flowerexp.commands import cleanup, clusters
from flowerexp.errors import ConfigError
from flowerexp.journal.journal import Journal
from flowerexp.rehearsal.cloud import Cloud
from tests.cluster.conftest import BUCKET, SCOPE, Observer

PLACE = (f"gcp.project={Cloud.project}", f"gcp.bucket={BUCKET}")


@pytest.fixture
def call(google, tmp_path, capsys):
    """`call(cleanup, "--dry-run")` is the exit code and what was printed."""

    def run(command, *arguments):
        code = command.main([*arguments, *PLACE, f"home={tmp_path}"])
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def left(google, dataproc, files):
    """A cluster with a job, an active batch, what was staged for them, and a cluster that is not ours."""
    made = dataproc()
    made.open(SCOPE, {}, Observer())
    google.hold("job")
    made.submit(files())
    google.hold("batch")
    serverless = dataproc("serverless")
    serverless.open(SCOPE, {}, Observer())
    serverless.submit(files(name="job-2"))
    from flowerexp.cluster.google.clients import Clients

    clients = Clients(google.project, google.region)
    config = {"software_config": {"image_version": "2.2-debian12"}, "gce_cluster_config": {"internal_ip_only": True}}
    other = {"project_id": google.project, "cluster_name": "somebodys", "config": config}
    clients.clusters.create_cluster(request={**clients.place, "cluster": other})
    google.storage().bucket(BUCKET).blob("flowerexp/data/prepared/x").upload_from_string(b"x")
    google.storage().bucket(BUCKET).blob("own/notes.txt").upload_from_string(b"x")
    return google


def staged(google):
    return sorted(blob.name for blob in google.storage().list_blobs(BUCKET))


def test_a_stopped_cluster_costs_its_disks_and_spot_workers_are_counted(google, dataproc, call):
    made = dataproc("four_nodes", "cluster.secondary.count=2")
    made.open(SCOPE, {}, Observer())
    assert [row.split()[-3] for row in call(clusters)[1].splitlines()[1:]] == ["0.79"]
    google.stop(*google.clusters())
    _, row = call(clusters)[1].splitlines()
    assert "STOPPED" in row
    assert row.split()[-3] == "0.21"
    assert call(cleanup)[0] == 0
    assert google.clusters() == {}


def test_clusters_lists_ours_with_their_price(left, call):
    code, out = call(clusters)
    assert code == 0
    head, *rows = out.splitlines()
    assert "$/hour" in head
    assert len(rows) == 2
    assert "somebodys" not in out
    (cluster,) = [row for row in rows if row.split()[1] == "cluster"]
    assert "RUNNING" in cluster
    assert SCOPE in cluster
    assert float(cluster.split()[-3]) > 0
    assert cluster.endswith("not here")


def test_clusters_of_nobody(google, call):
    assert call(clusters) == (0, f"nothing of flowerexp runs in {Cloud.project} us-central1\n")


def test_clusters_names_the_folder_of_a_sweep(google, call, dataproc, tmp_path):
    folder = tmp_path / "outputs" / "2026-11-23" / "12-00-00-ab12"
    folder.mkdir(parents=True)
    dataproc().open(Journal(folder).scope(), {}, Observer())
    assert str(folder) in call(clusters)[1]
    moved = folder.rename(folder.parent / "moved")
    assert str(moved) in call(clusters)[1]


def test_the_cluster_of_a_sweep_is_ours_wherever_it_was_started_and_whatever_its_folder_was_called(
    google, call, dataproc, tmp_path, monkeypatch
):
    folder = tmp_path / "outputs" / "2026-11-23" / "12-00-00-ab12"
    folder.mkdir(parents=True)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(names, "owner", lambda: "somebody-elsewhere")
        dataproc().open(Journal(folder).scope(), {}, Observer())
    kept = folder.rename(tmp_path / "kept")  # no sweep of this home
    code, out = call(cleanup, "--dry-run")
    assert code == 0
    assert "kept: cluster" in out
    assert f"created by somebody-elsewhere, and the folder of its sweep is not below {tmp_path}" in out
    assert len(google.clusters()) == 1
    kept.rename(folder.parent / "moved")
    assert call(cleanup)[0] == 0
    assert google.clusters() == {}


def test_without_a_project_they_say_what_to_do(google, monkeypatch, tmp_path):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    for command in (clusters, cleanup):
        with pytest.raises(ConfigError, match=r"gcp\.project=ID"):
            command.main([f"home={tmp_path}"])


def test_a_dry_run_deletes_nothing(left, call):
    before = staged(left)
    code, out = call(cleanup, "--dry-run", "--bucket")
    assert code == 0
    assert len(left.clusters()) == 2
    assert left.counts().batches_active == 1
    assert staged(left) == before
    assert "would be deleted" in out


def test_cleanup_deletes_ours_and_what_was_staged_for_it(left, call):
    code, out = call(cleanup)
    assert code == 0
    assert left.clusters() == {"somebodys": "RUNNING"}
    assert left.counts().batches_active == 0
    assert staged(left)[-2:] == ["flowerexp/data/prepared/x", "own/notes.txt"]
    assert not [name for name in staged(left) if name.startswith(("flowerexp/jobs/", "flowerexp/runs/"))]
    assert "deleted: cluster four-nodes" in out
    assert call(cleanup)[0] == 0


def test_what_others_created_is_kept_unless_asked_for(left, call, monkeypatch):
    monkeypatch.setattr(names, "owner", lambda: "somebody-else")
    before = staged(left)
    code, out = call(cleanup)
    assert code == 0
    assert len(left.clusters()) == 2
    assert "--everyone" in out
    assert staged(left) == before  # their sweep may still need it
    code, _ = call(cleanup, "--everyone")
    assert code == 0
    assert left.clusters() == {"somebodys": "RUNNING"}


def test_what_cannot_be_deleted_is_told_and_the_rest_goes(left, call):
    left.fail_next("DeleteCluster", "PERMISSION_DENIED", "no", times=-1)
    code, out = call(cleanup)
    assert code == 1
    assert len(left.clusters()) == 2
    assert left.counts().batches_active == 0
    assert "could not be deleted" in out


def test_a_running_sweep_is_left_alone(google, dataproc, call, tmp_path):
    folder = tmp_path / "outputs" / "2026-11-23" / "12-00-00-ab12"
    folder.mkdir(parents=True)
    dataproc().open(Journal(folder).scope(), {}, Observer())
    with Journal(folder).held():
        code, out = call(cleanup)
        assert code == 1
        assert "its sweep runs" in out
        assert len(google.clusters()) == 1
    assert call(cleanup)[0] == 0
    assert google.clusters() == {}


def test_the_bucket_goes_with_all_that_is_in_it(left, call):
    code, _ = call(cleanup, "--bucket")
    assert code == 0
    assert left.storage().lookup_bucket(BUCKET) is None
    assert call(cleanup, "--bucket")[0] == 0


def test_a_bucket_that_was_there_before_loses_our_folder_only(google, call, dataproc):
    google.bucket(BUCKET)
    google.storage().bucket(BUCKET).blob("own/notes.txt").upload_from_string(b"x")
    google.storage().bucket(BUCKET).blob("flowerexp/data/x").upload_from_string(b"x")
    code, out = call(cleanup, "--bucket")
    assert code == 0
    assert staged(google) == ["own/notes.txt"]
    assert "not flowerexp's" in out


def test_a_bucket_in_use_is_kept(left, call, monkeypatch):
    monkeypatch.setattr(names, "owner", lambda: "somebody-else")
    code, out = call(cleanup, "--bucket")
    assert code == 1
    assert "it is used by" in out
    assert left.storage().lookup_bucket(BUCKET) is not None
