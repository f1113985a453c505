"""Names in Google Cloud: what Google takes passes, and what it refuses is refused here, with what is wanted."""

import re
from typing import Any

import pytest

from flowerexp.config import names
from flowerexp.errors import ConfigError
from tests.composing import composed

CLOUD = ("cluster=four_nodes", "gcp.project=mine", "quota=none")

REFUSED = [
    ("gcp.bucket=gs://b", "the name of a bucket alone; write b"),
    ("gcp.bucket=gs://my-bucket/folder", "the name of a bucket alone; write my-bucket"),
    ("gcp.bucket=my-bucket/folder", "the name of a bucket alone; write my-bucket"),
    ("gcp.bucket=My_B", "the name of a bucket alone; 3 or more small letters, digits"),
    ("gcp.bucket=ab", "3 or more small letters"),
    ("gcp.bucket=goog-mine", "the name of a bucket alone"),
    ("gcp.project=My-Project", "the id of a project; small letters, digits and hyphens, such as my-project-1"),
    ("gcp.project=123456789012", "that is a number: write the project's id"),
    ("gcp.project=my_project", "the id of a project"),
    ("gcp.project=projects/mine", "the id of a project"),
    ("gcp.region=us-central1-a", "a region of Compute Engine; that is a zone: write us-central1"),
    ("gcp.region=US-Central1", "a region of Compute Engine; write one such as us-central1"),
    ("gcp.region=global", "a region of Compute Engine"),
    ("gcp.zones=us-central1", "that is a region: write one of its zones, such as us-central1-a, or none"),
    ("gcp.zones=[us-central1-a,b]", "a zone of Compute Engine; write one such as us-central1-a"),
    ("gcp.service_account=me@example.com", "the address of a service account; write NAME@PROJECT.iam"),
    ("gcp.service_account=robot", "the address of a service account"),
    ("gcp.subnetwork='my net'", "a subnetwork; write its name, or projects/"),
    ("gcp.subnetwork=projects/p/global/networks/n", "a subnetwork"),
    ("cluster.image_version=latest", "a version of Dataproc's images; write one such as 2.2-debian12"),
    ("cluster.master.machine_type=n1_standard_2", "a machine type; write one such as n1-standard-2"),
    ("cluster.workers.machine_type=N1-Standard-2", "a machine type"),
    ("storage.prepared=gs://My_Bucket/data", "a folder, or gs://BUCKET/FOLDER"),
    ("storage.prepared=gs:/b/data", "a folder, or gs://BUCKET/FOLDER"),
    ("home=gs://b/home", "a folder of this machine"),
    ("home='/data/\\${b}'", "a folder of this machine, without ${ in its path; "),
]


@pytest.mark.parametrize(("override", "wanted"), REFUSED, ids=[override for override, _ in REFUSED])
def test_what_google_refuses_is_refused_with_what_is_wanted(override, wanted):
    with pytest.raises(ConfigError) as caught:
        composed([*CLOUD, override])
    key = override.partition("=")[0]
    assert str(caught.value).startswith(f"command line: {key}=")
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_domain_s_project_is_one_and_needs_a_bucket_of_its_own_name():
    with pytest.raises(ConfigError, match=r"gcp\.bucket=example\.com:proj-flowerexp must be.*gcp\.bucket=NAME"):
        composed([*CLOUD, "gcp.project='example.com:proj'"])
    made: Any = composed([*CLOUD, "gcp.project='example.com:proj'", "gcp.bucket=some-bucket"])
    assert (made.cluster.project, made.cluster.bucket) == ("example.com:proj", "some-bucket")
    assert composed(["gcp.project='example.com:proj'"]).cluster.kind == "local"


TAKEN = [
    (names.PROJECT, ["my-project-1", "example.com:my-project-1", "a1b2c3"]),
    (names.BUCKET, ["my-bucket", "my_bucket.example.com", "1st-bucket", "a" * 222]),
    (names.REGION, ["us-central1", "northamerica-northeast1", "me-central2"]),
    (names.ZONE, ["us-central1-a", "europe-west1-d", "us-central1-ai1a"]),
    (names.SUBNETWORK, ["default", "projects/p/regions/us-east1/subnetworks/s-1", "regions/us-east1/subnetworks/s",
                        "https://www.googleapis.com/compute/v1/projects/p/regions/us-east1/subnetworks/s"]),
    (names.SERVICE_ACCOUNT, ["name@mine.iam.gserviceaccount.com", "12-compute@developer.gserviceaccount.com",
                             "name@proj.example.com.iam.gserviceaccount.com"]),
    (names.MACHINE_TYPE, ["n1-standard-2", "e2-medium", "custom-2-4096", "n2-custom-2-4096-ext", "c3-standard-4-lssd"]),
    (names.IMAGE_VERSION, ["2.2", "2.2-debian12", "2.2.75-ubuntu22", "3.0-debian13", "2.0-RC9-debian10"]),
    (names.RUNTIME_VERSION, ["2.2", "2.3", "1.1.20"]),
    (names.CONTAINER, ["gcr.io/p/i", "us-docker.pkg.dev/p/r/i:tag", "localhost:5000/i@sha256:0a"]),
    (names.PATH, ["/a", "a b", "2024_10", "gs://b", "gs://my_b/x/y z", "C:x", "gsx"]),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "good"), TAKEN, ids=[str(limits["pattern_wanted"]) for limits, _ in TAKEN])
def test_what_google_takes_passes(limits, good):
    assert [name for name in good if not re.fullmatch(limits["pattern"], name)] == []


class TestServerless:
    def test_versions_and_containers(self):
        for override in (
            "cluster.runtime_version=latest",
            "cluster.container=https://gcr.io/p/i",
            "cluster.container=i",
        ):
            with pytest.raises(ConfigError, match=override.partition("=")[0]):
                composed(["cluster=serverless", "gcp.project=mine", override])
        made: Any = composed(["cluster=serverless", "gcp.project=mine", "cluster.runtime_version=2.10"])
        assert made.cluster.runtime_version == "2.10"
