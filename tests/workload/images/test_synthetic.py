"""Synthetic photographs: always the same bytes, and as costly to read as real ones."""

import hashlib
import io
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from flowerexp.workload.images import generated, synthetic, transform

#: The Flowers data set's classes, and how many of its 3,670 photographs each has.
CLASSES = {"daisy": 633, "dandelion": 898, "roses": 641, "sunflowers": 699, "tulips": 799}


@pytest.fixture(scope="module")
def photographs():
    return [synthetic.photograph(index, 11) for index in range(400)]


@pytest.fixture(scope="module")
def opened(photographs):
    return [Image.open(io.BytesIO(data)) for _, data in photographs]


def digest(pairs):
    return hashlib.sha256(b"".join(name.encode() + data for name, data in pairs)).hexdigest()


#: For index 0 to 3 and seed 0: name, height and width, mean red, green and blue.
KNOWN = [
    ("daisy/00000.jpg", (190, 320), 80, 93, 83),
    ("sunflowers/00001.jpg", (240, 320), 85, 87, 23),
    ("dandelion/00002.jpg", (300, 500), 93, 79, 46),
    ("tulips/00003.jpg", (375, 500), 115, 96, 67),
]


@pytest.mark.slow
def test_depends_on_index_and_seed_alone(photographs):
    for index in (399, 0, 17):
        assert synthetic.photograph(index, 11) == photographs[index]
    assert len({data for _, data in photographs}) == len(photographs)
    assert synthetic.photograph(17, 12)[1] != photographs[17][1]


def test_another_process_makes_the_same(photographs):
    program = (
        "import hashlib; from flowerexp.workload.images.synthetic import photograph;"
        "pairs = [photograph(i, 11) for i in reversed(range(20))][::-1];"
        "print(hashlib.sha256(b''.join(n.encode() + d for n, d in pairs)).hexdigest())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == digest(photographs[:20])


def test_a_change_of_the_pixels_needs_a_new_version():
    """Of sizes and colours, not of bytes, which may change with OpenCV: where this fails, raise VERSION."""
    seen = []
    for index in range(4):
        name, data = synthetic.photograph(index, 0)
        pixels = transform.decode(data)
        seen.append((name, pixels.shape[:2], *np.round(pixels.mean(axis=(0, 1))).astype(int).tolist()))
    assert (generated.SYNTHETIC_VERSION, seen) == (1, KNOWN)


def test_names(photographs):
    names = [name for name, _ in photographs]
    assert len(set(names)) == len(names)
    for index, name in enumerate(names):
        folder, file = name.split("/")
        assert folder in CLASSES
        assert file == f"{index:05d}.jpg"


@pytest.mark.parametrize("start", [0, 1000, 123_456])
@pytest.mark.parametrize("count", [100, 3670])
def test_classes_in_the_real_proportions_wherever_one_starts(start, count):
    found = Counter(synthetic._class_of(index) for index in range(start, start + count))
    for name, photographs in CLASSES.items():
        assert abs(found[name] - photographs * count / 3670) <= 3


def test_every_class_comes_early():
    assert {synthetic.photograph(index, 0)[0].split("/")[0] for index in range(8)} == set(CLASSES)


def test_baseline_jpegs_with_full_chroma(photographs, opened):
    for (_, data), image in zip(photographs, opened, strict=True):
        assert data.startswith(b"\xff\xd8\xff\xe0")
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert not image.info.get("progressive")
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_sizes_like_the_real_ones(opened):
    sizes = np.array([image.size for image in opened])
    shorter, longer = sizes.min(axis=1), sizes.max(axis=1)
    assert shorter.min() >= 143
    assert shorter.max() <= 442
    assert shorter.mean() == pytest.approx(264, rel=0.05)
    assert (shorter < 192).mean() == pytest.approx(0.10, abs=0.05)
    assert set(longer.tolist()) == {240, 320, 500}
    assert (sizes[:, 0] > sizes[:, 1]).mean() == pytest.approx(0.81, abs=0.06)
    assert (sizes[:, 0] < sizes[:, 1]).mean() == pytest.approx(0.13, abs=0.05)
    assert ((sizes == (320, 240)).all(axis=1)).sum() > 30


def test_bytes_like_the_real_ones(photographs, opened):
    sizes = np.array([len(data) for _, data in photographs])
    assert sizes.mean() == pytest.approx(63_000, rel=0.15)
    assert sizes.std() == pytest.approx(48_800, rel=0.25)
    assert np.percentile(sizes, 5) == pytest.approx(17_200, rel=0.35)
    assert np.percentile(sizes, 50) == pytest.approx(42_700, rel=0.2)
    assert np.percentile(sizes, 95) == pytest.approx(166_000, rel=0.25)
    per_pixel = sizes / [image.width * image.height for image in opened]
    assert np.log(per_pixel).std() == pytest.approx(0.41, abs=0.08)


def test_contrast_falls_off_as_in_photographs(photographs):
    """The amplitude spectrum falls like 1/f, give or take: its slope in a log-log plot is about -1."""
    slopes = []
    for _, data in photographs[:60]:
        grey = transform.decode(data).mean(axis=2)[:140, :140]
        window = np.hanning(140)[:, None] * np.hanning(140)
        spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window))
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(140), np.fft.fftfreq(140)))
        bands = [(low, low * 1.5) for low in (0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.22, 0.33)]
        means = [spectrum[(frequency >= low) & (frequency < high)].mean() for low, high in bands]
        slopes.append(np.polyfit(np.log([low for low, _ in bands]), np.log(means), 1)[0])
    assert -1.7 < np.median(slopes) < -0.8


def test_classes_differ_in_colour(photographs):
    """The middle of the pictures tells most classes apart, as a model's training must find something to learn."""
    middle: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for name, data in photographs:
        pixels = transform.resize_and_crop(transform.decode(data), 30, 30)
        middle[name.split("/")[0]].append(pixels[8:22, 8:22].mean(axis=(0, 1)))
    means = {name: np.mean(colours, axis=0) for name, colours in middle.items()}
    for name, other in [("daisy", "roses"), ("daisy", "dandelion"), ("roses", "sunflowers"), ("tulips", "daisy")]:
        assert np.abs(means[name] - means[other]).max() > 25, (name, other)
