"""What every format of prepared data has to do: the same samples come back in each way of reading, or an error does."""

import contextlib
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowerexp import storage
from flowerexp.errors import DataError, MissingError
from flowerexp.workload import formats

CHANCE = random.Random(7)
SAMPLES = [(CHANCE.randbytes(CHANCE.randint(1, 12_000)), number % 5) for number in range(150)]
TITLES = {name: formats.of(name).title for name in formats.NAMES}
COMPRESSED = [(name, kind) for name in formats.NAMES for kind in (None, *formats.of(name).compressions)]


@pytest.fixture
def write(tmp_path):
    """`write(format, samples, compression)` is the path of a new file."""

    def write(form, samples, compression=None, name="a shard"):
        path = tmp_path / f"{name}{form.suffix}"
        path.write_bytes(b"")
        assert form.write(str(path), iter(samples), compression) == len(samples)
        return path

    return write


@pytest.fixture(params=formats.NAMES)
def form(request):
    return formats.of(request.param)


def plain(samples):
    return [(bytes(image), label) for image, label in samples]


def by_number(shard):
    return plain(shard[place] for place in range(len(shard)))


def in_order(shard):
    return plain(shard)


def read(form, path, how=in_order):
    with form.open(str(path), {}) as shard:
        return how(shard)


@pytest.mark.parametrize(("name", "compression"), COMPRESSED)
def test_all_ways_of_reading_agree_and_the_same_samples_give_the_same_bytes(write, name, compression):
    form = formats.of(name)
    path, again = write(form, SAMPLES, compression), write(form, SAMPLES, compression, "another shard")
    assert path.read_bytes() == again.read_bytes()
    assert form.count(str(path), {}) == len(SAMPLES)
    with form.open(str(path), {}) as shard:
        assert len(shard) == len(SAMPLES)
        assert plain(shard) == SAMPLES
        assert plain(shard) == SAMPLES, "a second time"
        places = [CHANCE.randrange(len(SAMPLES)) for _ in range(200)]
        with ThreadPoolExecutor(4) as threads:
            assert plain(threads.map(shard.__getitem__, places)) == [SAMPLES[place] for place in places]
        first, second = iter(shard), iter(shard)
        assert plain([next(first), next(second), next(first)]) == [SAMPLES[0], SAMPLES[0], SAMPLES[1]]
        for beyond in (len(SAMPLES), -1):
            with pytest.raises(IndexError):
                shard[beyond]
        kept = shard[3]
    assert plain([kept]) == [SAMPLES[3]], "what was read outlives the shard"


def test_a_file_is_open_several_times_and_closed_each_time(write, form):
    path = write(form, SAMPLES[:9])
    with form.open(str(path), {}) as first:
        with form.open(str(path), {}) as second:
            assert plain([first[8], second[8]]) == [SAMPLES[8]] * 2
        assert plain(first) == SAMPLES[:9]
    write(form, SAMPLES[9:20])
    assert read(form, path) == SAMPLES[9:20], "what was open is not kept"


@pytest.mark.parametrize(("name", "compression"), [pair for pair in COMPRESSED if pair[1]])
def test_compression_makes_what_can_be_compressed_smaller(write, name, compression):
    form = formats.of(name)
    samples = [(b"%d" % number * 4_000, number) for number in range(30)]
    packed, unpacked = write(form, samples, compression, "packed"), write(form, samples)
    assert packed.stat().st_size < unpacked.stat().st_size
    assert read(form, packed) == read(form, packed, by_number) == samples


@pytest.mark.parametrize("samples", [[], [(b"one", 4)], [(b"", 0), (bytes(3_000_000), 9_999)]], ids=["none", "1", "2"])
def test_few_samples_and_odd_ones(write, form, samples):
    path = write(form, samples)
    assert form.count(str(path), {}) == len(samples)
    assert read(form, path) == read(form, path, by_number) == samples


def test_a_file_that_is_cut_off_is_refused(write, form):
    content = write(form, SAMPLES).read_bytes()
    for kept in (1, 100, len(content) // 3, len(content) // 2, len(content) - 20_000):
        damaged = write(form, [], name="cut off")
        damaged.write_bytes(content[:kept])
        for how in (in_order, by_number, len):
            with pytest.raises(DataError) as refused:
                read(form, damaged, how)
            line = str(refused.value)
            assert line.startswith(f"damaged {form.title} file {damaged}: ")
            assert "\n" not in line


def test_an_empty_file_is_refused_or_has_no_samples(write, form):
    damaged = write(form, [], name="empty")
    damaged.write_bytes(b"")
    if form.name == "tfrecord":  # it is a file without records, and only the manifest knows better
        assert read(form, damaged) == read(form, damaged, by_number) == []
        return
    for how in (in_order, by_number, len):
        with pytest.raises(DataError, match=f"damaged {form.title} file .*empty"):
            read(form, damaged, how)


def test_a_file_of_another_kind_is_refused(write, form):
    foreign = write(form, [], name="foreign")
    foreign.write_bytes(b"\xff\xd8\xff\xe0 this is none of it" * 5_000)
    for how in (in_order, by_number, len):
        with pytest.raises(DataError, match=f"damaged {form.title} file .*foreign"):
            read(form, foreign, how)


def test_a_missing_file_is_an_error_of_the_system(tmp_path, form):
    for how in (in_order, by_number, len):
        with pytest.raises(FileNotFoundError):
            read(form, tmp_path / "missing", how)


@pytest.mark.slow
def test_flipped_bits_are_found_by_formats_that_say_so_and_never_end_the_process(write, form):
    content = write(form, SAMPLES).read_bytes()
    damaged = write(form, [], name="flipped")
    wrong = 0
    for _ in range(60):
        flipped = bytearray(content)
        flipped[CHANCE.randrange(len(content))] ^= 1 << CHANCE.randrange(8)
        damaged.write_bytes(flipped)
        for how in (in_order, by_number):
            with contextlib.suppress(DataError):
                wrong += read(form, damaged, how) != SAMPLES
    assert (wrong == 0) == form.checks


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch, tmp_path, form):
    monkeypatch.setattr("flowerexp.errors._is_installed", lambda module: False)
    if not form.modules:
        return
    for call in (lambda: form.write(str(tmp_path / "a"), [], None), lambda: form.open(str(tmp_path / "a"), {})):
        with pytest.raises(MissingError, match=f"preprocess.format={form.name} needs .*pip install '\\."):
            call()


FULL = """
import os, resource, sys
from flowerexp.workload import formats
import pyarrow.parquet, lance.file, lmdb, array_record.python.array_record_module
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name in formats.NAMES:
    path = f"{sys.argv[1]}/{name}"
    open(path, "wb").close()
    try:
        formats.of(name).write(path, ((os.urandom(100_000), place) for place in range(300)), None)
    except OSError as error:
        print(name, bool(error.errno))
"""


@pytest.mark.slow
def test_a_disk_that_is_full_is_an_error_of_the_system(tmp_path):
    answer = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert answer.stdout.split("\n")[:-1] == [f"{name} True" for name in formats.NAMES], answer.stderr


def test_objects_in_a_bucket_are_read_like_files(write, form, bucket):
    uri = storage.join(bucket, f"a shard{form.suffix}")
    storage.write_bytes(uri, write(form, SAMPLES).read_bytes())
    assert form.count(uri, {}) == len(SAMPLES)
    with form.open(uri, {}) as shard:
        assert plain(shard) == SAMPLES
        with ThreadPoolExecutor(4) as threads:
            assert plain(threads.map(shard.__getitem__, range(20))) == SAMPLES[:20]
