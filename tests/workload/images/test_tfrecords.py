"""TFRecord files and examples: round trips, damage, and comparison with TensorFlow."""

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.errors import DataError
from flowerexp.workload.images import examples, tfrecords

labels = st.integers(-(2**63), 2**63 - 1)
payloads = st.lists(st.binary(max_size=300), max_size=8)


def file_of(records):
    file = io.BytesIO()
    tfrecords.write_file(file, records)
    file.seek(0)
    return file


class TestFile:
    @given(payloads)
    def test_round_trip(self, records):
        file = io.BytesIO()
        assert tfrecords.write_file(file, iter(records)) == len(records)
        file.seek(0)
        assert list(tfrecords.read_records(file)) == records
        assert tfrecords.count_records(file) == len(records)

    @given(payloads, st.sampled_from(["GZIP", "ZLIB"]))
    def test_compressed_files_are_read_like_others(self, records, kind):
        plain = file_of(records).getvalue()
        packed = gzip.compress(plain) if kind == "GZIP" else zlib.compress(plain)
        assert tfrecords.compression_of(io.BytesIO(packed)) == kind
        assert tfrecords.compression_of(io.BytesIO(plain)) == ""
        assert list(tfrecords.read_records(io.BytesIO(packed))) == records
        assert tfrecords.count_records(io.BytesIO(packed)) == len(records)

    def test_gzip_files_may_be_put_one_behind_the_other(self):
        packed = b"".join(gzip.compress(file_of([record]).getvalue()) for record in (b"one", b"two"))
        assert list(tfrecords.read_records(io.BytesIO(packed))) == [b"one", b"two"]

    @pytest.mark.parametrize("pack", [lambda data: gzip.compress(data), lambda data: zlib.compress(data)])
    def test_a_damaged_compressed_file_never_gives_other_records(self, pack):
        records = [bytes(range(256)) * 20, b"second"]
        packed = pack(file_of(records).getvalue())
        for length in range(12, len(packed)):
            with pytest.raises(DataError, match="of what it decompresses to cannot be decompressed"):
                list(tfrecords.read_records(io.BytesIO(packed[:length])))
        found = 0
        for place in range(2, len(packed)):
            damaged = bytearray(packed)
            damaged[place] ^= 1 << place % 8
            try:
                assert list(tfrecords.read_records(io.BytesIO(damaged))) == records  # of a time, say, or unused bits
            except DataError:
                found += 1
        assert found > len(packed) // 2

    @pytest.mark.slow
    def test_tensorflow_reads_compressed_files_and_writes_them(self, tmp_path):
        import tensorflow as tf

        for kind in ("GZIP", "ZLIB"):
            with tf.io.TFRecordWriter(str(tmp_path / kind), options=kind) as writer:
                writer.write(b"one")
            with (tmp_path / kind).open("rb") as file:
                assert tfrecords.compression_of(file) == kind
                assert list(tfrecords.read_records(file)) == [b"one"]

    @pytest.mark.slow
    def test_tensorflow_writes_the_same_file(self, tmp_path):
        import tensorflow as tf

        records = [b"", b"one", bytes(70_000), bytes(range(256))]
        with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
            for record in records:
                writer.write(record)
        assert (tmp_path / "theirs").read_bytes() == file_of(records).getvalue()

    def test_any_flipped_bit_is_found(self):
        data = file_of([b"first", b"the second record"]).getvalue()
        second = len(tfrecords.frame(b"first"))
        for place in range(len(data)):
            damaged = bytearray(data)
            damaged[place] ^= 1 << place % 8
            start = 0 if place < second else second
            with pytest.raises(DataError, match=f"in memory: record {2 if start else 1} at byte {start} has a wrong"):
                list(tfrecords.read_records(io.BytesIO(damaged)))

    def test_any_truncation_is_found(self):
        data = file_of([b"first", b"the second record"]).getvalue()
        second = len(tfrecords.frame(b"first"))
        for length in set(range(1, len(data))) - {second}:
            for read in (tfrecords.count_records, lambda file: list(tfrecords.read_records(file))):
                place = "record 1 at byte 0" if length < second else f"record 2 at byte {second}"
                with pytest.raises(DataError, match=f"{place} is cut off by the file's end"):
                    read(io.BytesIO(data[:length]))

    def test_counting_finds_damaged_lengths_and_reads_no_payload(self):
        record = tfrecords.frame(bytes(1000))
        for place in range(12):
            damaged = bytearray(record * 2)
            damaged[len(record) + place] ^= 16
            with pytest.raises(DataError, match=f"record 2 at byte {len(record)} has a wrong checksum"):
                tfrecords.count_records(io.BytesIO(damaged))

        class Counting(io.BytesIO):
            taken = 0

            def read(self, size=-1):
                data = super().read(size)
                self.taken += len(data)
                return data

        file = Counting(record * 5)
        assert tfrecords.count_records(file) == 5
        assert file.taken == 6 * 12  # the first header twice: it says whether the file is compressed

    def test_the_error_names_the_file(self, tmp_path):
        path = tmp_path / "part-00003.tfrec"
        path.write_bytes(b"no TFRecord file at all")
        with path.open("rb") as file, pytest.raises(DataError, match=r"part-00003\.tfrec: record 1 at byte 0"):
            tfrecords.count_records(file)

    def test_records_before_the_damage_are_given(self):
        damaged = bytearray(file_of([b"first", b"second"]).getvalue())
        damaged[-1] ^= 1
        records = tfrecords.read_records(io.BytesIO(damaged))
        assert next(records) == b"first"
        with pytest.raises(DataError):
            next(records)


