"""A cluster's life against a real server: created, found again, deleted; whatever fails, nothing is left."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from flowerexp.cluster.dataproc import backend as dataproc_backend
from flowerexp.cluster.dataproc import presence
from flowerexp.cluster.google import backend as module
from flowerexp.cluster.google.names import cluster_name
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import ClusterError, QuotaError, StoppedError
from flowerexp.rehearsal.cloud import FREE_TIER
from tests.cloud.marked import until
from tests.cluster.conftest import BUCKET, SCOPE, Observer

NONE: dict[str, str] = {}


def created(google):
    """The messages of the clusters that were asked for."""
    return [message["cluster"] for message in google.requests("CreateCluster")]


def uuid_of(backend, google):
    """Google's own id of the only cluster."""
    (name,) = google.clusters()
    clients = backend.clients
    return clients.clusters.get_cluster(request={**clients.place, "cluster_name": name}).cluster_uuid


class TestOpen:
    def test_a_cluster_is_created_as_the_config_says_and_deleted(self, google, cluster, observer):
        made = kind_of(
            cluster("four_nodes", "cluster.zones=[us-central1-b]", "+cluster.labels={team: Vision Lab}")
        ).backend()
        made.open(SCOPE, NONE, observer)
        (name,) = google.clusters()
        assert observer.states == ["creating", "running"]
        assert {handle["name"] for _, handle, _ in observer.events} == {name}
        (asked,) = created(google)
        config = asked["config"]
        assert config["lifecycle_config"] == {"idle_delete_ttl": "600s", "auto_delete_ttl": "14400s"}
        assert config["gce_cluster_config"]["internal_ip_only"] is True
        assert config["gce_cluster_config"]["zone_uri"] == "us-central1-b"
        assert config["config_bucket"] == config["temp_bucket"] == BUCKET
        assert config["worker_config"]["num_instances"] == 3
        assert config["worker_config"]["disk_config"]["boot_disk_size_gb"] == 666
        assert config["master_config"]["disk_config"]["boot_disk_type"] == "pd-ssd"
        assert asked["labels"]["flowerexp-scope"] == SCOPE
        assert asked["labels"]["team"] == "vision-lab"
        properties = config["software_config"]["properties"]
        assert properties["spark:spark.dynamicAllocation.enabled"] == "false"
        assert properties["spark:spark.executor.instances"] == "3"
        writing = ("diagnostic.capture", "dataproc.logging.syslog", "dataproc.logging.extended")
        assert {properties[f"dataproc:{name}.enabled"] for name in writing} == {"false"}
        assert len(google.requests("CreateCluster")[0]["request_id"]) == 36
        made.close(SCOPE, observer)
        assert observer.states == ["creating", "running", "deleting", "deleted"]
        assert google.clusters() == {}
        assert google.counts().deleted == 1

    def test_a_single_node_has_no_workers(self, google, dataproc, observer):
        dataproc("single_node").open(SCOPE, NONE, observer)
        (asked,) = created(google)
        assert "worker_config" not in asked["config"]
        assert google.counts().created == 1

    def test_the_configs_own_spark_properties_win(self, google, dataproc, observer):
        overrides = ("+cluster.spark.spark.executor.instances=2", "+cluster.spark.spark.speculation=true")
        dataproc("four_nodes", *overrides).open(SCOPE, NONE, observer)
        properties = created(google)[0]["config"]["software_config"]["properties"]
        assert properties["spark:spark.executor.instances"] == "2"
        assert properties["spark:spark.speculation"] == "true"

    def test_another_process_of_the_same_sweep_finds_it_again(self, google, dataproc, observer):
        dataproc().open(SCOPE, NONE, observer)
        again = Observer()
        dataproc().open(SCOPE, NONE, again)
        assert google.counts().created == 1
        assert again.states == ["running"]
        dataproc().close(SCOPE, again)
        assert google.clusters() == {}

    def test_what_dataproc_keeps_of_a_cluster_goes_with_it_and_nothing_else(self, google, dataproc, observer):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        bucket = google.storage().bucket(BUCKET)
        uuid = uuid_of(made, google)
        kept = [f"{uuid[:-1]}x/spark-job-history/1", "data/photo.jpg"]
        for name in (f"{uuid}/spark-job-history/app-1", f"{uuid}/yarn-logs/1", *kept):
            bucket.blob(name).upload_from_string(b"x")
        made.close(SCOPE, observer)
        assert sorted(blob.name for blob in google.storage().list_blobs(BUCKET)) == sorted(kept)

    def test_what_dataproc_keeps_of_a_cluster_that_deleted_itself_goes_when_it_is_closed(
        self, google, dataproc, observer
    ):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        google.storage().bucket(BUCKET).blob(f"{uuid_of(made, google)}/yarn-logs/1").upload_from_string(b"x")
        google.expire(*google.clusters())
        made.close(SCOPE, observer)
        assert list(google.storage().list_blobs(BUCKET)) == []

    def test_a_cluster_is_deleted_although_its_temporary_files_cannot_be(self, google, dataproc, observer):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        google.storage().bucket(BUCKET).delete(force=True)
        made.close(SCOPE, observer)
        assert google.clusters() == {}
        assert observer.states[-1] == "deleted"
        assert "stays" in observer.events[-1][2]

    def test_another_sweep_has_another_one(self, google, dataproc, observer):
        dataproc().open(SCOPE, NONE, observer)
        dataproc().open("another-scope-89abcdef", NONE, observer)
        assert google.counts().created == 2
        assert len(google.clusters()) == 2

    def test_the_bucket_is_made_once_closed_to_the_public_and_forgets_what_is_staged(self, google, dataproc, observer):
        dataproc().open(SCOPE, NONE, observer)
        bucket = google.storage().get_bucket(BUCKET)
        assert bucket.iam_configuration.uniform_bucket_level_access_enabled
        assert bucket.iam_configuration.public_access_prevention == "enforced"
        assert bucket.location == "US-CENTRAL1"
        (rule,) = bucket.lifecycle_rules
        assert rule["action"] == {"type": "Delete"}
        assert "flowerexp/jobs/" in rule["condition"]["matchesPrefix"]
        assert not any("flowerexp/data/".startswith(one) for one in rule["condition"]["matchesPrefix"])

    def test_a_bucket_that_is_there_stays_as_it_is(self, google, dataproc, observer):
        google.bucket(BUCKET)
        dataproc().open(SCOPE, NONE, observer)
        assert list(google.storage().get_bucket(BUCKET).lifecycle_rules) == []

    def test_a_bucket_of_another_project_is_refused_before_anything_is_written(
        self, google, dataproc, cluster, observer
    ):
        google.bucket(BUCKET, project="somebody-elses")
        made = dataproc()
        line = (
            f"gcp.bucket: the bucket gs://{BUCKET} belongs to another project than {google.project}; name another one"
        )
        for look in (lambda: made.open(SCOPE, NONE, observer), made.check):
            module._check.cache_clear()
            with pytest.raises(ClusterError) as caught:
                look()
            assert str(caught.value).startswith(line)
        assert list(google.storage().list_blobs(BUCKET)) == []
        assert google.requests("CreateCluster") == []

    @pytest.mark.parametrize(
        ("refusal", "key"),
        [
            ("Invalid zone 'projects/p/zones/us-x'", "gcp.zones"),
            ("Selected software image version '9.9' is invalid", "cluster.image_version"),
            ("Machine type 'z9' of the master is not supported", "cluster.master.machine_type"),
            ("Requested worker disk size 10 GB is smaller than the image size", "cluster.workers.disk_gb"),
            ("Invalid autoscaling policy 'projects/p/locations/l/autoscalingPolicies/x'", "cluster.autoscaling_policy"),
            ("Secondary workers need primary workers", "cluster.secondary.count"),
            ("Google Cloud Storage bucket does not exist 'b'", "gcp.bucket"),
        ],
    )
    def test_a_refusal_is_shown_as_it_is_with_its_key(self, google, dataproc, observer, refusal, key):
        google.fail_next("CreateCluster", "INVALID_ARGUMENT", refusal)
        with pytest.raises(ClusterError) as caught:
            dataproc().open(SCOPE, NONE, observer)
        assert str(caught.value).startswith(f"{key}: creating cluster ")
        assert refusal in str(caught.value)

    def test_a_bucket_that_cannot_be_made_is_an_error_before_anything_costs_money(self, google, cluster, observer):
        made = kind_of(replace(cluster(), bucket="google-is-not-allowed")).backend()
        with pytest.raises(ClusterError, match="google-is-not-allowed") as caught:
            made.open(SCOPE, NONE, observer)
        assert "gcp.bucket" in str(caught.value)
        made.close(SCOPE, observer)
        assert observer.states == []


