"""Examining: damaged, unusual and duplicate photographs are reported, and the config's rules decide about them."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from flowerexp.errors import DataError, MachineError
from flowerexp.workload.images import decoded, transform
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.inspection import LIST, Inspection, report_entries
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.preparing import prepare
from flowerexp.workload.read_speed import pipeline, sources
from flowerexp.workload.read_speed.readers import READERS, Source
from flowerexp.workload.write_shards import writing
from tests.workload.images.test_decoded import damaged, turned
from tests.workload.images.test_left_out import ODD
from tests.workload.images.test_transform import noise, saved

# The photographs' names and classes go through all formats in the same way: one stands for all.
BY_NAME = [name for name, reader in READERS.items() if reader.data in ("image_files", "tfrecords")]
PICTURE = Image.fromarray(noise(40, 60))
JPEG = saved(PICTURE, "JPEG", quality=95)
CONTENTS = {
    "good": JPEG,
    "damaged": damaged(JPEG),
    "truncated": JPEG[: len(JPEG) // 2],
    "empty": b"",
    "webp": saved(PICTURE, "WEBP"),
    "tiff": saved(PICTURE, "TIFF"),
    "bmp": saved(PICTURE, "BMP"),
    "animated": saved(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
    "gif": saved(PICTURE, "GIF"),
    "png": saved(PICTURE, "PNG"),
    "turned": turned("JPEG", 6),
    "strip": saved(Image.fromarray(noise(1, 40_000)), "JPEG"),
}
FOREIGN = ["animated", "bmp", "tiff", "webp"]
SMALL = (
    *(
        "preprocess.target_size=[16,24]",
        "preprocess.shards=3",
        "entrypoint.settings.page_cache=as_found",
        "measure.repetitions=1",
    ),
    *("grid.batch_size=[1]", "grid.batch_number=[2]"),
)


def examined(names, **rules):
    """What is found in pictures of those names."""
    inspection = Inspection()
    examiner = Examiner(
        **{"on_error": "skip", "on_warning": "keep", "orientation": "stored", "target_size": (16, 24), **rules}
    )
    pixels = {}
    for name in names:
        content = CONTENTS.get(name, FileNotFoundError(2, os.strerror(2)))
        pixels[name] = examiner.decode(Photograph(f"/p/{name}", name, 0, 1, ""), content, inspection)
    return pixels, inspection


def names(found):
    return [photograph.relative for photograph in found]


class TestRules:
    def test_everything_is_told_once(self):
        pixels, inspection = examined([*CONTENTS, "gone", "good"])
        assert names(inspection.skipped) == ["truncated", "empty", "gone"]
        assert sorted(names(inspection.foreign)) == FOREIGN
        assert names(inspection.warned) == ["damaged"]
        assert inspection.turned == (1, "turned")
        assert inspection.narrow == (1, "strip")
        assert inspection.entries["duplicates"] == 1
        assert not inspection.fatal
        assert [name for name, found in pixels.items() if found is None] == ["truncated", "empty", "gone"]

    @pytest.mark.parametrize("on_error", ["skip", "fail"])
    def test_a_damaged_one_is_skipped_whatever_is_done_about_bad_ones(self, on_error):
        pixels, inspection = examined(["good", "damaged"], on_warning="skip", on_error=on_error)
        assert pixels["damaged"] is None
        assert names(inspection.skipped) == ["damaged"]
        assert "damaged, though it can be decoded: Corrupt JPEG data" in inspection.skipped[0].reason
        inspection.raise_problem()

    def test_or_ends_the_run_and_says_how_to_go_on(self):
        _, inspection = examined(["good", "damaged"], on_warning="fail")
        with pytest.raises(DataError, match=r"dataset: damaged: damaged, though .* dataset\.on_warning=skip .*keep"):
            inspection.raise_problem()

    def test_bad_ones_end_the_run_and_are_counted(self):
        _, inspection = examined(["truncated", "empty", "good"], on_error="fail")
        with pytest.raises(DataError, match=r"empty: empty file \(and 1 more files so far\); .*on_error=skip"):
            inspection.raise_problem()

    def test_a_bucket_that_does_not_answer_is_no_fault_of_a_photograph(self):
        photograph = Photograph("gs://b/a.jpg", "a.jpg", 0, 1, "")
        with pytest.raises(MachineError, match="reading"):
            Examiner("skip", "keep", "stored", (8, 8)).decode(photograph, PermissionError(13, "No"), Inspection())

    @pytest.mark.parametrize(("orientation", "shape"), [("stored", (20, 30, 3)), ("exif", (30, 20, 3))])
    def test_orientation(self, orientation, shape):
        assert examined(["turned"], orientation=orientation)[0]["turned"].shape == shape

    def test_accounts_are_put_together_in_the_order_of_the_names(self):
        inspections = [examined([name, "good"])[1] for name in ("truncated", "turned", "empty")]
        whole = Inspection.of(inspections)
        assert names(whole.skipped) == ["empty", "truncated"]
        assert (whole.turned, whole.entries["duplicates"]) == ((1, "turned"), 2)


class TestTold:
    def test_with_counts_names_and_what_to_do(self, told):
        _, inspection = examined([*CONTENTS, "good"])
        report_entries(inspection.entries, "stored", "gs://b/manifest.json")
        assert told.notes == [
            "2 files skipped, listed in gs://b/manifest.json; the first is truncated: truncated JPEG",
            "1 photographs are damaged, but kept (dataset.on_warning=skip leaves such files out), listed in "
            "gs://b/manifest.json; the first is damaged: " + inspection.warned[0].reason,
            "1 photographs have an EXIF orientation, which is not applied (preprocess.orientation=exif does), "
            "such as turned",
            "1 photographs have the same content as another one, and are kept",
        ]
        facts = {"images_skipped": 2, "images_with_warnings": 1, "images_turned": 1, "images_duplicate": 1}
        assert told.facts == facts
        assert not told.attached

    def test_where_there_is_no_manifest_a_file_lists_them(self, told):
        _, inspection = examined([*CONTENTS])
        report_entries(inspection.entries, "exif")
        listed = json.loads(told.attached[LIST])
        assert [photograph["relative"] for photograph in listed["warnings"]] == ["damaged"]
        assert "which is applied" in told.notes[2]

    def test_nothing_odd_is_nothing_told(self, told):
        report_entries(examined(["good", "png"])[1].entries, "stored")
        assert not told.notes
        assert not told.attached


@pytest.mark.parametrize("name", [name for name in CONTENTS if name not in ("truncated", "empty")])
@pytest.mark.slow
def test_what_the_check_says_of_the_reader_is_what_the_reader_does(name, tmp_path):
    """Of each kind of file, tf.data's reader reads it if and only if the check says so."""
    path = tmp_path / "a" / "1.jpg"
    path.parent.mkdir()
    path.write_bytes(CONTENTS[name])
    source = Source("image_files", [str(path)], [1], (16, 24), narrow=name == "strip")
    _, inspection = examined([name])
    if inspection.foreign:
        with pytest.raises(Exception, match=r"decode|Unknown|rank|shape|dimension|Slice|frames"):
            list(pipeline.dataset(source, source.files).as_numpy_iterator())
        return
    ((image, label),) = pipeline.dataset(source, source.files).as_numpy_iterator()
    assert label == b"a"
    expected = transform.resize_and_crop(transform.decode(CONTENTS[name]), 16, 24, exact=True)
    assert np.abs(image.astype(int) - expected).mean() < 3


