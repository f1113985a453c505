"""All formats with both of their readers: the same images and labels, in the order that is asked for."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.engine.cells import Cell
from flowerexp.workload.images import synthetic, transform
from flowerexp.workload.read_speed import measuring, pipeline, steps
from flowerexp.workload.read_speed.readers import READERS, Options, Source
from flowerexp.workload.read_speed.sources import Sources
from tests.command import PHOTOGRAPHS

SIZE = (32, 48)
EACH, SHARDS = 6, 3
COUNT = EACH * SHARDS
OF_FORMATS = [name for name, reader in READERS.items() if reader.format]
LOADERS = [name for name in OF_FORMATS if READERS[name].way == "own" and READERS[name].module != "tf_data"]
# Of a picture's grey levels, what Pillow's precise inverse DCT and the fast one of TensorFlow and of our reader differ
# by: at most, and on average.
MOST, ON_AVERAGE = 24, 2.5


def picture(number: int) -> bytes:
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 255, (8, 12, 3), np.uint8))
    file = io.BytesIO()
    coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def written(root: Path, name: str, samples: list[tuple[bytes, int]], shards: int) -> list[str]:
    """A data set of a format, in some files of the same number of samples."""
    kind, each = formats.of(name), len(samples) // shards
    files = []
    for shard in range(shards):
        path = root / name / f"{kind.below}part-{shard}{kind.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        kind.write(str(path), samples[shard * each : (shard + 1) * each], None)
        files.append(str(path))
    kind.complete(str(root / name), [(os.path.relpath(file, root / name), each) for file in files])
    return files


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """The files of each format, all with the same pictures; their numbers are their labels."""
    root, samples = tmp_path_factory.mktemp("sets"), [(picture(number), number) for number in range(COUNT)]
    return {name: written(root, name, samples, SHARDS) for name in formats.NAMES}


def source_of(reader: str, files: list[str]) -> Source:
    return Source(reader, files, [EACH] * SHARDS, SIZE, origin="storage.prepared")


def read(source: Source, options: Options | None = None, size: int = 4) -> tuple[list[int], np.ndarray]:
    """The labels and pictures of all batches."""
    found = list(pipeline.dataset(source, source.files, options).batch(size).take(9999))
    assert [len(labels) for _, labels in found][:-1] == [size] * (len(found) - 1)
    labels = [int(label) for _, of_batch in found for label in of_batch]
    return labels, np.concatenate([np.asarray(pictures) for pictures, _ in found])


@pytest.mark.parametrize("reader", OF_FORMATS)
@pytest.mark.slow
def test_images_and_labels_are_the_same_in_the_order_of_the_files(sets, reader):
    labels, pictures = read(source_of(reader, sets[READERS[reader].format]))
    assert labels == [*range(COUNT)]
    assert pictures.shape == (COUNT, *SIZE, 3)
    assert pictures.dtype == np.uint8
    differences = np.abs(pictures - np.stack([transform.decode(picture(number)) for number in labels]).astype(int))
    if reader in LOADERS:
        assert differences.max() <= MOST
        assert differences.mean() <= ON_AVERAGE
    else:
        assert differences.max() == 0


@pytest.mark.parametrize("reader", OF_FORMATS)
@pytest.mark.slow
def test_shuffled_it_is_the_same_images_in_an_order_that_the_seed_decides(sets, reader):
    source = source_of(reader, sets[READERS[reader].format])
    expected = dict(zip(*read(source), strict=True))
    (one, pictures), (same, _), (other, _) = (read(source, Options("full", seed)) for seed in (1, 1, 2**40))
    assert one == same != other
    assert sorted(one) == sorted(other) == [*range(COUNT)] != one
    assert all(np.array_equal(expected[label], found) for label, found in zip(one, pictures, strict=True))
    backwards = Source(reader, source.files[::-1], source.records, SIZE)
    labels, _ = read(backwards, Options("shards"))
    assert labels == [number for shard in (2, 1, 0) for number in range(shard * EACH, (shard + 1) * EACH)]


@pytest.mark.parametrize("reader", [name for name in OF_FORMATS if READERS[name].prefetch])
@pytest.mark.slow
def test_reading_ahead_and_with_a_worker_changes_nothing(sets, reader):
    source = source_of(reader, sets[READERS[reader].format])
    takes_threads = READERS[reader].workers and reader != "array_record"  # whose workers are processes
    labels, _ = read(source, Options(prefetch=2, workers=3 if takes_threads else 0))
    assert labels == [*range(COUNT)]


@pytest.mark.long
def test_workers_of_grain_are_processes_that_share_the_images(sets):
    source = source_of("array_record", sets["array_record"])
    batches = pipeline.dataset(source, source.files, Options(workers=2)).batch(4)
    assert sorted(int(label) for _, labels in batches for label in labels) == [*range(COUNT)]


@pytest.mark.parametrize("reader", [name for name in OF_FORMATS if READERS[name].way != "cached"])
@pytest.mark.slow
def test_each_step_of_a_reader_takes_a_part_of_its_time(sets, reader, monkeypatch):
    monkeypatch.setattr(steps, "ROUNDS", 1)
    found = steps.timed(source_of(reader, sets[READERS[reader].format]))
    separable = READERS[reader].module not in ("tf_data", "loaders.array_record")
    assert ("decode" in found) == separable
    assert [*found][-2:] == ["whole", "floor"]
    assert found["whole"] > 0
    assert found["floor"] > 0
    parts = [value for name, value in found.items() if name not in ("whole", "floor")]
    assert not parts or sum(parts) >= found["whole"] * 0.999  # more, where a later pass was disturbed less


@pytest.mark.parametrize("way", ["cut off", "empty"])
@pytest.mark.parametrize("reader", [*LOADERS, *(name for name in OF_FORMATS if READERS[name].way == "native")])
def test_a_damaged_file_is_named(sets, tmp_path, reader, way):
    kind = READERS[reader].format
    whole = Path(os.path.commonpath(sets[kind])) if kind != "lance" else Path(sets[kind][0]).parents[1]
    folder = Path(shutil.copytree(whole, tmp_path / kind))
    files = [str(folder / Path(file).relative_to(whole)) for file in sets[kind]][:2]
    bad = Path(files[1])
    content = bad.read_bytes()
    bad.write_bytes(content[: len(content) // 2] if way == "cut off" else b"")
    source = Source(reader, files, [EACH] * 2, SIZE, origin="storage.prepared")
    cell, sources = Cell({"reader": reader, "batch_size": COUNT, "batch_number": 1}), Sources({reader: source}, "warm")
    with pytest.raises(DataError, match=bad.name) as caught:
        measuring.measure(measuring.ready(sources, cell), cell)
    assert "\n" not in str(caught.value)


def photographs(which: str) -> list[bytes]:
    """The contents of 1,000 generated photographs, or of all real ones."""
    if which == "generated":
        return [synthetic.photograph(number, seed=0)[1] for number in range(1000)]
    files = sorted(PHOTOGRAPHS.glob("*/*.jpg"))
    if not files:
        pytest.skip("no flower photographs: set FLOWEREXP_PHOTOS to a folder with a folder for each class")
    return [file.read_bytes() for file in files]


@pytest.mark.long
@pytest.mark.parametrize("which", ["generated", pytest.param("real", marks=pytest.mark.flowers)])
def test_whole_sets_are_the_same_with_every_reader(tmp_path, which):
    pictures = [transform.recompress(content, (192, 192), 95) for content in photographs(which)]
    pictures = pictures[: len(pictures) // SHARDS * SHARDS]
    samples = [(content, number % 5) for number, content in enumerate(pictures)]
    expected = np.stack([transform.decode(content) for content in pictures]).astype(np.int16)
    labels = [label for _, label in samples]
    for name in formats.NAMES:
        files = written(tmp_path, name, samples, SHARDS)
        for reader in (reader for reader in OF_FORMATS if READERS[reader].format == name):
            source = Source(reader, files, [len(samples) // SHARDS] * SHARDS, (192, 192))
            found, images = read(source, size=64)
            assert found == labels
            differences = np.abs(images - expected)
            assert differences.max() <= (MOST if reader in LOADERS else 0), reader
            assert differences.mean() <= ON_AVERAGE
        shutil.rmtree(tmp_path / name)
