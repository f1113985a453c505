"""The workloads on data in a bucket: Spark's Python workers generate, list, prepare and read it."""

from itertools import pairwise

import pytest

from flowerexp import index, storage
from flowerexp.config import typed
from flowerexp.errors import DataError, MachineError
from flowerexp.workload.images import examples, listing, tfrecords, transform
from flowerexp.workload.images.left_out import DEEPER, LOOSE
from flowerexp.workload.images.prepared import MANIFEST
from flowerexp.workload.images.preparing import mend, prepare
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import Source
from tests.analysis.rows import table

SMALL = ("preprocess.target_size=[16,24]", "preprocess.shards=3")
TWELVE = "dataset.images=12"


@pytest.fixture
def remote_config(config, bucket):
    """`remote_config("grid=wide", ...)`: a run whose generated and prepared data lies in the bucket."""
    places = (f"storage.generated={bucket}/generated", f"storage.prepared={bucket}/prepared")
    return lambda *overrides: config(*SMALL, *places, *overrides)


@pytest.fixture
def cluster(spark, storage_server, bucket, monkeypatch):
    """Spark, whose Python workers find the bucket as those on a cluster find theirs."""
    monkeypatch.setitem(spark.sparkContext.environment, "STORAGE_EMULATOR_HOST", storage_server.host)
    return spark


@pytest.mark.long
class TestSpark:
    def test_generated_prepared_and_read_in_the_bucket_once(
        self, cluster, remote_config, bucket, storage_server, told, read_speed
    ):
        made = remote_config(
            *(
                TWELVE,
                "grid.batch_size=[2]",
                "grid.batch_number=[1,2]",
                "measure.repetitions=2",
                "entrypoint.settings.page_cache=cold",
            ),
        )
        rows = read_speed(cluster, made)
        assert {row["reader"] for row in rows} == {"image_files", "tfrecords"}
        assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in rows)
        assert {(row["page_cache"], row["page_cache_fraction"]) for row in rows} == {("remote", None)}
        assert told.facts["images_found"] == 12
        assert told.facts["data_fingerprint"] == index.current_fingerprint(typed(made))
        assert not told.facts["prepared_reused"]

        names = [entry.relative for entry in storage.list_files(bucket)]
        assert sum(name.endswith(".jpg") for name in names) == 12
        assert sum(name.endswith(".tfrec") for name in names) == 3
        assert sum(name.endswith(("/complete.json", f"/{MANIFEST}")) for name in names) == 2
        order = list(storage_server.store.objects[bucket.removeprefix("gs://")])
        marks = [next(i for i, name in enumerate(order) if name.endswith(end)) for end in ("complete.json", MANIFEST)]
        assert not [name for name in order[marks[0] :] if name.endswith(".jpg")]  # what says that all is there is last
        assert not [name for name in order[marks[1] :] if name.endswith(".tfrec")]

        storage_server.counted()
        again = prepare(cluster, made, listing.list_photographs(cluster, made))
        assert again.reused
        assert "write" not in storage_server.counted()

    def test_what_is_prepared_in_the_bucket_is_what_is_prepared_here(
        self, cluster, remote_config, config, bucket, photos
    ):
        for path in photos.rglob("*.jpg"):
            storage.write_bytes(f"{bucket}/photos/{path.relative_to(photos)}", path.read_bytes())
        contents = []
        for made in (
            remote_config("dataset=folder", f"dataset.path={bucket}/photos", "dataset.anonymous=true"),
            config(*SMALL, "dataset=folder", f"dataset.path={photos}"),
        ):
            prepared = prepare(cluster, made, listing.list_photographs(cluster, made))
            contents.append([storage.read_bytes(file) for file in prepared.files])
            assert prepared.records == 40
        assert contents[0] == contents[1]

    def test_a_photograph_that_the_bucket_does_not_give_is_not_left_out(
        self, cluster, remote_config, bucket, storage_server, photos
    ):
        for path in sorted(photos.rglob("*.jpg"))[:3]:
            storage.write_bytes(f"{bucket}/photos/daisy/{path.name}", path.read_bytes())
        made = remote_config("dataset=folder", f"dataset.path={bucket}/photos", "dataset.on_error=skip")
        found = listing.list_photographs(cluster, made)
        storage_server.faults = [("daisy/", 403, "No")]
        with pytest.raises(MachineError, match=r"reading gs://.*\.jpg failed: Permission denied \(No\)"):
            prepare(cluster, made, found)
        storage.remove(found.photographs.some(3, 0)[0].uri)
        assert prepare(cluster, made, found).records == 2  # what is gone, is

    def test_a_bucket_that_cannot_be_written_is_one_line(self, cluster, remote_config, photos):
        made = remote_config(
            *("dataset=folder", f"dataset.path={photos}", "storage.prepared=gs://no-such-bucket/p"),
        )
        with pytest.raises(MachineError, match="writing TFRecord files to gs://no-such-bucket") as caught:
            prepare(cluster, made, listing.list_photographs(cluster, made))
        assert "No such file or directory" in str(caught.value)


