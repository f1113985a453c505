"""Existing TFRecord files: found by their names, read in every variant, and never deleted."""

import gzip
import io
import uuid
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.images import examples, tfrecords, transform
from flowerexp.workload.read_speed import existing, pipeline, readers

pytestmark = pytest.mark.slow

SIZE = (16, 24)
TARGET = "preprocess.target_size=[16,24]"
OF_RECORDS = [reader for reader in readers.READERS if readers.data_of(reader) == readers.TFRECORDS]


def picture(grey, size=SIZE):
    file = io.BytesIO()
    Image.new("RGB", (size[1], size[0]), (grey, grey, grey)).save(file, "JPEG")
    return file.getvalue()


def example(**features):
    """An Example as TensorFlow writes it; `__` in a name stands for a slash."""
    import tensorflow as tf

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    made = {name.replace("__", "/"): feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def file_of(records):
    file = io.BytesIO()
    tfrecords.write_file(file, records)
    return file.getvalue()


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path):
    return str(tmp_path / "theirs") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def looked_at(root, config):
    """Write files, and look at them as a run does; returns the source for a reader."""

    def looked_at(files, *overrides, reader="tfrecords"):
        for name, content in files.items():
            storage.write_bytes(storage.join(root, name), content)
        made = config(f"dataset.tfrecords={root}", TARGET, *overrides)
        source = existing.source_of(existing.find(root, False), made)
        return replace(source, reader=reader)

    return looked_at


def read(source):
    """The greys and labels of all images, in order."""
    found: list[tuple[int, object]] = []
    for pictures, labels in pipeline.dataset(source, source.files).batch(3).take(99):
        greys = [int(picture.mean().round()) for picture in np.array(pictures)]
        found += zip(greys, np.array(labels).tolist(), strict=True)
    return sorted(found, key=lambda pair: pair[0])


PAIRS = [(10 * number, number) for number in range(1, 13)]
PARTS = [
    file_of([examples.encode_example(picture(grey), label) for grey, label in PAIRS[start::3]]) for start in range(3)
]


class TestFind:
    @pytest.mark.parametrize(
        "name",
        ["a.tfrec", "a.tfrecord", "a.tfrecords", "a.TFRecord", "train-00000-of-00002",
         "flowers-train.tfrecord-00001-of-00002",
         "train-00000-of-00002.tfrecord", "a.tfrecord.gz", "a.tfrecords.zlib", "train-00000-of-00002.gz",
         "deep/er/a.tfrec"],
    )  # fmt: skip
    def test_names_of_tfrecord_files(self, tmp_path, name):
        storage.write_bytes(f"{tmp_path}/{name}", b"")
        assert [entry.relative for entry in existing.find(str(tmp_path), False).files] == [name]

    @pytest.mark.parametrize(
        "name", ["README.md", "a.tfrecord.index", "dataset_info.json", "1-of-2", "part-00001.parquet"]
    )
    def test_other_names(self, tmp_path, name):
        storage.write_bytes(f"{tmp_path}/{name}", b"")
        assert existing.find(str(tmp_path), False) == existing.ExistingFiles([], [name])


