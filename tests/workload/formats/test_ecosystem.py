"""Files of each format are read by the plain loader of its own users, without any code of ours."""

import random

import pytest

from flowerexp.workload import formats

CHANCE = random.Random(11)
SHARDS = [[(CHANCE.randbytes(3_000), CHANCE.randrange(-3, 900)) for _ in range(count)] for count in (70, 1)]
SAMPLES = [sample for shard in SHARDS for sample in shard]


CASES = [(name, kind) for name in formats.NAMES for kind in (None, *formats.of(name).compressions)]
OF_TENSORFLOW = pytest.mark.long  # other tests compare with TensorFlow, and importing it takes a while


@pytest.fixture(params=[pytest.param(case, marks=[OF_TENSORFLOW] * (case[0] == "tfrecord")) for case in CASES])
def written(request, tmp_path):
    """The name of a format, and two files of it: in a folder whose name needs care in a URI."""
    name, compression = request.param
    form = formats.of(name)
    folder = tmp_path / "a folder, 100%20"
    (folder / form.below).mkdir(parents=True)
    files = []
    for number, samples in enumerate(SHARDS):
        relative = f"{form.below}part-{number:05d}-{len(samples):05d}{form.suffix}"
        (folder / relative).write_bytes(b"")
        form.write(str(folder / relative), samples, compression)
        files.append((relative, len(samples)))
    form.complete(str(folder), files)
    return name, compression, [str(folder / relative) for relative, _ in files], str(folder)


def of_table(table):
    return list(zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True))


def by_tensorflow_records(paths, compression):
    import tensorflow as tf

    features = {"image": tf.io.FixedLenFeature([], tf.string), "class": tf.io.FixedLenFeature([], tf.int64)}
    records = tf.data.TFRecordDataset(paths, compression_type=(compression or "").upper())
    parsed = (tf.io.parse_single_example(record, features) for record in records)
    return [(example["image"].numpy(), int(example["class"])) for example in parsed]


def by_webdataset(paths):
    import webdataset as wds

    pipeline = wds.WebDataset(paths, shardshuffle=False)
    return list(pipeline.decode().to_tuple("jpg", "cls"))


def example_class():
    """`tf.train.Example`, as far as our files use it, without TensorFlow."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="ours.proto", package="ours", syntax="proto3")

    def message(name, *fields, within=None):
        made = (within.nested_type if within else file.message_type).add(name=name)
        for number, (field, label, kind, of) in enumerate(fields, 1):
            made.field.add(name=field, number=number, label=label, type=kind, type_name=of)
        return made

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message("BytesList", ("value", many, kinds.TYPE_BYTES, None))
    message("FloatList", ("value", many, kinds.TYPE_FLOAT, None))
    message("Int64List", ("value", many, kinds.TYPE_INT64, None))
    lists = [
        (f"{name.lower()}_list", one, kinds.TYPE_MESSAGE, f".ours.{name}List") for name in ("Bytes", "Float", "Int64")
    ]
    message("Feature", *lists)
    features = message("Features", ("feature", many, kinds.TYPE_MESSAGE, ".ours.Features.FeatureEntry"))
    key, value = ("key", one, kinds.TYPE_STRING, None), ("value", one, kinds.TYPE_MESSAGE, ".ours.Feature")
    message("FeatureEntry", key, value, within=features).options.map_entry = True
    message("Example", ("features", one, kinds.TYPE_MESSAGE, ".ours.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ours.Example"))


def by_grain(paths):
    import grain.sources

    source, example = grain.sources.ArrayRecordDataSource(paths), example_class()
    parsed = [example.FromString(source[number]).features.feature for number in range(len(source))]
    return [(one["image"].bytes_list.value[0], one["class"].int64_list.value[0]) for one in parsed]


def by_pyarrow(paths):
    import pyarrow.dataset
    import pyarrow.parquet

    whole = of_table(pyarrow.dataset.dataset(paths, format="parquet").to_table())
    assert whole == [sample for path in paths for sample in of_table(pyarrow.parquet.read_table(path))]
    return whole


def by_lance(folder):
    import lance

    dataset = lance.dataset(folder)
    assert dataset.count_rows() == len(SAMPLES)
    assert of_table(dataset.take([70, 3])) == [SAMPLES[70], SAMPLES[3]]
    return of_table(dataset.to_table())


def by_lmdb(paths):
    import lmdb

    found = []
    for path in paths:
        with lmdb.open(path, subdir=False, readonly=True, lock=False) as environment, environment.begin() as values:
            for number in range(1, int(values.get(b"num-samples") or 0) + 1):
                image, label = values.get(b"image-%09d" % number), values.get(b"label-%09d" % number)
                found.append((image, int(label or b"")))
    return found


@pytest.mark.slow
def test_plain_loaders_read_our_files(written):
    name, compression, paths, folder = written
    found = {
        "tfrecord": lambda: by_tensorflow_records(paths, compression),
        "webdataset": lambda: by_webdataset(paths),
        "array_record": lambda: by_grain(paths),
        "parquet": lambda: by_pyarrow(paths),
        "lance": lambda: by_lance(folder),
        "lmdb": lambda: by_lmdb(paths),
    }[name]()
    assert found == SAMPLES


def test_two_sets_of_the_same_files_are_the_same_data_set_of_lance(tmp_path):
    import lance

    form = formats.of("lance")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one.lance").write_bytes(b"")
    form.write(str(tmp_path / "data/one.lance"), SAMPLES, None)
    for _ in range(2):
        form.complete(str(tmp_path), [("data/one.lance", len(SAMPLES))])
        assert len([*(tmp_path / "_versions").glob("*.manifest")]) == 1
        assert of_table(lance.dataset(str(tmp_path)).to_table()) == SAMPLES
