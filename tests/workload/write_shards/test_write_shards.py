"""Writing prepared data: written completely, reused by later runs, and never confused with other data."""

import io
import json
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.errors import DataError, MachineError
from flowerexp.workload.images import examples, preparing, tfrecords, transform
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.prepared import MANIFEST, checksum
from flowerexp.workload.images.preparing import fingerprint_of, prepare
from flowerexp.workload.images.writer import Writer
from flowerexp.workload.write_shards import writing
from tests.conftest import CLASSES, PHOTOGRAPHS_EACH

SMALL = ("preprocess.target_size=[16,24]", "preprocess.shards=4")
COLOURS = {"amber": (250, 190, 0), "blue": (0, 0, 250), "crimson": (220, 20, 60)}


@pytest.fixture
def plain(tmp_path):
    """A folder of pictures in one colour each, and classes of one colour each."""
    folder = tmp_path / "plain"
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (40 + number, 30), colour).save(folder / name / f"{number}.jpg")
    return folder


@pytest.fixture
def prepared(spark, config):
    """Prepare a folder with overrides."""

    def prepared(folder, *overrides):
        made = config("dataset=folder", f"dataset.path='{folder}'", *SMALL, *overrides)
        return prepare(spark, made, list_photographs(spark, made))

    return prepared


def records(path):
    """The (image, label) pairs of a TFRecord file."""
    with Path(path).open("rb") as file:
        return [examples.decode_example(record) for record in tfrecords.read_records(file)]


def content(prepared):
    return {Path(file).name: Path(file).read_bytes() for file in prepared.files}


@pytest.mark.spark
class TestFiles:
    def test_names_hold_the_partition_and_the_record_count(self, prepared, photos):
        made = prepared(photos)
        assert len(made.files) == 4
        for number, file in enumerate(made.files):
            match = re.fullmatch(r"part-(\d{5})-(\d{5})\.tfrec", Path(file).name)
            assert match
            assert int(match[1]) == number
            assert int(match[2]) == len(records(file)) == 10
        assert made.records == len(CLASSES) * PHOTOGRAPHS_EACH

    def test_each_holds_a_mix_of_all_classes(self, prepared, photos):
        for file in prepared(photos).files:
            labels = [label for _, label in records(file)]
            assert Counter(labels) == dict.fromkeys(range(5), 2)
            assert labels != sorted(labels)

    def test_none_is_empty_when_there_are_more_partitions_than_images(self, prepared, plain):
        made = prepared(plain, "preprocess.shards=100")
        assert [len(records(file)) for file in made.files] == [1] * 12
        assert {path.name for path in Path(made.folder).iterdir()} == {MANIFEST, *content(made)}

    def test_every_image_keeps_its_label(self, prepared, plain):
        expected = list(COLOURS.values())
        for file in prepared(plain).files:
            for image, label in records(file):
                assert np.abs(transform.decode(image).mean((0, 1)) - expected[label]).max() < 3

    def test_labels_follow_the_classes_of_the_config(self, prepared, plain):
        made = prepared(plain, "dataset.classes=[crimson,blue,green,amber]")
        colours = [COLOURS["crimson"], COLOURS["blue"], None, COLOURS["amber"]]
        for image, label in (record for file in made.files for record in records(file)):
            assert np.abs(transform.decode(image).mean((0, 1)) - colours[label]).max() < 3
        assert made.manifest["class_records"] == {"crimson": 4, "blue": 4, "green": 0, "amber": 4}

    @pytest.mark.parametrize("size", [(16, 24), (24, 16), (20, 20)])
    def test_the_target_is_height_and_width(self, prepared, photos, size):
        made = prepared(photos, f"preprocess.target_size=[{size[0]},{size[1]}]", "sampling.fraction=0.2")
        for image, _ in records(made.files[0]):
            assert transform.decode(image).shape == (*size, 3)

    def test_are_the_same_bytes_wherever_and_whenever_they_are_prepared(self, prepared, photos, tmp_path):
        first = prepared(photos)
        other = prepared(photos, f"storage.prepared={tmp_path}/elsewhere")
        assert not other.reused
        assert content(first) == content(other)
        assert Path(first.folder).name == Path(other.folder).name

    def test_every_photograph_is_in_them_once_as_the_image_rule_makes_it(self, prepared, photos):
        made = prepared(photos, "preprocess.quality=90")
        found = Counter(image for file in made.files for image, _ in records(file))
        assert found == Counter(transform.recompress(path.read_bytes(), (16, 24), 90) for path in photos.glob("*/*"))


