"""The page cache: its state is looked up."""

import mmap
import os
from pathlib import Path

import pytest

from flowerexp.workload.read_speed import page_cache

PAGE = mmap.PAGESIZE


@pytest.fixture
def files(tmp_path):
    """Four files of 16 pages each, all on disk."""
    paths = [tmp_path / str(number) for number in range(4)]
    for path in paths:
        path.write_bytes(os.urandom(16 * PAGE))
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return [str(path) for path in paths]


@pytest.fixture
def drops(files):
    """Skips where the file system does not let go of pages, such as one in memory."""
    page_cache.bring_to("cold", files)
    if page_cache.cached_fraction(files) != 0.0:
        pytest.skip("this file system keeps its files in memory")


class TestReal:
    def test_warm(self, files):
        page_cache.bring_to("warm", files)
        assert page_cache.cached_fraction(files) == 1.0

    def test_cold_and_warm_again(self, files, drops):
        page_cache.bring_to("cold", files)
        assert page_cache.cached_fraction(files) == 0.0
        page_cache.bring_to("warm", files)
        assert page_cache.cached_fraction(files) == 1.0

    def test_cold_also_for_what_was_only_just_written(self, files, drops, tmp_path):
        (tmp_path / "new").write_bytes(bytes(8 * PAGE))
        page_cache.bring_to("cold", [str(tmp_path / "new")])
        assert page_cache.cached_fraction([str(tmp_path / "new")]) == 0.0

    def test_as_found_touches_nothing(self, files, drops):
        page_cache.bring_to("cold", files[:2])
        page_cache.bring_to("warm", files[2:])
        page_cache.bring_to("as_found", [*files, "/there/is/no/such/file"])
        assert page_cache.cached_fraction(files) == 0.5

    def test_a_mixed_set_is_the_fraction_of_its_pages(self, files, drops):
        page_cache.bring_to("warm", files[:3])
        page_cache.bring_to("cold", files[3:])
        assert page_cache.cached_fraction(files) == 0.75
        assert page_cache.cached_fraction(files[3:]) == 0.0

    def test_looking_changes_nothing(self, files, drops):
        before = [Path(file).stat().st_mtime_ns for file in files]
        for _ in range(2):
            assert page_cache.cached_fraction(files) == 0.0
        assert [Path(file).stat().st_mtime_ns for file in files] == before


class TestUnknown:
    def test_what_the_kernel_will_not_say_of_one_file_is_not_known_of_all(self, files, tmp_path):
        page_cache.bring_to("warm", files)
        assert page_cache.cached_fraction([*files, str(tmp_path / "nowhere")]) is None

    def test_a_file_of_somebody_else_s(self, files, monkeypatch):
        owner = Path(files[0]).stat().st_uid
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        monkeypatch.setattr(os, "access", lambda *_: False)
        assert page_cache.cached_fraction(files) is None

    @pytest.mark.parametrize("failure", [-1, None])
    def test_a_system_without_mincore(self, files, monkeypatch, failure):
        class Library:
            if failure is not None:

                def mincore(self, *_):
                    return failure

        monkeypatch.setattr(page_cache, "_libc", Library())
        assert page_cache.cached_fraction(files) is None

    def test_nothing_to_look_at(self, tmp_path):
        (tmp_path / "empty").write_bytes(b"")
        assert page_cache.cached_fraction([]) is None
        assert page_cache.cached_fraction([str(tmp_path / "empty")]) is None


def test_an_empty_file_counts_for_nothing(files, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    page_cache.bring_to("warm", [*files, str(tmp_path / "empty")])
    assert page_cache.cached_fraction([*files, str(tmp_path / "empty")]) == 1.0


@pytest.mark.parametrize(
    ("fraction", "word"),
    [
        (None, "unknown"),
        (0.0, "cold"),
        (0.05, "cold"),
        (0.06, "unknown"),
        (0.94, "unknown"),
        (0.95, "warm"),
        (1.0, "warm"),
    ],
)
def test_the_word_for_it(fraction, word):
    assert page_cache.state(fraction) == word


def test_files_in_a_bucket_are_left_alone_and_called_remote(files):
    page_cache.bring_to("cold", [*files, "gs://bucket/a"])
    page_cache.bring_to("warm", [*files[:1], "gs://bucket/a"])
    assert page_cache.look_up(["gs://bucket/a", "gs://bucket/b"]) == ("remote", None)
    assert page_cache.look_up(files[:1]) == ("warm", 1.0)