class TestWhatIsInTheWay:
    def test_a_broken_one_is_deleted_and_made_anew(self, google, dataproc, cluster, observer):
        google.fail_operation("CREATE", "INTERNAL", "the master did not start")
        with google.hold("delete"), pytest.raises(ClusterError):
            self.impatient(dataproc, observer)
        google.release("delete")
        dataproc().open(SCOPE, NONE, observer)
        assert list(google.clusters().values()) == ["RUNNING"]
        assert observer.states[-1] == "running"

    def test_one_that_somebody_stopped_is_deleted_and_made_anew(self, google, dataproc, observer):
        dataproc().open(SCOPE, NONE, observer)
        (name,) = google.clusters()
        google.stop(name)
        later = Observer()
        dataproc().open(SCOPE, NONE, later)
        assert google.clusters() == {name: "RUNNING"}
        assert later.states == ["deleting", "deleted", "creating", "running"]

    @staticmethod
    def impatient(dataproc, observer):
        patch = pytest.MonkeyPatch()
        patch.setattr(presence, "DELETE_SECONDS", 0.0)
        try:
            dataproc().open(SCOPE, NONE, observer)
        finally:
            patch.undo()

    def test_one_that_is_being_created_is_waited_for(self, google, dataproc, observer):
        first, second, second_observer = dataproc(), dataproc(), Observer()
        with google.hold("create"):
            threads = [threading.Thread(target=first.open, args=(SCOPE, NONE, observer))]
            threads[0].start()
            while not google.clusters():
                pass
            threads.append(threading.Thread(target=second.open, args=(SCOPE, NONE, second_observer)))
            threads[1].start()
            while "creating" not in second_observer.states:
                pass
        for thread in threads:
            thread.join()
        assert google.counts().created == 1
        assert second_observer.states == ["creating", "running"]

    def test_one_that_is_not_ours_is_left_alone(self, google, dataproc, cluster, observer):
        other = "another-scope-89abcdef"
        theirs = dataproc()
        theirs.open(other, NONE, Observer())
        kept = google.storage().bucket(BUCKET).blob(f"{uuid_of(theirs, google)}/spark-job-history/1")
        kept.upload_from_string(b"x")
        patch = pytest.MonkeyPatch()
        taken = cluster_name(other, cluster())
        patch.setattr(dataproc_backend, "cluster_name", lambda *_: taken)
        try:
            made = dataproc()
            with pytest.raises(ClusterError, match="did not create"):
                made.open(SCOPE, NONE, observer)
            made.close(SCOPE, observer)
        finally:
            patch.undo()
        assert google.clusters() == {taken: "RUNNING"}
        assert kept.exists()
        assert "deleting" not in observer.states

    def test_one_that_is_there_and_denied_is_asked_for_with_pauses_and_not_for_ever(self, google, dataproc, observer):
        made = dataproc()
        made.clients.pace = replace(made.clients.pace, look=0.1, patience=0.5, lag=0.1)
        google.fail_next("CreateCluster", "ALREADY_EXISTS", "Already exists: Failed to create cluster", times=-1)
        with pytest.raises(ClusterError, match="Already exists"):
            made.open(SCOPE, NONE, observer)
        made.close(SCOPE, observer)
        assert len(google.requests("DeleteCluster")) == 1  # whatever is there
        assert 2 <= len(google.requests("CreateCluster")) <= 7

    def test_one_that_is_denied_for_a_while_after_its_creation_is_used(self, google, dataproc, observer):
        google.fail_next("GetCluster", "NOT_FOUND", "Not found: Cluster x", times=3)  # the first is before
        dataproc().open(SCOPE, NONE, observer)
        assert observer.states == ["creating", "running"]

    def test_one_that_is_denied_for_ever_is_deleted_all_the_same(self, google, dataproc, observer):
        made = dataproc()
        made.clients.pace = replace(made.clients.pace, lag=0.3)
        google.fail_next("GetCluster", "NOT_FOUND", "Not found: Cluster x", times=-1)
        with pytest.raises(ClusterError, match="does not run: it is gone"):
            made.open(SCOPE, NONE, observer)
        assert observer.states == ["creating", "deleting", "deleted"]
        until(lambda: not google.clusters(), 20)

    def test_what_an_earlier_launcher_asked_for_is_deleted_although_google_denies_it_at_first(
        self, google, dataproc, observer
    ):
        dataproc().open(SCOPE, NONE, observer)
        google.fail_next("GetCluster", "NOT_FOUND", "Not found: Cluster x", times=3)
        later = Observer()
        dataproc().close(SCOPE, later)
        assert later.states == ["deleting", "deleted"]
        assert google.clusters() == {}

    def test_an_answer_that_was_lost_creates_no_second_one(self, google, dataproc, observer):
        google.drop_next("CreateCluster", after=True)
        dataproc().open(SCOPE, NONE, observer)
        assert google.counts().created == 1
        assert observer.states == ["creating", "running"]