class TestListing:
    @pytest.fixture
    def flowers(self, config, bucket):
        """What a public bucket may hold beside CLASS/*.jpg, as gs://flowers-public does."""
        for name in ("daisy/1.jpg", "roses/2.jpg", "roses/3.JPG", "LICENSE.txt", "daisy/notes.txt", "loose.jpg",
                     "tfrecords-jpeg-192x192-2/flowers00-230.tfrec", "sample/deep/4.jpg"):  # fmt: skip
            storage.write_bytes(f"{bucket}/{name}", name.encode())
        return lambda *more: config("dataset=flowers", f"dataset.path={bucket}", *more)

    def test_only_photographs_in_class_folders_are_taken(self, flowers):
        found = listing.list_photographs(None, flowers())
        assert [photograph.relative for photograph in found.photographs.some(3, 0)] == [
            "daisy/1.jpg",
            "roses/2.jpg",
            "roses/3.JPG",
        ]
        assert found.classes == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]  # by the data set's config
        assert found.left_out.counts == {".txt files": 2, ".tfrec files": 1, DEEPER: 1, LOOSE: 1}

    def test_a_public_bucket_needs_no_credentials(self, flowers, monkeypatch):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
        assert listing.list_photographs(None, flowers()).total == 3

    @pytest.mark.parametrize(
        ("status", "words"), [(401, "dataset.anonymous=true"), (403, "Storage Object Viewer"), (404, "does not exist")]
    )
    def test_a_bucket_that_cannot_be_listed_is_said_in_one_line(self, flowers, storage_server, status, words):
        storage_server.faults = [("/o?", status, "No")] * 3
        with pytest.raises(DataError, match=r"dataset.path: gs://") as caught:
            listing.list_photographs(None, flowers())
        assert words in str(caught.value)

    def test_generated_data_that_lost_a_photograph_is_not_taken_for_all(self, config, bucket):
        made = config("dataset.images=3", f"storage.generated={bucket}")
        for number in range(2):
            storage.write_bytes(f"{bucket}/some/daisy/{number}.jpg", b"")
        with pytest.raises(DataError, match="has 2 photographs, but 3 were generated there; remove that folder"):
            listing.listing_of(f"{bucket}/some", made)


@pytest.mark.spark
def test_what_has_rotted_in_a_bucket_is_written_again(cluster, remote_config):
    made = remote_config(TWELVE)
    found = listing.list_photographs(cluster, made)
    first = prepare(cluster, made, found)
    before = [storage.read_bytes(file) for file in first.files]
    storage.write_bytes(first.files[1], before[1][:-20] + bytes([before[1][-20] ^ 4]) + before[1][-19:])
    assert len(mend(cluster, made, found, first).written) == 1
    assert [storage.read_bytes(file) for file in first.files] == before
    storage.write_bytes(f"{first.folder}/{MANIFEST}", b"{")
    assert len(prepare(cluster, made, found).written) == 3
    assert prepare(cluster, made, found).reused