@pytest.fixture
def folder(tmp_path):
    """Six good photographs; `folder(name, ...)` adds others to them, all under names in .jpg."""

    def folder(*more):
        root = tmp_path / "p"
        for number in range(6):
            path = root / f"class{number % 2}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved(Image.fromarray(noise(40, 60, number)), "JPEG"))
        for name in more:
            (root / "class0" / f"{name}.jpg").write_bytes(CONTENTS[name])
        return root

    return folder


@pytest.mark.spark
class TestRuns:
    @pytest.mark.parametrize("readers", ["image_files", "[tfrecords,image_files]"])
    def test_what_a_reader_cannot_read_is_refused_by_name_before_it_is_measured(
        self, spark, config, folder, readers, read_speed
    ):
        made = config("dataset=folder", f"dataset.path={folder('webp')}", f"grid.reader={readers}", *SMALL)
        with pytest.raises(
            DataError, match=r"^grid\.reader: class0/webp\.jpg: a WEBP picture, which image_files cannot"
        ) as caught:
            read_speed(spark, made)
        assert "grid.reader=image_files_native" in str(caught.value)

    def test_or_left_out_for_that_reader_and_counted(self, spark, config, folder, told, read_speed):
        given = ("dataset=folder", f"dataset.path={folder('webp', 'tiff', 'gif')}", "dataset.on_error=skip", *SMALL)
        made = config(*given, "grid.reader=[image_files,tfrecords,image_files_native]")
        found = sources.sources_of(spark, made).of
        assert {name: source.images for name, source in found.items()} == {
            "tfrecords": 9, "image_files": 7, "image_files_native": 9,
        }  # fmt: skip
        assert any(note.startswith("2 files left out for image_files; the first is class0/tiff") for note in told.notes)
        assert {row["images"] for row in read_speed(spark, made)} == {2}

    def test_damaged_ones_are_kept_counted_and_listed_or_skipped(self, spark, config, folder, told):
        root = folder("damaged")
        given = ("dataset=folder", f"dataset.path={root}", *SMALL)
        kept, skipped, stopped = (config(*given, f"dataset.on_warning={rule}") for rule in ("keep", "skip", "fail"))
        made = prepare(spark, kept, list_photographs(spark, kept))
        assert (made.records, [photograph["relative"] for photograph in made.manifest["warnings"]]) == (
            7,
            ["class0/damaged.jpg"],
        )
        assert told.facts["images_with_warnings"] == 1
        other = prepare(spark, skipped, list_photographs(spark, skipped))
        assert (other.records, [photograph["relative"] for photograph in other.manifest["skipped"]]) == (
            6,
            ["class0/damaged.jpg"],
        )
        assert other.folder != made.folder
        with pytest.raises(DataError, match=r"class0/damaged\.jpg: damaged.*dataset\.on_warning=skip"):
            prepare(spark, stopped, list_photographs(spark, stopped))

    def test_orientation_turns_what_is_prepared_and_what_is_read(self, spark, config, folder, told):
        shutil.rmtree(root) if (root := folder()).exists() else None
        (root / "a").mkdir(parents=True)
        (root / "a" / "1.jpg").write_bytes(CONTENTS["turned"])
        seen = {}
        for orientation in ("stored", "exif"):
            made = config("dataset=folder", f"dataset.path={root}", f"preprocess.orientation={orientation}",
                          "grid.reader=[tfrecords_native,image_files_native,image_files_cached]", *SMALL)  # fmt: skip
            for reader, source in sources.sources_of(spark, made).of.items():
                ((batch, _),) = pipeline.dataset(source, source.files).batch(1).take(1)
                seen[orientation, reader] = batch[0].astype(int)
        picture = transform.decode(CONTENTS["turned"])
        for orientation, pixels in (("stored", picture), ("exif", decoded.upright(picture, 6))):
            expected = transform.resize_and_crop(pixels, 16, 24)
            for reader in ("tfrecords_native", "image_files_native", "image_files_cached"):
                assert np.abs(seen[orientation, reader] - expected).mean() < 4
        assert told.facts["images_turned"] == 1

    @pytest.mark.long
    def test_a_strip_is_prepared_and_read_by_every_reader(self, spark, config, folder, read_speed):
        made = config("dataset=folder", f"dataset.path={folder('strip')}", f"grid.reader=[{','.join(BY_NAME)}]",
                      *SMALL, "grid.batch_size=[7]", "grid.batch_number=[1]",
                      "preprocess.target_size=[192,192]")  # fmt: skip
        assert {row["images"] for row in read_speed(spark, made)} == {7}

    def test_names_of_all_kinds_go_through_every_reader(self, spark, config, tmp_path, told, read_speed):
        count = 0
        for number, name in enumerate(ODD):
            for path in (f"{name}/{number}.jpg", f"plain/{name}.jpg"):
                (tmp_path / "p" / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / "p" / path).write_bytes(saved(Image.fromarray(noise(40, 60, count)), "JPEG"))
                count += 1
        made = config("dataset=folder", f"dataset.path={tmp_path}/p", f"grid.reader=[{','.join(BY_NAME)}]",
                      *SMALL, f"grid.batch_size=[{count}]", "grid.batch_number=[1]")  # fmt: skip
        rows = read_speed(spark, made)
        assert len({row["reader"] for row in rows}) == len(BY_NAME)
        assert {row["images"] for row in rows} == {count}
        for source in sources.sources_of(spark, made).of.values():
            labels = [
                label for _, some in pipeline.dataset(source, source.files).batch(count).take(1) for label in some
            ]
            expected = sorted([*ODD, *["plain"] * len(ODD)])
            if source.reader.startswith("image_files"):
                found = [label if isinstance(label, bytes) else label.numpy() for label in labels]
                assert sorted(map(os.fsdecode, found)) == expected
            else:
                classes = sorted({*ODD, "plain"})
                assert sorted(classes[int(label)] for label in labels) == expected
        list(writing.run(spark, made))
        assert told.attached["contact_sheet.jpg"]

    def test_a_bad_file_of_any_name_is_shown_in_one_line(self, spark, config, tmp_path):
        (tmp_path / "p" / "a\nb").mkdir(parents=True)
        (tmp_path / "p" / "a\nb" / "\udcff.jpg").write_bytes(b"no picture")
        made = config("dataset=folder", f"dataset.path={tmp_path}/p", *SMALL)
        with pytest.raises(DataError) as caught:
            prepare(spark, made, list_photographs(spark, made))
        assert r"a\nb/\xff.jpg: not an image" in str(caught.value)
        str(caught.value).encode()