class TestDamaged:
    FILES = {"a.tfrecord": PARTS[0], "b.tfrecord": PARTS[1][:-30], "c.tfrecord": PARTS[2]}  # noqa: RUF012

    def test_files_are_left_out_and_counted_where_the_user_wants_that(self, looked_at, told):
        flipped = bytearray(PARTS[2])
        flipped[len(flipped) // 2] ^= 1
        source = looked_at({**self.FILES, "c.tfrecord": bytes(flipped)}, "dataset.on_error=skip")
        assert [Path(file).name for file in source.files] == ["a.tfrecord"]
        assert told.facts["files_damaged"] == 2
        assert "2 of 3 TFRecord files left out; the first: damaged TFRecord file" in " ".join(told.notes)

    def test_one_ends_the_run_by_default(self, looked_at):
        with pytest.raises(DataError, match=r"damaged TFRecord file .*b\.tfrecord: .*dataset\.on_error=skip"):
            looked_at(self.FILES)


class TestRead:
    @pytest.mark.parametrize("reader", OF_RECORDS)
    def test_compressed_files_are_read_also_beside_others(self, looked_at, reader, told):
        files = {"a.tfrecord": PARTS[0], "b.tfrecord": gzip.compress(PARTS[1]), "c.tfrecords": zlib.compress(PARTS[2])}
        source = looked_at(files, reader=reader)
        assert (source.images, list(source.compressions.values())) == (12, ["GZIP", "ZLIB"])
        assert read(source) == PAIRS
        assert any("2 of 3 TFRecord files are compressed (GZIP and ZLIB)" in note for note in told.notes)

    def test_a_mixed_folder_leaves_nothing_out_without_a_word(self, looked_at, told):
        names = ("a.tfrec", "b.tfrecords", "c-00000-of-00001")
        source = looked_at({**dict(zip(names, PARTS, strict=True)), "README.md": b"", "info.json": b"{}"})
        assert source.images == 12
        assert told.facts["files_left_out"] == 2
        assert any("2 files in" in note and "README.md, info.json" in note for note in told.notes)

    @pytest.mark.parametrize("reader", OF_RECORDS)
    @pytest.mark.parametrize(("label", "expected"), [(7, 7), (b"daisy", b"daisy")])
    @pytest.mark.slow
    def test_other_names_of_features(self, looked_at, reader, label, expected):
        records = [example(image__encoded=picture(grey), label=label, weight=0.5) for grey in (50, 100)]
        overrides = ("dataset.features.image=image/encoded", "dataset.features.label=label")
        assert read(looked_at({"a.tfrecord": file_of(records)}, *overrides, reader=reader)) == [
            (50, expected),
            (100, expected),
        ]

    @pytest.mark.parametrize("reader", OF_RECORDS)
    @pytest.mark.slow
    def test_no_label(self, looked_at, reader):
        records = [example(image=picture(grey)) for grey in (50, 100)]
        source = looked_at({"a.tfrecord": file_of(records)}, "dataset.features.label=null", reader=reader)
        assert read(source) == [(50, -1), (100, -1)]


class TestRefused:
    @pytest.mark.parametrize(
        ("features", "there", "hint"),
        [
            ({"image": picture(1), "label": 3}, "image (bytes), label (int64)", "name the features: "
             "dataset.features.label=label"),
            ({"image__encoded": picture(1), "image__class__label": 3, "image__class__text": b"x", "height": 9},
             "height (int64), image/class/label (int64), image/class/text (bytes), image/encoded (bytes)",
             "dataset.features.image=image/encoded dataset.features.label=image/class/label"),
            ({"image": picture(1)}, "image (bytes)",
             "name the features: dataset.features.label=null (null: there is no class)"),
            ({"image": picture(1), "class": 0.5}, "class (float), image (bytes)", "dataset.features.label=null"),
            ({"values": 4}, "values (int64)", "dataset.features.image=NAME"),
        ],
    )  # fmt: skip
    @pytest.mark.slow
    def test_other_features_are_named_with_what_reads_them(self, looked_at, features, there, hint):
        with pytest.raises(DataError) as caught:
            looked_at({"a.tfrecord": file_of([example(**features)])})
        message = str(caught.value)
        assert message.startswith("dataset.tfrecords: ")
        assert "a.tfrecord: a record is not a tf.train.Example with the features image and class; it has " in message
        assert there in message
        assert hint in message

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (PARTS[1][:-3], "record 4 at byte {} is cut off by the file's end"),
            (
                b"text that is no TFRecord file",
                "record 1 at byte 0 has a wrong checksum, or this is not a TFRecord file",
            ),
            (gzip.compress(PARTS[1])[:-20], "cannot be decompressed"),
            (zlib.compress(PARTS[1][:-3]), "of what it decompresses to is cut off"),
        ],
        ids=["cut", "text", "cut gzip", "cut before zlib"],
    )
    def test_damage_is_named_with_its_place_and_nobody_is_told_to_delete(self, looked_at, content, said):
        last = len(file_of([examples.encode_example(picture(grey), label) for grey, label in PAIRS[1::3][:3]]))
        with pytest.raises(DataError) as caught:
            looked_at({"a.tfrecord": PARTS[0], "b.tfrecord": content})
        message = str(caught.value)
        assert "b.tfrecord" in message
        assert said.format(last) in message
        assert "flowerexp did not write it: mend it or get it again" in message
        assert "delete" not in message

    @pytest.mark.slow
    def test_files_that_differ_are_named(self, looked_at):
        other = file_of([examples.encode_example(picture(9, (8, 8)), 1)])
        with pytest.raises(
            DataError, match=r"a\.tfrecord and \S+/b\.tfrecord differ in size: 16 x 24 and 8 x 8 pixels"
        ):
            looked_at({"a.tfrecord": PARTS[0], "b.tfrecord": other})
        text = file_of([example(**{"image": picture(9), "class": b"daisy"})])
        with pytest.raises(DataError, match="differ in kind: numbers and text"):
            looked_at({"b.tfrecord": text})

    def test_a_folder_without_any_says_how_they_are_called(self, looked_at):
        with pytest.raises(DataError, match=r"none of its 1 files has a name such as NAME\.tfrecord"):
            looked_at({"a.bin": PARTS[0]})


def test_pictures_of_other_formats_are_read(looked_at):
    file = io.BytesIO()
    Image.new("RGB", (24, 16), (70, 70, 70)).save(file, "PNG")
    record = examples.encode_example(file.getvalue(), 2)
    assert transform.decode(file.getvalue()).shape == (*SIZE, 3)
    assert read(looked_at({"a.tfrecord": file_of([record])})) == [(70, 2)]
