"""A large data set is the same whether the executors or the driver list it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.images import deal, distributed, listing
from flowerexp.workload.images.distributed import DistributedListing
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.preparing import prepare
from flowerexp.workload.read_speed import sources

pytestmark = pytest.mark.spark

SMALL = ("preprocess.target_size=[16,24]", "preprocess.shards=5")
CLASSES = ("daisy", "roses!", "roses", "tulips")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four classes of pictures of different sizes, one that has none, and what is not to be found."""
    root = tmp_path_factory.mktemp("photographs")
    for number in range(60):
        path = root / CLASSES[min(number % 7, 3)] / f"{number * 37 % 60:02d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (30 + number * 5, 30), (number, 200, 0)).save(path)
        os.utime(path, ns=(1, 1_000_000_000 + number))
    for copy in range(3):
        shutil.copy2(root / "tulips" / "51.jpg", root / ("tulips", "daisy", "roses")[copy] / f"copy{copy}.jpg")
    (root / "none").mkdir()
    (root / "none" / "notes.txt").write_text("")
    (root / "tulips" / "deep").mkdir()
    for stray in ("loose.jpg", "tulips/deep/1.jpg", "tulips/.2.jpg"):
        (root / stray).write_text("")
    return root


@pytest.fixture
def both(spark, monkeypatch):
    """List a config's data set with the driver, and with executors: in ranges, slices and blocks of a few."""
    monkeypatch.setattr(deal, "BLOCK", 12)
    monkeypatch.setattr(deal, "_FOR_EACH", 1)
    monkeypatch.setattr(distributed, "SLICE", 7)
    monkeypatch.setattr(distributed, "_FIRST", 3)

    def both(config):
        monkeypatch.setattr(listing, "LARGE", 10)
        there = list_photographs(spark, config)
        assert isinstance(there.photographs, DistributedListing)
        return list_photographs(None, config), there

    return both


def facts(found):
    return (found.classes, found.total, list(found.skipped), found.fingerprint, len(found.photographs),
            found.photographs.bytes)  # fmt: skip


def contents(prepared):
    return {Path(uri).name: storage.read_bytes(uri) for uri in prepared.files}


def test_the_same_photographs_and_the_same_files_under_the_same_name(spark, config, both, folder, tmp_path):
    given = config("dataset=folder", f"dataset.path={folder}", *SMALL)
    here, there = both(given)
    assert facts(here) == facts(there)
    assert there.photographs.some(1000, 0) == here.photographs
    assert deal.blocks(len(here.photographs), 5) == 5
    assert there.photographs.deal(5, 0).collect() == deal.dealt(here.photographs, 5, 0)
    first, other = (
        prepare(spark, config("dataset=folder", f"dataset.path={folder}", *SMALL, f"storage.prepared={place}"), found)
        for place, found in ((tmp_path / "one", here), (tmp_path / "other", there))
    )
    assert contents(first) == contents(other)
    assert Path(first.folder).name == Path(other.folder).name
    assert first.manifest["format"] == 4
    assert first.manifest["duplicates"] == other.manifest["duplicates"] == 3
    assert first.manifest["class_records"] == other.manifest["class_records"]
    again = {**given, "storage": {**given["storage"], "prepared": f"{tmp_path}/one"}}
    assert prepare(None, again, there).reused  # what was prepared before is found


def test_samples_and_classes_of_one_s_own(config, both, folder):
    of_folder = ("dataset=folder", f"dataset.path={folder}")
    for more in (("sampling.fraction=0.4",), ("dataset.classes=[tulips,roses]", "dataset.on_error=skip")):
        here, there = both(config(*of_folder, *more))
        assert facts(here) == facts(there)
        assert there.photographs.some(1000, 0) == here.photographs
    with pytest.raises(DataError, match="has a class folder 'daisy' that is not among tulips, roses"):
        both(config(*of_folder, "dataset.classes=[tulips,roses]"))
    with pytest.raises(DataError, match="leaves none"):
        both(config(*of_folder, "sampling.fraction=1e-9"))


def test_some_are_chosen_by_the_seed_and_brought_here(config, both, folder):
    here, there = both(config("dataset=folder", f"dataset.path={folder}"))
    some = there.photographs.some(9, 1)
    assert isinstance(some, Photographs)
    everything = list(here.photographs)
    assert len(some) == 9
    assert list(some) == sorted(some, key=everything.index)
    assert some == there.photographs.some(9, 1) != there.photographs.some(9, 2)


def test_a_bucket_is_listed_by_executors_too(spark, storage_server, bucket, monkeypatch, config, both, folder):
    monkeypatch.setitem(spark.sparkContext.environment, "STORAGE_EMULATOR_HOST", storage_server.host)
    objects = storage_server.store.objects[bucket.removeprefix("gs://")] = {}
    for path in folder.rglob("*.jpg"):
        name = f"photos/{path.relative_to(folder)}"
        objects[name] = {"name": name, "size": str(path.stat().st_size), "md5Hash": name}
    here, there = both(config("dataset=folder", f"dataset.path={bucket}/photos"))
    assert facts(here) == facts(there)
    assert there.photographs.some(1000, 0) == here.photographs
    storage_server.faults = [("prefix=photos/roses/", 403, "No")] * 3  # only executors ask for that
    with pytest.raises(DataError, match=r"photos cannot be read: Permission denied \(No\)"):
        both(config("dataset=folder", f"dataset.path={bucket}/photos"))


def test_photographs_that_are_measured_come_from_it(spark, config, folder, monkeypatch, read_speed):
    monkeypatch.setattr(listing, "LARGE", 10)
    monkeypatch.setattr(sources, "FEWEST", 8)
    given = config(
        *("dataset=folder", f"dataset.path={folder}", "grid.reader=image_files_native", "measure.repetitions=1"),
        *(*SMALL, "grid.batch_size=[2]", "grid.batch_number=[2]", "entrypoint.settings.page_cache=as_found"),
    )
    (row,) = read_speed(spark, given)
    assert row["images"] == 4