@pytest.mark.spark
class TestManifest:
    def test_says_what_was_written(self, prepared, photos, told):
        made = prepared(photos)
        manifest = json.loads((Path(made.folder) / MANIFEST).read_text())
        assert manifest == made.manifest
        assert manifest["records"] == sum(file["records"] for file in manifest["files"]) == 40
        assert manifest["class_records"] == dict.fromkeys(CLASSES, PHOTOGRAPHS_EACH)
        assert manifest["bytes"] == sum(Path(file).stat().st_size for file in made.files)
        assert manifest["preprocess"]["target_size"] == [16, 24]
        assert manifest["fingerprint"] == Path(made.folder).name
        assert manifest["skipped"] == manifest["left_out"] == []
        assert told.facts["prepared_images"] == 40
        assert told.facts["prepared_reused"] is False
        assert "prepare" in told.phases

    def test_is_written_when_all_else_is_there(self, prepared, photos, monkeypatch):
        there = []
        write = storage.write_bytes

        def look_and_write(uri, data):
            folder = Path(uri).parent
            wanted = {(file["file"], file["bytes"]) for file in json.loads(data)["files"]}
            there.append(wanted == {(path.name, path.stat().st_size) for path in folder.iterdir()})
            write(uri, data)

        monkeypatch.setattr(storage, "write_bytes", look_and_write)
        prepared(photos)
        assert there == [True]


def damage(file):
    Path(file).write_bytes(Path(file).read_bytes()[:-1])


def rot(file, place=-20):
    """Flip a bit: the file keeps its size."""
    changed = bytearray(Path(file).read_bytes())
    changed[place] ^= 4
    Path(file).write_bytes(changed)


@pytest.mark.spark
class TestMend:
    @pytest.fixture
    def mended(self, spark, config, photos):
        """Mend prepared data."""

        def mended(prepared, *overrides):
            made = config("dataset=folder", f"dataset.path={photos}", *SMALL, *overrides)
            return preparing.mend(spark, made, list_photographs(spark, made), prepared)

        return mended

    @pytest.mark.parametrize("is_old", [False, True], ids=["checksums", "none"])
    def test_what_has_rotted_is_written_again_from_its_photographs(self, prepared, photos, mended, is_old, told):
        first = prepared(photos)
        before = content(first)
        if is_old:  # a manifest of the time before there were checksums in it
            for file in first.manifest["files"]:
                del file["crc32c"]
        rot(first.files[0])
        rot(first.files[2], 0)
        again = mended(first)
        assert again.written == {Path(first.files[number]).name for number in (0, 2)}
        assert content(again) == before
        assert "2 of 4 TFRecord files" in told.notes[-1]
        assert "written again from their photographs" in told.notes[-1]
        manifest = json.loads((Path(first.folder) / MANIFEST).read_text())
        for number in (0, 2):
            with Path(first.files[number]).open("rb") as file:
                assert manifest["files"][number]["crc32c"] == checksum(file)[1]
        assert prepared(photos).reused

    def test_what_is_whole_stays(self, prepared, photos, mended):
        first = prepared(photos)
        assert mended(first).written == frozenset()

    def test_where_other_photographs_can_be_decoded_than_before_all_is_written_again(
        self, prepared, photos, mended, monkeypatch
    ):
        first = prepared(photos)
        before = content(first)
        stale = Path(first.folder) / "part-00000-00011.tfrec"  # as if one more had been decoded then
        Path(first.files[0]).rename(stale)
        first.manifest["files"][0]["file"] = stale.name
        rot(stale)
        again = mended(first)
        assert content(again) == before
        assert again.written == before.keys()
        assert not stale.exists()