class TestFailures:
    """Each ends with nothing left, and says so."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, google, observer):
        yield
        assert google.clusters() == {}
        assert observer.states[-1] == "deleted"

    @pytest.mark.parametrize("on", ["call", "operation"])
    def test_a_quota_that_is_too_small(self, google, dataproc, observer, on):
        google.set_quota(on=on, **FREE_TIER)
        with pytest.raises(QuotaError) as caught:
            dataproc("eight_nodes", "cluster.internal_ip_only=false").open(SCOPE, NONE, observer)
        line = str(caught.value)
        assert "CPUS: asked 16, available 8" in line
        assert "IN_USE_ADDRESSES: asked 8, available 7" in line
        assert "cluster.internal_ip_only=true" in line
        assert "\n" not in line

    def test_a_creation_that_ends_in_error(self, google, dataproc, observer):
        google.fail_operation("CREATE", "INTERNAL", "Timeout waiting for instance x-m to report in.")
        with pytest.raises(ClusterError, match="Timeout waiting for instance"):
            dataproc().open(SCOPE, NONE, observer)
        assert observer.states == ["creating", "deleting", "deleted"]
        assert google.counts().deleted == 1

    def test_it_deletes_itself_before_it_is_closed(self, google, dataproc, observer):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        google.advance(15 * 60)
        assert google.clusters() == {}
        made.close(SCOPE, observer)
        assert observer.states == ["creating", "running", "deleted"]

    def test_a_stop_before_it_is_asked_for(self, google, dataproc, observer):
        observer.stop_at = "creating"
        with pytest.raises(StoppedError):
            dataproc().open(SCOPE, NONE, observer)
        assert google.requests("CreateCluster") == []

    def test_a_deletion_that_fails_is_tried_again(self, google, dataproc, observer):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        google.fail_operation("DELETE", "INTERNAL", "could not delete")
        made.close(SCOPE, observer)
        assert observer.states == ["creating", "running", "deleting", "deleted"]

    def test_lost_connections_are_made_again(self, google, dataproc, observer):
        for method in ("CreateCluster", "GetCluster", "GetOperation", "DeleteCluster"):
            google.drop_next(method, times=2)
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        made.close(SCOPE, observer)
        assert google.counts().created == 1


class TestStopInTheMiddle:
    def test_what_is_half_made_is_deleted(self, google, dataproc, observer):
        made, caught = dataproc(), []

        def run():
            try:
                made.open(SCOPE, NONE, observer)
            except StoppedError as error:
                caught.append(error)

        with google.hold("create"):
            thread = threading.Thread(target=run)
            thread.start()
            while "CREATING" not in google.clusters().values():
                pass
            observer.stopping = True
            thread.join(timeout=60)
        assert caught
        assert google.clusters() == {}
        assert observer.states == ["creating", "deleting", "deleted"]


class TestZones:
    ZONES = "cluster.zones=[us-central1-a,us-central1-b]"

    def test_the_next_one_is_tried_where_there_are_no_machines(self, google, dataproc, observer):
        google.stock_out("us-central1-a")
        dataproc("four_nodes", self.ZONES).open(SCOPE, NONE, observer)
        assert observer.states == ["creating", "deleting", "deleted", "creating", "running"]
        assert "us-central1-a has no machines left" in observer.events[3][2]
        assert observer.events[-1][1]["zone"] == "us-central1-b"
        assert list(google.clusters().values()) == ["RUNNING"]

    def test_none_has_machines(self, google, dataproc, observer):
        google.stock_out_region()
        with pytest.raises(ClusterError, match="no machines left") as caught:
            dataproc("four_nodes", self.ZONES).open(SCOPE, NONE, observer)
        assert "gcp.zones" in str(caught.value)
        assert google.clusters() == {}
        assert google.counts().created == 2

    def test_the_call_itself_may_say_so(self, google, dataproc, observer):
        words = "The zone 'projects/p/zones/us-central1-a' does not have enough resources available"
        google.fail_next("CreateCluster", "UNAVAILABLE", words)
        dataproc("four_nodes", self.ZONES).open(SCOPE, NONE, observer)
        assert observer.states == ["creating", "deleted", "creating", "running"]

    def test_a_quota_is_no_matter_of_zones(self, google, dataproc, observer):
        google.set_quota(CPUS=4.0)
        with pytest.raises(QuotaError):
            dataproc("four_nodes", self.ZONES).open(SCOPE, NONE, observer)
        assert len(google.requests("CreateCluster")) == 1


class TestClose:
    def test_one_that_has_deleted_itself_long_ago_is_told_to_be_gone(self, google, dataproc, observer):
        dataproc().close(SCOPE, observer)  # as resume does, after another launcher has died
        assert observer.states == ["deleted"]

    def test_twice_is_once(self, google, dataproc, observer):
        made = dataproc()
        made.open(SCOPE, NONE, observer)
        made.close(SCOPE, observer)
        made.close(SCOPE, observer)
        assert google.counts().deleted == 1
        assert observer.states == ["creating", "running", "deleting", "deleted"]

    def test_one_that_may_still_be_there_is_told_with_the_command(self, google, dataproc, observer):
        dataproc().open(SCOPE, NONE, observer)
        (name,) = google.clusters()
        google.fail_next("DeleteCluster", "PERMISSION_DENIED", "someone@example.com may not")
        with pytest.raises(ClusterError) as caught:
            dataproc().close(SCOPE, Observer())
        line = str(caught.value)
        assert f"gcloud dataproc clusters delete {name} --region=us-central1 --project={google.project} --quiet" in line
        assert "someone@example.com" not in line


class TestCheck:
    def test_it_asks_something_harmless(self, google, dataproc):
        module._check.cache_clear()
        dataproc().check()
        google.fail_next("ListClusters", "PERMISSION_DENIED", "Permission 'dataproc.clusters.list' denied", times=-1)
        dataproc().check()  # once is enough
        module._check.cache_clear()
        with pytest.raises(ClusterError, match=r"gcp\.project") as caught:
            dataproc().check()
        assert "Dataproc Editor" in str(caught.value)

    def test_no_credentials(self, cluster, monkeypatch, tmp_path):
        for name in ("DATAPROC_EMULATOR_HOST", "STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        module._check.cache_clear()
        with pytest.raises(ClusterError) as caught:
            kind_of(cluster()).backend().check()
        assert "no Google Cloud credentials" in str(caught.value)
        assert "gcloud auth application-default login" in str(caught.value)
