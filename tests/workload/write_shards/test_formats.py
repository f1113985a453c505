"""Prepared data in each format: the same images, verified before they are read, mended, and what loaders need."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowerexp import storage
from flowerexp.workload import formats
from flowerexp.workload.images import preparing, shards, verify
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.prepared import MANIFEST, damage
from flowerexp.workload.images.writer import Writer
from flowerexp.workload.write_shards import writing
from tests.workload.write_shards.test_write_shards import SMALL


def others(*quick):
    """All formats but TFRecord; those that are not named take long, and the contract of formats has them all."""
    rest = (name for name in formats.NAMES if name != "tfrecord")
    return [pytest.param(name, marks=[pytest.mark.long] * (name not in quick)) for name in rest]


@pytest.fixture
def made(spark, config, photos):
    """`made(format, *overrides)` prepares the photographs; returns the data and how to mend it."""

    def made(form, *overrides):
        whole = config("dataset=folder", f"dataset.path={photos}", *SMALL, *overrides)
        listing = list_photographs(spark, whole)
        data = preparing.prepare(spark, whole, listing, form)
        return data, lambda: preparing.mend(spark, whole, listing, data)

    return made


def samples(data):
    found = []
    for uri in data.files:
        with data.format.open(uri, {}) as shard:
            found.append([(bytes(image), label) for image, label in shard])
    return found


def content(data):
    return {uri: hashlib.sha256(Path(uri).read_bytes()).hexdigest() for uri in data.files}


def flip(uri):
    changed = bytearray(Path(uri).read_bytes())
    changed[len(changed) // 2] ^= 1
    Path(uri).write_bytes(changed)


@pytest.mark.spark
class TestAllFormats:
    @pytest.mark.parametrize("form", others("array_record", "lance"))
    def test_the_same_images_are_written_mended_and_used_again(self, made, form, told):
        data, mend = made(form)
        found = samples(data)
        assert found == samples(made("tfrecord")[0]), "each shard holds what that of another format does"
        assert data.format.name == form
        assert [file["records"] for file in data.manifest["files"]] == [len(shard) for shard in found]
        assert data.manifest["preprocess"]["format"] == form
        before = content(data)
        again, _ = made(form)
        assert again.reused
        flip(data.files[1])
        assert verify.verify(data.folder)[0] is False
        reread, _ = made(form)
        assert reread.reused == data.format.checks, "what cannot be seen when it is read is verified before"
        mended = mend()
        assert content(mended) == before
        assert samples(mended) == found
        assert verify.verify(data.folder)[0]
        assert any(f"1 of 4 {data.format.title} files" in note for note in told.notes)

    def test_a_missing_file_and_leftovers(self, made):
        for form in ("lance", "webdataset"):
            data, _ = made(form)
            before = content(data)
            Path(data.files[0]).unlink()
            again, _ = made(form)
            assert again.written == {data.manifest["files"][0]["file"]}
            assert content(again) == before
            (Path(data.folder) / MANIFEST).unlink()
            left = Path(data.files[0]).with_name(f"part-00000-00099{data.format.suffix}")
            left.write_bytes(b"of an attempt that ended early")
            assert content(made(form)[0]) == before
            assert not left.exists()

    def test_lance_reads_the_folder(self, made):
        import lance

        data, _ = made("lance")
        table = lance.dataset(data.folder).to_table()
        found = zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True)
        assert [*found] == [sample for shard in samples(data) for sample in shard]

    def test_compression_is_that_of_the_format(self, made):
        plain, packed = made(None)[0], made(None, "preprocess.compression=gzip")[0]
        assert Path(packed.files[0]).read_bytes()[:2] == b"\x1f\x8b"
        assert samples(packed) == samples(plain)
        asked = made("lmdb", "preprocess.compression=gzip")[0]
        assert asked.manifest["preprocess"]["compression"] is None


@pytest.mark.spark
@pytest.mark.parametrize("form", others("lmdb"))
def test_the_experiment_writes_a_contact_sheet_of_each_format(spark, config, photos, form, told, monkeypatch):
    attached = []
    monkeypatch.setattr("flowerexp.workload.report.attach", lambda name, content: attached.append((name, content[:2])))
    whole = config("dataset=folder", f"dataset.path={photos}", *SMALL, f"preprocess.format={form}")
    rows = [*writing.run(spark, whole)]
    assert Counter(row["images"] for row in rows) == {10: 4}
    assert attached == [("contact_sheet.jpg", b"\xff\xd8")]
    assert f"4 {formats.of(form).title} files" in " ".join(told.notes)


@pytest.mark.parametrize("form", formats.NAMES)
def test_a_writer_and_the_lists_of_loaders_in_a_bucket(form, photos, bucket):
    preprocess = {"target_size": [8, 8], "quality": 90, "exact": False, "format": form, "compression": None}
    writer = Writer(f"{bucket}/prepared", preprocess, Examiner("fail", "keep", "stored", (8, 8)), {}, 1)
    some = [Photograph(str(path), path.name, 0, 1, "") for path in sorted(photos.glob("roses/*"))]
    file = writer.write(3, some)
    name = f"{formats.of(form).below}part-00003-00008{formats.of(form).suffix}"
    assert (file["file"], file["records"]) == (name, 8)
    assert damage(writer.folder, file, formats.of(form)) is None
    formats.of(form).complete(writer.folder, [(name, 8)])
    listed = [entry.relative.partition("/")[0] for entry in storage.list_files(writer.folder)]
    assert set(listed) == ({"data", "_versions", "_transactions"} if form == "lance" else {name})
    with formats.of(form).open(storage.join(writer.folder, name), {}) as shard:
        assert [label for _, label in shard] == [0] * 8


class TestNames:
    @pytest.fixture
    def name(self, config):
        """`name(*overrides)` is the name of prepared data, of one and the same listing of 1,000 photographs."""

        listing: Any = SimpleNamespace(fingerprint="0123456789abcdef", photographs=range(1000))

        def name(*overrides):
            whole = config("dataset=folder", "dataset.path=/data", *overrides)
            return preparing.fingerprint_of(whole, listing)

        return name

    def test_of_tfrecord_files_are_those_of_the_time_before_there_were_other_formats(self, name):
        assert name() == "c46d8e352d964c43"
        assert name("preprocess.partitions=4", "preprocess.decode=scaled") == "11f9db36d122c401"

    def test_say_the_format_and_what_it_was_written_with(self, name):
        kinds = [[f"preprocess.format={form}"] for form in formats.NAMES]
        kinds += [["preprocess.compression=gzip"], ["preprocess.shards=15"], ["preprocess.shard_mb=1"]]
        assert len({name(*kind) for kind in kinds}) == len(kinds)

    def test_do_not_say_how_the_number_of_shards_was_found(self, name):
        size = 1000 * shards.image_bytes(192, 192, 95) / 1e6
        assert name(f"preprocess.shard_mb={size / 15.5}") == name("preprocess.shards=16")


class TestEstimate:
    @pytest.mark.parametrize("quality", [1, 30, 60, 95, 100])
    def test_more_quality_and_larger_images_are_larger(self, quality):
        assert (
            shards.image_bytes(192, 192, quality) < shards.image_bytes(192, 192, min(quality + 20, 100))
            or quality == 100
        )
        assert shards.image_bytes(96, 96, quality) < shards.image_bytes(192, 192, quality)

    def test_is_near_what_photographs_take(self, config):
        preprocess = config("preprocess.shard_mb=1")["preprocess"]
        assert shards.count(preprocess, 1) == 1
        assert shards.count(preprocess, 736) == 20  # 736 x 27 kB
        assert json.loads(json.dumps(preprocess))["shards"] is None