class TestReaders:
    def test_a_photograph_is_one_request_and_what_is_not_wanted_is_not_asked_for(self, bucket, storage_server, photos):
        files = []
        for path in sorted(photos.rglob("*.jpg"))[:6]:
            files.append(f"{bucket}/{path.relative_to(photos)}")
            storage.write_bytes(files[-1], path.read_bytes())
        source = Source("image_files", files, [1] * 6, (16, 24))
        storage_server.counted()
        assert len(list(pipeline.dataset(source, files).as_numpy_iterator())) == 6
        assert storage_server.counted() == {"read": 6}
        assert len(list(pipeline.dataset(source, source.prefix([5, 4, 3, 2, 1, 0], 4)).batch(2).take(2))) == 2
        assert storage_server.counted() == {"read": 4}

    def test_a_tfrecord_file_is_one_request_each_5_mib(self, bucket, storage_server, photos):
        content = transform.recompress(next(photos.rglob("*.jpg")).read_bytes(), (16, 24), 95)
        files = []
        for number in range(2):
            with storage.NewFile(bucket) as file:
                record = examples.encode_example(content + bytes(200_000), number)
                tfrecords.write_file(file.stream, [record] * 30)  # 6 MB
                file.keep(f"{number}.tfrec")
            files.append(f"{bucket}/{number}.tfrec")
        source = Source("tfrecords", files, [30, 30], (16, 24))
        storage_server.counted()
        labels = [int(label) for _, label in pipeline.dataset(source, files).as_numpy_iterator()]
        assert labels == [0] * 30 + [1] * 30
        assert storage_server.counted() == {"read": 4}
        assert len(list(pipeline.dataset(source, files).batch(4).take(2))) == 2
        # The first block holds more than two batches; on idle cores tf.data parses ahead, and may ask for the next one.
        assert 1 <= storage_server.counted()["read"] <= 2


class TestFingerprint:
    def test_synthetic_data_is_known_by_its_config_wherever_it_lies(
        self, config, remote_config, bucket, storage_server
    ):
        here, there = config(TWELVE), remote_config(TWELVE)
        assert index.current_fingerprint(typed(here)) == index.current_fingerprint(typed(there)) is not None
        assert storage_server.seen == []
        known = [
            index.current_fingerprint(typed(remote_config(TWELVE, *more)))
            for more in (
                (),
                ("dataset.seed=1",),
                ("dataset.images=13",),
                ("sampling.seed=9",),
                ("sampling.fraction=0.5",),
                ("dataset.classes=[daisy]",),
            )
        ]
        assert len(set(known)) == len(known)

    def test_a_folder_in_a_bucket_is_listed_and_changes_with_what_is_in_it(self, config, bucket, storage_server, told):
        made = config("dataset=folder", f"dataset.path={bucket}/photos")
        found = [index.current_fingerprint(typed(made))]
        for content in (b"1", b"2"):
            storage.write_bytes(f"{bucket}/photos/a/1.jpg", content)
            found.append(index.current_fingerprint(typed(made)))
            listing.list_photographs(None, made)
            assert told.facts["data_fingerprint"] == found[-1]
        assert found[0] is None
        assert all(before != after for before, after in pairwise(found))
        storage_server.counted()
        assert index.current_fingerprint(typed(made), {}, buckets=False) is None
        assert storage_server.seen == []

    def test_tfrecord_files_in_a_bucket_count_too(self, config, bucket):
        made = config(
            "dataset=folder", f"dataset.path={bucket}/p", f"dataset.tfrecords={bucket}/t", "grid.reader=tfrecords"
        )
        storage.write_bytes(f"{bucket}/t/1.tfrec", b"1")
        fingerprint = index.current_fingerprint(typed(made))
        storage.write_bytes(f"{bucket}/t/1.tfrec", b"2")
        assert None not in (fingerprint, index.current_fingerprint(typed(made)))
        assert fingerprint != index.current_fingerprint(typed(made))

    def test_a_bucket_that_cannot_be_listed_is_not_known(self, config, bucket, storage_server):
        storage_server.faults = [("GET", 403, "No")] * 3
        assert index.current_fingerprint(typed(config("dataset=folder", f"dataset.path={bucket}"))) is None


def test_that_there_is_no_page_cache_to_know_of_casts_no_doubt():
    from flowerexp.analysis.verdict import judge

    rows = [
        {"reader": "tfrecords", "images": 10, "seconds": 1.0, "repetition": n, "page_cache": "remote"} for n in (1, 2)
    ]
    assert judge(table(rows)).state == "valid"
    assert judge(table([*rows, {**rows[0], "page_cache": "unknown"}])).state == "suspect"