class TestExample:
    @given(st.binary(max_size=300), labels)
    def test_round_trip(self, image, label):
        assert examples.decode_example(examples.encode_example(image, label)) == (image, label)

    @pytest.mark.parametrize("label", [0, 4, 127, 128, 2**40, -1])
    @pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
    @pytest.mark.slow
    def test_same_bytes_as_tensorflow(self, label, size):
        import tensorflow as tf

        image = bytes(size)
        feature = {
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
            "class": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        assert examples.encode_example(image, label) == example.SerializeToString(deterministic=True)

    @pytest.mark.slow
    def test_reads_other_writers_examples(self):
        import tensorflow as tf

        feature = {
            "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"daisy/1.jpg"])),
            "weights": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 2.0])),
            "class": tf.train.Feature(int64_list=tf.train.Int64List(value=[3, 9])),
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"jpeg", b"other"])),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        assert examples.decode_example(example.SerializeToString()) == (b"jpeg", 3)

    @pytest.mark.slow
    def test_reads_numbers_that_are_not_packed(self):
        packed = examples.encode_example(b"jpeg", 3)
        assert b"\x1a\x03\x0a\x01\x03" in packed
        # Int64List.value as a plain varint is one byte shorter, and so is everything around it.
        unpacked = packed.replace(b"\x1a\x03\x0a\x01\x03", b"\x1a\x02\x08\x03")
        unpacked = unpacked.replace(b"\x0a\x0e\x0a\x05class\x12\x05", b"\x0a\x0d\x0a\x05class\x12\x04")
        unpacked = unpacked[:1] + bytes([unpacked[1] - 1]) + unpacked[2:]
        import tensorflow as tf

        assert tf.train.Example.FromString(unpacked).features.feature["class"].int64_list.value == [3]
        assert examples.decode_example(unpacked) == (b"jpeg", 3)

    @given(st.binary(max_size=60))
    def test_anything_else_is_a_data_error(self, record):
        with pytest.raises(DataError, match="image and class"):
            examples.decode_example(record)

    def test_a_truncated_example_is_a_data_error(self):
        example = examples.encode_example(b"a picture", 3)
        for length in range(len(example)):
            with pytest.raises(DataError):
                examples.decode_example(example[:length])


@pytest.mark.slow
def test_tensorflow_reads_and_parses_the_file(tmp_path):
    import tensorflow as tf

    pairs = [(bytes([number]) * (number * 900), number % 5) for number in range(20)]
    path = tmp_path / "part-00000.tfrec"
    with path.open("wb") as file:
        tfrecords.write_file(file, (examples.encode_example(*pair) for pair in pairs))
    features = {"image": tf.io.FixedLenFeature([], tf.string), "class": tf.io.FixedLenFeature([], tf.int64)}
    parsed = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(str(path))]
    assert [(example["image"].numpy(), int(example["class"])) for example in parsed] == pairs
