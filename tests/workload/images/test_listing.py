"""Listing: which photographs there are, which are sampled, and the class of each."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.errors import DataError
from flowerexp.workload.images import synthetic
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.scan import is_sampled

NAMES = [f"class{number % 5}/{number:05d}.jpg" for number in range(20_000)]


def sampled(fraction, seed=42, names=NAMES):
    return {name for name in names if is_sampled(name, {"fraction": fraction, "seed": seed})}


class TestSampling:
    @given(st.floats(0.02, 1.0), st.integers(0, 2**32))
    def test_the_share_is_about_right(self, fraction, seed):
        names = NAMES[:5000]
        spread = (fraction * (1 - fraction) / len(names)) ** 0.5
        assert abs(len(sampled(fraction, seed, names)) / len(names) - fraction) <= 6 * spread

    @given(st.text(max_size=30), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**64))
    def test_a_larger_fraction_contains_a_smaller_one(self, name, first, other, seed):
        low, high = sorted([first, other])
        if is_sampled(name, {"fraction": low, "seed": seed}):
            assert is_sampled(name, {"fraction": high, "seed": seed})

    @given(st.text(max_size=30), st.integers(0, 2**64))
    def test_all_means_all(self, name, seed):
        assert is_sampled(name, {"fraction": 1.0, "seed": seed})

    def test_the_same_files_every_time_on_every_machine(self):
        # Another hash would silently pick other files under the same config.
        assert sorted(sampled(0.0003)) == ["class0/16800.jpg", "class1/12741.jpg"]

    def test_another_seed_picks_others(self):
        first, other = sampled(0.1, seed=1), sampled(0.1, seed=2)
        assert len(first & other) < 0.5 * len(first)

    def test_a_file_s_fate_does_not_depend_on_the_others(self):
        assert sampled(0.1, names=NAMES[::2]) == sampled(0.1) & set(NAMES[::2])

    def test_at_least_so_many_are_those_that_a_larger_fraction_has(self, folder, listed):
        path = folder(*(f"{name}/{number:03d}.jpg" for name in "abc" for number in range(100)))
        few = listed(path, "sampling=smoke", "sampling.least=0").photographs
        filled = listed(path, "sampling=smoke", "sampling.least=60")
        more = listed(path, "sampling.fraction=0.3").photographs  # 90 or so
        names = [photograph.relative for photograph in filled.photographs]
        assert len(few) < 60 == len(names)
        assert names == sorted(names)
        assert {photograph.relative for photograph in few} < set(names)
        assert set(names) < {photograph.relative for photograph in more}
        assert filled.total == 300

    def test_at_least_so_many_changes_no_large_sample_and_takes_no_more_than_there_are(self, folder, listed):
        path = folder(*(f"a/{number:03d}.jpg" for number in range(50)))
        half = listed(path, "sampling.fraction=0.5")
        assert listed(path, "sampling.fraction=0.5", "sampling.least=10").photographs == half.photographs
        assert len(listed(path, "sampling=smoke").photographs) == 50

    def test_a_smoke_sample_of_a_small_set_is_enough_for_the_ready_made_grids(self, config, tmp_path):
        for number in range(200):
            path = tmp_path / "few" / "a" / f"{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for grid in ("quick", "notebook"):
            made = config("dataset=folder", f"dataset.path={tmp_path}/few", "sampling=smoke", f"grid={grid}")
            needed = max(made["grid"]["batch_size"]) * max(made["grid"]["batch_number"])
            assert len(list_photographs(None, made).photographs) >= needed


@pytest.fixture
def folder(tmp_path):
    """Make files by their relative names, each holding its name; returns the folder."""

    def make(*names):
        for name in names:
            path = tmp_path / "photographs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return tmp_path / "photographs"

    (tmp_path / "photographs").mkdir()
    return make


@pytest.fixture
def listed(config):
    """List a folder with overrides."""

    def listed(path, *overrides):
        return list_photographs(None, config("dataset=folder", f"dataset.path='{path}'", *overrides))

    return listed


def labels(listing):
    return {photograph.relative: photograph.label for photograph in listing.photographs}


class TestClasses:
    def test_are_the_sorted_names_of_the_folders(self, folder, listed):
        listing = listed(folder("tulips/1.jpg", "daisy/1.jpg", "Roses/1.jpg"))
        assert listing.classes == ["Roses", "daisy", "tulips"]
        assert labels(listing) == {"Roses/1.jpg": 0, "daisy/1.jpg": 1, "tulips/1.jpg": 2}

    def test_may_be_given_in_an_order_of_one_s_own(self, folder, listed):
        path = folder("tulips/1.jpg", "daisy/1.jpg")
        assert labels(listed(path, "dataset.classes=[tulips,roses,daisy]")) == {"daisy/1.jpg": 2, "tulips/1.jpg": 0}

    def test_a_class_has_its_number_also_when_none_of_it_is_sampled(self, folder, listed):
        path = folder(*(f"{name}/{number}.jpg" for name in "abc" for number in range(30)))
        everything = labels(listed(path))
        few = listed(path, "sampling.fraction=0.03")
        assert 0 < len(few.photographs) < 20
        assert few.total == 90
        assert labels(few).items() <= everything.items()
        assert few.classes == ["a", "b", "c"]

    def test_an_unknown_one_fails_and_is_named(self, folder, listed):
        with pytest.raises(DataError) as caught:
            listed(folder("daisy/1.jpg", "dasiy/2.jpg"), "dataset.classes=[daisy,roses]")
        message = str(caught.value)
        assert message.startswith("dataset.classes: ")
        assert "'dasiy'" in message
        assert "did you mean 'daisy'?" in message
        assert "dataset.on_error=skip" in message

    def test_an_unknown_one_is_left_out_and_listed_never_taken_for_the_first(self, folder, listed):
        path = folder("daisy/1.jpg", "weeds/2.jpg", "roses/3.jpg")
        listing = listed(path, "dataset.classes=[daisy,roses]", "dataset.on_error=skip")
        assert labels(listing) == {"daisy/1.jpg": 0, "roses/3.jpg": 1}
        assert [photograph.relative for photograph in listing.skipped] == ["weeds/2.jpg"]
        assert "weeds" in listing.skipped[0].reason


class TestLayout:
    def test_photographs_in_class_folders_are_found_in_the_order_of_their_names(self, folder, listed, told):
        path = folder("b/2.JPG", "b/1.jpeg", "a/3.jpg", "a/notes.txt", "a/deep/4.jpg", "loose.jpg", "a/5.png",
                      ".thumbnails/6.jpg", "a/.7.jpg", "a/8.jpg.part")  # fmt: skip
        listing = listed(path)
        names = ["a/3.jpg", "a/5.png", "b/1.jpeg", "b/2.JPG"]
        assert [photograph.relative for photograph in listing.photographs] == names
        first = listing.photographs[0]
        assert isinstance(first, Photograph)
        assert (Path(first.uri), first.size) == (path / "a" / "3.jpg", len("a/3.jpg"))
        assert told.facts["images_found"] == told.facts["images"] == 4
        assert told.facts["bytes"] == sum(photograph.size for photograph in listing.photographs)
        assert told.phases.keys() == {"list"}

    @pytest.mark.parametrize(
        ("names", "problem"),
        [
            ([], "no photographs in"),
            (["notes.txt", "a/readme.md", ".hidden/1.jpg"], "no photographs in"),
            (["1.jpg", "2.jpg"], "has 2 photographs but no class folders"),
            (["a/b/1.jpg"], "no class folders"),
        ],
    )
    def test_what_is_missing_is_said(self, folder, listed, names, problem):
        with pytest.raises(DataError, match=problem) as caught:
            listed(folder(*names))
        assert str(caught.value).startswith("dataset.path: ")
        assert "expected CLASS/*.jpg below it" in str(caught.value)

    def test_a_path_that_is_not_there(self, tmp_path, listed):
        with pytest.raises(DataError, match=r"dataset\.path: .*nowhere does not exist; check the path"):
            listed(tmp_path / "nowhere")

    def test_a_path_that_is_a_file(self, tmp_path, listed):
        (tmp_path / "a.jpg").write_text("")
        with pytest.raises(DataError, match="is a file"):
            listed(tmp_path / "a.jpg")

    def test_a_sample_of_nothing(self, folder, listed):
        with pytest.raises(DataError, match=r"sampling\.fraction: sampling 1e-06 of 1 photographs leaves none"):
            listed(folder("a/1.jpg"), "sampling.fraction=1e-6")


class TestFingerprint:
    @pytest.fixture
    def path(self, folder):
        path = folder("a/1.jpg", "a/2.jpg", "b/3.jpg")
        for file in path.rglob("*.jpg"):
            os.utime(file, ns=(1, 1_000_000_000))
        return path

    def test_is_the_same_for_the_same_files(self, path, listed):
        assert listed(path).fingerprint == listed(path).fingerprint

    def test_does_not_depend_on_the_folder_s_place(self, path, listed):
        before = listed(path).fingerprint
        assert listed(path.rename(path.with_name("elsewhere"))).fingerprint == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: (path / "a/1.jpg").write_text("a/1.jpg."),
            lambda path: os.utime(path / "a/1.jpg", ns=(1, 1_000_000_001)),
            lambda path: (path / "a/1.jpg").rename(path / "a/0.jpg"),
            lambda path: (path / "a/1.jpg").rename(path / "b/1.jpg"),
            lambda path: (path / "a/1.jpg").unlink(),
            lambda path: (path / "b").rename(path / "c"),
            lambda path: (path / "a/4.jpg").write_text("a/4.jpg"),
        ],
        ids=["size", "time", "name", "class", "removed", "folder", "added"],
    )
    def test_changes_with_the_files(self, path, listed, change):
        before = listed(path).fingerprint
        change(path)
        assert listed(path).fingerprint != before

    def test_changes_with_the_classes_order_since_labels_do(self, path, listed):
        assert listed(path, "dataset.classes=[a,b]").fingerprint != listed(path, "dataset.classes=[b,a]").fingerprint

    def test_does_not_change_with_what_is_no_photograph(self, path, listed):
        before = listed(path).fingerprint
        (path / "a" / "notes.txt").write_text("")
        assert listed(path).fingerprint == before


@pytest.mark.spark
class TestSynthetic:
    def test_is_generated_once_and_found_again(self, spark, config, told):
        made = config("dataset.images=12")
        first = list_photographs(spark, made)
        assert len(first.photographs) == first.total == 12
        for index in range(12):
            relative, content = synthetic.photograph(index, 0)
            (file,) = (
                photograph.uri for photograph in first.photographs.some(12, 0) if photograph.relative == relative
            )
            assert Path(file).read_bytes() == content
        assert "generate" in told.phases
        assert "generated 12 photographs" in told.notes[0]
        again = list_photographs(None, made)  # without Spark, so it cannot be generated
        assert again == first

    def test_its_fingerprint_is_the_same_on_another_day(self, spark, config):
        first = list_photographs(spark, config("dataset.images=6"))
        for photograph in first.photographs.some(6, 0):
            os.utime(photograph.uri, ns=(1, 1))
        assert list_photographs(None, config("dataset.images=6")).fingerprint == first.fingerprint

    def test_one_that_is_not_complete_is_completed(self, spark, config):
        first = list_photographs(spark, config("dataset.images=6"))
        root = Path(first.photographs.some(6, 0)[0].uri).parents[1]
        (root / "complete.json").unlink()
        Path(first.photographs.some(6, 0)[0].uri).unlink()
        assert list_photographs(spark, config("dataset.images=6")).fingerprint == first.fingerprint

    @pytest.mark.parametrize("override", ["dataset.seed=1", "dataset.images=7"])
    def test_others_lie_elsewhere(self, spark, config, override):
        first = list_photographs(spark, config("dataset.images=6"))
        other = list_photographs(spark, config("dataset.images=6", override))
        assert not {photograph.uri for photograph in first.photographs.some(7, 0)} & set(
            other.photographs.some(7, 0).uris
        )
        assert first.fingerprint != other.fingerprint
