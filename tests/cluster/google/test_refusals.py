"""What Google says becomes one line that a user can act on, without secrets."""

from __future__ import annotations

import pytest
import requests
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.storage.exceptions import InvalidResponse

from flowerexp.cluster.google.clients import Pace, is_transient
from flowerexp.cluster.google.refusals import StockOutError, explained, scrubbed
from flowerexp.errors import ClusterError, QuotaError

PLACE = ("my-project", "us-central1")
NO_MACHINES = (
    "Error Code: UNAVAILABLE, errorSource: COMPUTE_ENGINE, Error Message: The zone 'projects/p/zones/europe-west4-b' "
    "does not have enough resources available to fulfill the request.  Try a different zone, or try again later."
)


def uploaded(status):
    """What google-cloud-storage raises when an upload is answered so."""
    response = requests.Response()
    response.status_code = status
    return InvalidResponse(response, "Request failed with status code", status)


@pytest.mark.parametrize(
    ("error", "told", "hint"),
    [
        (  # the notebook's own
            exceptions.InvalidArgument("Insufficient 'IN_USE_ADDRESSES' quota. Requested 8.0, available 7.0."),
            "IN_USE_ADDRESSES: asked 8, available 7",
            "cluster.internal_ip_only=true",
        ),
        (
            exceptions.InvalidArgument(
                "Multiple validation errors:\n - Insufficient 'CPUS' quota. Requested 16.0, available 8.0.\n"
                " - Insufficient 'SSD_TOTAL_GB' quota. Requested 800.5, available 100.0."
            ),
            "CPUS: asked 16, available 8, SSD_TOTAL_GB: asked 800.5, available 100",
            "cluster.master.disk_gb",
        ),
        (
            exceptions.ResourceExhausted("Quota 'N2_CPUS' exceeded.  Limit: 8.0 in region us-central1."),
            "N2_CPUS: the limit is 8",
            "cluster.workers.count",
        ),
        (exceptions.Aborted("QUOTA_EXCEEDED: something else"), "something else", "another region"),
    ],
)
def test_a_quota_in_all_its_forms(error, told, hint):
    found = explained(error, "creating", *PLACE)
    assert isinstance(found, QuotaError)
    assert told in str(found)
    assert hint in str(found)
    assert "\n" not in str(found)
    assert not is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ServiceUnavailable(NO_MACHINES),
        exceptions.Aborted(NO_MACHINES),
        exceptions.InvalidArgument(f"Multiple validation errors:\n - {NO_MACHINES}"),
        exceptions.ResourceExhausted("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: us-central1-a"),
    ],
)
def test_no_machines_left_in_all_its_forms(error):
    found = explained(error, "creating", *PLACE)
    assert isinstance(found, StockOutError)
    assert "gcp.zones" in str(found)
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (auth_exceptions.DefaultCredentialsError("..."), "gcloud auth application-default login"),
        (auth_exceptions.RefreshError("Reauthentication is needed"), "gcloud auth application-default login"),
        (exceptions.Unauthenticated("..."), "gcloud auth application-default login"),
        (exceptions.Forbidden("Permission 'dataproc.clusters.create' denied"), "Dataproc Editor"),
        (
            exceptions.InvalidArgument(
                "Default Service Account '1-compute@developer.gserviceaccount.com' is missing required permissions: "
                "[dataproc.agents.create, dataproc.tasks.lease]. Service Accounts must have either 'Dataproc/Dataproc "
                "Worker' role or all permissions granted by the role."
            ),
            "add-iam-policy-binding my-project --member=serviceAccount:ACCOUNT --role=roles/dataproc.worker",
        ),
        (exceptions.Forbidden("Cloud Dataproc API has not been used in project 1 before"), "gcloud services enable"),
        (exceptions.NotFound("Project 'my-project' not found"), "check gcp.project=my-project"),
        (exceptions.InvalidArgument("Unknown project id: 0"), "check gcp.project=my-project"),
        (
            exceptions.InvalidArgument("Subnetwork 'default' does not support Private Google Access"),
            "--region=us-central1 --project=my-project --enable-private-ip-google-access",
        ),
    ],
)
def test_what_to_do(error, hint):
    found = explained(error, "creating", *PLACE)
    assert type(found) is ClusterError
    assert hint in str(found)


@pytest.mark.parametrize(
    "secret",
    [
        "me.too+x@example.co.uk",
        "123-compute@developer.gserviceaccount.com",
        "ya29.a0AfH6SMBx-y_z",
        "eyJhbGciOi.eyJpc3Mi.c2ln-_",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
    ],
)
def test_secrets_are_taken_out(secret):
    text = scrubbed(f"The account {secret} may not, Bearer abc.DEF-1")
    assert text == "The account *** may not, Bearer ***"


def test_what_is_no_secret_stays():
    text = "gs://bucket/flowerexp/jobs/x@y took 3.5 s at 10:30 in projects/p/zones/us-central1-a"
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ServiceUnavailable("reset"),
        exceptions.ResourceExhausted("Quota exceeded for requests a minute"),
        exceptions.Unknown("Stream removed"),
        exceptions.Cancelled("Cancelled on the server side"),
        *(uploaded(status) for status in (408, 429, 500, 502, 503, 504)),
    ],
)
def test_what_may_do_better_in_a_moment(error):
    assert is_transient(error)


@pytest.mark.parametrize("error", [uploaded(403), uploaded(404), exceptions.NotFound("x"), exceptions.Forbidden("x")])
def test_what_will_not(error):
    assert not is_transient(error)


def test_a_call_that_was_tried_again_in_vain_says_for_how_long_and_what_went_wrong_at_last():
    def call():
        raise exceptions.ServiceUnavailable("the backend sleeps")

    with pytest.raises(exceptions.RetryError) as caught:
        Pace(retry=0.001, patience=0.2).retrying()(call)()
    line = str(explained(caught.value, "creating", *PLACE))
    assert line == "creating (tried again for 0.2 s): the backend sleeps; check the network, or try again later"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("Zone 'us-x' does not belong to region 'us-central1'", "gcp.zones"),
        ("Region 'us-x' is invalid", "gcp.region"),
        ("Invalid bucket name: 'My_B'", "gcp.bucket"),
        ("Invalid boot disk type 'x' of the master", "cluster.master.disk_type"),
        ("Invalid label key '1'", "cluster.labels"),
        ("Invalid runtime version '9'", "cluster.runtime_version"),
        ("Invalid idle_delete_ttl 1s", "cluster.idle_delete_minutes"),
        ("Something else", None),
    ],
)
def test_the_key_that_a_refusal_concerns(words, key):
    found = explained(exceptions.InvalidArgument(words), "creating", *PLACE)
    assert found.where == key
    assert words in str(found)