@pytest.mark.spark
class TestReuse:
    def test_what_is_there_is_not_prepared_again(self, prepared, photos, config, told):
        first = prepared(photos)
        times = [Path(file).stat().st_mtime_ns for file in first.files]
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL)
        again = prepare(None, made, list_photographs(None, made))  # without Spark, so it cannot be written
        assert again.reused
        assert again.manifest == first.manifest
        assert [Path(file).stat().st_mtime_ns for file in again.files] == times
        assert told.facts["prepared_reused"] is True
        assert "prepared data reused" in told.notes[-1]

    @pytest.mark.parametrize(
        "harm", [Path.unlink, lambda path: path.write_bytes(b"{"), lambda path: path.write_bytes(b"[]")]
    )
    def test_without_its_manifest_it_is_prepared_again(self, prepared, photos, harm, told):
        first = prepared(photos)
        before, path = content(first), Path(first.folder) / MANIFEST
        harm(path)
        told.notes.clear()
        was_damaged = path.exists()
        again = prepared(photos)
        assert again.written == before.keys()
        assert content(again) == before
        assert any(note.startswith(f"{path} is damaged: ") for note in told.notes) == was_damaged
        assert prepared(photos).reused

    @pytest.mark.parametrize(
        ("harm", "said"),
        [
            (damage, "it has {} bytes, but {} were written"),
            (lambda path: Path(path).unlink(), "it is missing"),
        ],
        ids=["cut", "missing"],
    )
    def test_files_that_are_not_whole_are_written_again_alone(self, prepared, photos, harm, said, told):
        first = prepared(photos)
        before = content(first)
        times = {file: Path(file).stat().st_mtime_ns for file in first.files}
        harm(first.files[1])
        again = prepared(photos)
        name = Path(first.files[1]).name
        assert again.written == {name}
        assert content(again) == before
        assert {file for file in first.files if Path(file).stat().st_mtime_ns != times[file]} == {first.files[1]}
        assert f"; the first is {name}: {said.format(len(before[name]) - 1, len(before[name]))}" in told.notes[-1]
        assert told.facts["prepared_files_mended"] == 1
        assert prepared(photos).reused

    def test_files_of_an_earlier_attempt_are_removed_and_never_read(self, prepared, photos):
        first = prepared(photos)
        (Path(first.folder) / MANIFEST).unlink()
        for name in ("part-00000-00099.tfrec", "part-00099-00001.tfrec"):
            (Path(first.folder) / name).write_bytes(b"stale")
        again = prepared(photos)
        assert {path.name for path in Path(again.folder).iterdir()} == {MANIFEST, *content(first)}
        assert again.files == first.files

    @pytest.mark.parametrize(
        "override",
        ["preprocess.target_size=[24,16]", "preprocess.shards=5", "preprocess.quality=80", "preprocess.exact=true",
         "sampling.fraction=0.5", "sampling.seed=7", "dataset.on_error=skip",
         "dataset.classes=[tulips,sunflowers,roses,dandelion,daisy]"],
    )  # fmt: skip
    def test_other_settings_are_other_data(self, config, photos, override):
        folder = ("dataset=folder", f"dataset.path={photos}", *SMALL)
        first, other = config(*folder), config(*folder, override)
        keys = [fingerprint_of(made, list_photographs(None, made)) for made in (first, other)]
        assert len(set(keys)) == 2

    @pytest.mark.parametrize("override", ["caching=false", "grid=wide", "grid.reader=tfrecords", "cluster.cores=1"])
    def test_what_does_not_shape_it_is_the_same_data(self, config, photos, override):
        folder = ("dataset=folder", f"dataset.path={photos}", *SMALL)
        listing = list_photographs(None, config(*folder))
        assert fingerprint_of(config(*folder), listing) == fingerprint_of(config(*folder, override), listing)


