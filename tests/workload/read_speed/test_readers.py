"""The readers of tf.data: the expected images, from local files and from a bucket."""

import io
import uuid

import numpy as np
import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.workload.images import examples, tfrecords, transform
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import Source

pytestmark = pytest.mark.slow

SIZES = [(30, 41), (41, 30), (24, 24), (12, 90), (90, 12), (48, 72), (17, 23)]


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path):
    return str(tmp_path) if request.param == "local" else f"memory://{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def pictures():
    """JPEGs of noise in many shapes, one of them grey."""
    random = np.random.default_rng(0)
    made = []
    for number, (height, width) in enumerate(SIZES):
        coarse = random.integers(0, 255, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        (picture.convert("L") if number == 0 else picture).save(file, "JPEG", quality=95, subsampling=0)
        made.append(file.getvalue())
    return made


@pytest.mark.parametrize("target", [(24, 24), (16, 30), (30, 16)], ids=str)
def test_photographs_are_brought_to_the_target_by_the_image_rule(root, pictures, target):
    files = [storage.join(root, f"class{number % 3}", f"{number}.jpg") for number in range(len(pictures))]
    for file, content in zip(files, pictures, strict=True):
        storage.write_bytes(file, content)
    source = Source("image_files", files, [1] * len(files), target)
    found = list(pipeline.dataset(source, files).as_numpy_iterator())
    assert [label.decode() for _, label in found] == [f"class{number % 3}" for number in range(len(files))]
    for (image, _), content in zip(found, pictures, strict=True):
        expected = transform.resize_and_crop(transform.decode(content), *target, exact=True)
        assert np.array_equal(image.astype(np.uint8), expected)


def test_strips_are_cut_before_they_are_resized_and_all_else_gives_the_same_pixels(tmp_path, pictures):
    """1 x 40,000 pixels would be 4.6 GB when resized whole, of which TensorFlow would make 17.7 GB of floats."""
    ramp = np.repeat(np.linspace(0, 255, 40_000).astype(np.uint8)[None, :, None], 3, axis=2)
    turned = np.ascontiguousarray(ramp.transpose(1, 0, 2))
    contents = [*pictures]
    for strip in (ramp, turned, np.repeat(ramp, 3, axis=0)):
        buffer = io.BytesIO()
        Image.fromarray(strip).save(buffer, "JPEG", quality=95)
        contents.append(buffer.getvalue())
    files = [str(tmp_path / f"{number}.jpg") for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        storage.write_bytes(file, content)
    target = (96, 90)
    shapes = [transform.decode(content).shape for content in contents]
    narrow = [transform.is_narrow(height, width, *target) for height, width, _ in shapes]
    assert narrow == [False] * len(pictures) + [True] * 3
    source = Source("image_files", files, [1] * len(files), target, narrow=True)
    found = [image for image, _ in pipeline.dataset(source, files).as_numpy_iterator()]
    for image, content, is_strip in zip(found, contents, narrow, strict=True):
        expected = transform.resize_and_crop(transform.decode(content), *target, exact=True)
        assert image.shape == expected.shape
        assert np.abs(image.astype(np.uint8).astype(int) - expected).max() <= (1 if is_strip else 0)


@pytest.mark.parametrize("batch", [2, 4])
def test_records_come_with_their_labels_whole_and_once(root, pictures, batch):
    made = [(transform.recompress(content, (16, 24), 95), number) for number, content in enumerate(pictures)]
    files = []
    for number, part in enumerate([made[:3], made[3:]]):
        with storage.NewFile(root) as file:
            tfrecords.write_file(file.stream, (examples.encode_example(image, label) for image, label in part))
            file.keep(f"{number}.tfrec")
        files.append(storage.join(root, f"{number}.tfrec"))
    source = Source("tfrecords", files, [3, len(made) - 3], (16, 24))
    batches = list(pipeline.dataset(source, files).batch(batch).as_numpy_iterator())
    assert sum(len(found) for found, _ in batches) == len(made)
    found = {int(label): image for found, labels in batches for image, label in zip(found, labels, strict=True)}
    assert found.keys() == set(range(len(made)))
    for image, label in made:
        assert np.array_equal(found[label], transform.decode(image))


@pytest.mark.slow
def test_tensorflow_traces_a_reader_once_whatever_it_reads(root, pictures, monkeypatch):
    import tensorflow as tf

    files = [storage.join(root, "class", f"{number}.jpg") for number in range(4)]
    for file, content in zip(files, pictures, strict=False):
        storage.write_bytes(file, content)
    source = Source("image_files", files, [1] * len(files), (20, 22))
    first, decode, traced = pipeline.dataset(source, files[:2]), tf.image.decode_jpeg, []

    def trace(*arguments, **options):
        traced.append(arguments)
        return decode(*arguments, **options)

    monkeypatch.setattr(tf.image, "decode_jpeg", trace)
    second = pipeline.dataset(source, files[2:])
    whole = [image for made in (first, second) for image, _ in made.as_numpy_iterator()]
    again = [image for image, _ in pipeline.dataset(source, files).as_numpy_iterator()]
    assert np.array_equal(whole, again)
    assert not traced
