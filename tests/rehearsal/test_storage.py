"""The storage server, against google-cloud-storage and gcsfs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions

from flowerexp.rehearsal import storage
from flowerexp.rehearsal.cloud import Cloud


@pytest.fixture
def bucket(cloud: Cloud) -> Any:
    return cloud.bucket("flowers")


@pytest.fixture
def files(cloud: Cloud) -> Any:
    import gcsfs

    return gcsfs.GCSFileSystem(endpoint_url=cloud.storage_host, token="anon", skip_instance_cache=True)


def test_a_bucket_keeps_what_it_was_created_with(cloud):
    made = cloud.storage().bucket("kept")
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    made.iam_configuration.public_access_prevention = "enforced"
    made.add_lifecycle_delete_rule(age=7, matches_prefix=["staging/"])
    made.labels = {"sweep": "s1"}
    cloud.storage().create_bucket(made, location="us-central1")
    found = cloud.storage().get_bucket("kept")
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert next(iter(found.lifecycle_rules))["condition"] == {"age": 7, "matchesPrefix": ["staging/"]}
    assert (found.location, found.labels) == ("US-CENTRAL1", {"sweep": "s1"})
    found.clear_lifecyle_rules()
    found.patch()
    assert list(cloud.storage().get_bucket("kept").lifecycle_rules) == []
    assert cloud.storage().get_bucket("kept").iam_configuration.public_access_prevention == "enforced"
    with pytest.raises(exceptions.Conflict):
        cloud.bucket("kept")
    for name in ("Upper", "google-mine", "ab", "has space"):
        with pytest.raises(exceptions.BadRequest):
            cloud.bucket(name)


def test_objects_by_googles_client(cloud, bucket):
    blob = bucket.blob("a/one.txt")
    blob.upload_from_string("hello world")
    assert blob.download_as_bytes(start=6, end=8) == b"wor"
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=11)
    large = bucket.blob("large", chunk_size=256 * 1024)
    large.upload_from_string(b"z" * 1_000_000)
    assert len(bucket.blob("large").download_as_bytes()) == 1_000_000
    bucket.blob("both").compose([blob, large])
    assert bucket.get_blob("both").size == 1_000_011
    assert [each.name for each in bucket.list_blobs(prefix="a/")] == ["a/one.txt"]
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    with bucket.client.batch():
        for name in ("large", "both"):
            bucket.blob(name).delete()
    bucket.delete_blobs(list(bucket.list_blobs()))
    bucket.delete()
    assert cloud.storage().lookup_bucket("flowers") is None


def test_objects_by_gcsfs(bucket, files):
    with files.open("flowers/b/large.bin", "wb") as file:
        file.write(bytes(range(256)) * 40_000)
    assert files.info("flowers/b/large.bin")["size"] == 10_240_000
    assert files.cat_file("flowers/b/large.bin", start=256, end=260) == b"\x00\x01\x02\x03"
    assert files.cat_file("flowers/b/large.bin", start=-2) == b"\xfe\xff"
    with files.open("flowers/b/large.bin") as file:
        file.seek(10_239_999)
        assert file.read() == b"\xff"
    assert files.find("flowers") == ["flowers/b/large.bin"]
    with pytest.raises(FileNotFoundError):
        files.cat_file("flowers/none")
    files.rm("flowers/b", recursive=True)
    files.invalidate_cache()
    assert not files.exists("flowers/b")


def test_many_readers_and_writers_at_once(bucket):
    def write_and_read(number: int) -> bytes:
        bucket.blob(f"many/{number}").upload_from_string(str(number))
        content: bytes = bucket.blob(f"many/{number}").download_as_bytes()
        return content

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(write_and_read, range(100)))
    assert read == [str(number).encode() for number in range(100)]
    assert sum(1 for _ in bucket.list_blobs(prefix="many/")) == 100


def test_a_bucket_has_the_number_of_its_project(cloud):
    ours, theirs = cloud.bucket("ours"), cloud.bucket("theirs", project="another-project")
    assert f"service-{ours.project_number}@" in cloud.storage().get_service_account_email()
    assert ours.project_number != theirs.project_number


def test_requests_fail_as_often_as_they_are_told_to(cloud, bucket):
    cloud.fail_storage("POST", "flowers", 503, "by order", times=2)
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable):
            bucket.blob("a").upload_from_string(b"a", retry=None)
    bucket.blob("a").upload_from_string(b"a", retry=None)
    assert bucket.blob("a").download_as_bytes() == b"a"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("abc", True),
        ("a-b_c.example.com", True),
        ("x" * 63, True),
        ("ab", False),
        ("x" * 64, False),
        ("a." + "x" * 64, False),
        ("Abc", False),
        ("abc-", False),
        ("a..b", False),
        ("goog-x", False),
        ("my-g00gle-bucket", False),
        ("192.168.5.4", False),
    ],
)
def test_names_of_buckets(name, good):
    assert bool(storage._BUCKET_NAME.fullmatch(name)) is good