BAD = {
    "truncated": lambda path, good: path.write_bytes(good[: len(good) // 2]),
    "not an image": lambda path, good: path.write_text("this is no picture"),
    "empty file": lambda path, good: path.write_bytes(b""),
    "cannot be read": lambda path, good: path.symlink_to("nowhere.jpg"),
}


@pytest.mark.spark
class TestBadFiles:
    @pytest.fixture(params=BAD)
    def bad(self, request, plain):
        """A folder with one bad file, and what is to be said of it."""
        path = plain / "blue" / "bad.jpg"
        BAD[request.param](path, (plain / "blue" / "0.jpg").read_bytes())
        return plain, request.param

    def test_fail(self, prepared, bad, tmp_path):
        folder, reason = bad
        with pytest.raises(DataError) as caught:
            prepared(folder)
        message = str(caught.value)
        assert message.startswith("dataset")
        assert "blue/bad.jpg" in message
        assert reason in message
        assert "dataset.on_error=skip" in message
        assert not list(tmp_path.glob(f"data/prepared/*/{MANIFEST}"))

    def test_skip(self, prepared, bad, told):
        folder, reason = bad
        made = prepared(folder, "dataset.on_error=skip")
        assert made.records == 12
        (skipped,) = made.manifest["skipped"]
        assert skipped["relative"] == "blue/bad.jpg"
        assert reason in skipped["reason"]
        assert made.manifest["class_records"] == dict.fromkeys(COLOURS, 4)
        assert told.facts["images_skipped"] == 1
        assert any("1 files skipped" in note and "blue/bad.jpg" in note for note in told.notes)
        assert prepared(folder, "dataset.on_error=skip").reused
        assert told.facts["images_skipped"] == 1

    def test_a_partition_of_bad_files_alone_leaves_no_empty_file(self, prepared, bad):
        folder, _ = bad
        made = prepared(folder, "dataset.on_error=skip", "preprocess.shards=100")
        assert [len(records(file)) for file in made.files] == [1] * 12

    def test_nothing_but_bad_files(self, prepared, bad):
        folder, _ = bad
        for path in folder.glob("*/?.jpg"):
            path.write_bytes(b"")
        with pytest.raises(DataError, match="none of 13 photographs can be decoded"):
            prepared(folder, "dataset.on_error=skip")


@pytest.mark.spark
class TestRun:
    def test_yields_a_row_a_file(self, spark, config, photos, told):
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL)
        rows = list(writing.run(spark, made))
        assert [row["partition"] for row in rows] == [0, 1, 2, 3]
        assert sum(row["images"] for row in rows) == 40
        assert all(row["seconds"] > 0 and not row["reused"] for row in rows)
        again = list(writing.run(spark, made))
        assert all(row["seconds"] is None and row["reused"] for row in again)
        assert [row["file"] for row in again] == [row["file"] for row in rows]
        json.dumps(rows)
        assert told.attached["contact_sheet.jpg"].startswith(b"\xff\xd8")

    def test_data_that_was_damaged_since_is_written_again(self, spark, config, photos, told):
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL)
        list(writing.run(spark, made))
        paths = sorted(Path(made["storage"]["prepared"]).rglob("*.tfrec"))
        before = [path.read_bytes() for path in paths]
        paths[1].write_bytes(bytes(len(before[1])))
        told.attached.clear()
        rows = list(writing.run(spark, made))
        assert [row["reused"] for row in rows] == [True, False, True, True]
        assert [row["seconds"] is None for row in rows] == [True, False, True, True]
        assert [path.read_bytes() for path in paths] == before
        assert told.attached.keys() == {"contact_sheet.jpg"}

    def test_a_place_that_cannot_be_written_is_named(self, spark, config, photos, tmp_path):
        (tmp_path / "file").write_text("")
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL, f"storage.prepared={tmp_path}/file/below")
        with pytest.raises(MachineError, match="file") as caught:
            list(writing.run(spark, made))
        assert "\n" not in str(caught.value)

    def test_skipped_classes_are_in_the_manifest_too(self, prepared, plain):
        made = prepared(plain, "dataset.classes=[amber,blue]", "dataset.on_error=skip")
        assert {photograph["relative"] for photograph in made.manifest["skipped"]} == {
            f"crimson/{number}.jpg" for number in range(4)
        }
        assert made.records == 8

    def test_what_is_left_out_is_in_the_manifest_too(self, prepared, plain):
        (plain / "amber" / "deeper").mkdir()
        (plain / "amber" / "deeper" / "1.jpg").write_text("")
        (plain / "empty").mkdir()
        made = prepared(plain)
        assert made.manifest["left_out"] == [
            {"reason": "photographs deeper than CLASS/", "count": 1, "first": "amber/deeper/1.jpg"}
        ]
        assert made.manifest["classes_empty"] == ["empty"]
        assert made.manifest["class_records"] == {"amber": 4, "blue": 4, "crimson": 4, "empty": 0}
        assert made.records == 12


def test_a_full_disk_is_a_problem_of_the_machine(tmp_path, monkeypatch):
    preprocess = {"target_size": [8, 8], "quality": 90, "exact": False, "format": "tfrecord", "compression": None}
    writer = Writer(str(tmp_path), preprocess, Examiner("fail", "keep", "stored", (8, 8)), {}, 1)
    picture = io.BytesIO()
    Image.new("RGB", (9, 9)).save(picture, "JPEG")
    (tmp_path / "a.jpg").write_bytes(picture.getvalue())

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tfrecords, "write_file", full)
    result = writer.write(0, [Photograph(str(tmp_path / "a.jpg"), "a/a.jpg", 0, 1, "")])
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    with pytest.raises(MachineError, match="No space left"):
        result["inspection"].raise_problem()
