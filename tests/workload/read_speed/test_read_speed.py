"""The experiment read_speed: every cell as often as the config says, in random order, and real counts only."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from flowerexp.errors import DataError
from flowerexp.workload import failures
from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Declared, Subject
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.prepared import MANIFEST
from flowerexp.workload.images.preparing import prepare
from flowerexp.workload.read_speed import measuring
from flowerexp.workload.read_speed.readers import READERS, Source
from flowerexp.workload.read_speed.sources import Sources
from tests.workload.conftest import READ_SPEED

# Small images and few files, so that most of the time goes to Spark and TensorFlow.
SMALL = (
    *("preprocess.target_size=[16,24]", "preprocess.shards=3", "entrypoint.settings.page_cache=as_found"),
    *("grid.batch_size=[2,3]", "grid.batch_number=[1,2]", "measure.repetitions=1"),
)


class TestTooFewImages:
    """What happens to cells that need more images than there are."""

    @pytest.fixture
    def prepared(self, monkeypatch):
        """`prepared(config, tfrecords=9)`: a run is prepared whose readers have so many images each."""

        def prepared(config, **available):
            of = {name: Source(name, ["a"], [images], (4, 4)) for name, images in available.items()}
            monkeypatch.setattr(measuring, "sources_of", lambda spark, config: Sources(of, "warm"))
            made = measuring.prepare(None, config)
            config["grid"]["reader"] = list(available)
            return planned(Subject(Declared.of(config, "key"), READ_SPEED, made))

        return prepared

    def test_a_cell_that_needs_all_images_is_measured(self, config, prepared, told):
        assert len(prepared(config("grid.batch_size=[2,5]", "grid.batch_number=[1,2]"), tfrecords=10)) == 4 * 3
        assert "cells_dropped" not in told.facts

    def test_one_image_less_fails_and_names_the_largest_cell(self, config, prepared):
        with pytest.raises(DataError) as caught:
            prepared(config("grid.batch_size=[2,5]", "grid.batch_number=[1,2]"), tfrecords=9)
        message = str(caught.value)
        assert message.startswith("grid")
        assert "batch_size 5 x batch_number 2 needs 10 images, tfrecords has 9" in message
        assert "entrypoint.settings.on_short=drop" in message

    def test_dropped_cells_are_listed(self, config, prepared, told):
        short = ("grid.batch_size=[2,5]", "grid.batch_number=[1,2]", "entrypoint.settings.on_short=drop")
        tasks = prepared(config(*short, "measure.repetitions=2"), image_files=10, tfrecords=9)
        assert Counter(task.cell["reader"] for task in tasks) == {"image_files": 4 * 2, "tfrecords": 3 * 2}
        assert [task.order for task in tasks] == list(range(14))
        assert told.facts["cells_dropped"] == 1
        assert told.notes == [
            "cells left out, since they need more images than there are: reader=tfrecords, batch_size=5, batch_number=2"
        ]

    @pytest.mark.parametrize("on_short", ["drop", "fail"])
    def test_no_cell_left_fails_and_does_not_advise_to_drop_them(self, config, prepared, on_short):
        with pytest.raises(DataError) as caught:
            prepared(config(f"entrypoint.settings.on_short={on_short}"), tfrecords=5)
        assert "needs 96 images, tfrecords has 5" in str(caught.value)
        assert "drop" not in str(caught.value)


@pytest.fixture
def measured(spark, config, photos, read_speed):
    """Run the entrypoint on the photographs with overrides; returns its rows."""

    def measured(*overrides):
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL, *overrides)
        return read_speed(spark, made)

    return measured


@pytest.fixture
def existing(spark, config, photos, tmp_path):
    """A folder of TFRecord files of 16 x 24 pixels that somebody else wrote: without a manifest, and with odd names."""
    made = config("dataset=folder", f"dataset.path={photos}", *SMALL)
    prepared = prepare(spark, made, list_photographs(spark, made))
    folder = tmp_path / "theirs"
    (folder / "deep").mkdir(parents=True)
    for name, file in zip(["a.tfrec", "b.tfrecord", "deep/c.tfrec"], prepared.files, strict=True):
        shutil.copy(file, folder / name)
    (folder / "README.md").write_text("not a TFRecord file")
    assert not (folder / MANIFEST).exists()
    return folder


def damaged(path):
    """Flip a bit of a file; it keeps its size."""
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 4]) + content[-19:])


@pytest.mark.spark
class TestRun:
    def test_counts_what_was_read_and_measures_once_with_caching(self, measured, told):
        rows = measured("caching=true", "measure.repetitions=2")
        assert len(rows) == 2 * 4 * 2
        for row in rows:
            assert row["images"] == row["batch_size"] * row["batch_number"]
            assert row["batches"] == row["batch_number"]
            assert row["first_batch_images"] == row["batch_size"]
            assert 0 < row["first_batch_seconds"] <= row["seconds"]
            assert (row["execution"], row["neighbours"]) == (1, 0)
        assert [row["order"] for row in rows] == list(range(16))
        assert told.facts["measurements"] == told.facts["executions"] == 16
        assert {
            "list",
            "prepare",
            "warm_up",
            "measure",
            "measure.rows",
            "measure.by_batch_size_x_batch_number",
        } <= told.phases.keys()
        json.dumps(rows)

    def test_without_caching_every_action_measures_again(self, measured, told):
        rows = measured("caching=false", "grid.reader=tfrecords")
        assert Counter(row["execution"] for row in rows) == dict.fromkeys(range(1, 6), 4)
        for order in range(4):
            mine = [row for row in rows if row["order"] == order]
            assert [row["execution"] for row in mine] == [1, 2, 3, 4, 5]
            assert mine == sorted(mine, key=lambda row: row["started_ns"])
        assert (told.facts["measurements"], told.facts["executions"]) == (4, 20)

    def test_every_reader_measures_the_same_data(self, measured, told):
        rows = measured(f"grid.reader=[{','.join(READERS)}]")
        assert Counter(row["reader"] for row in rows) == dict.fromkeys(READERS, 4)
        assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in rows)
        assert told.facts["measurements"] == 4 * len(READERS)

    def test_photographs_alone_need_no_tfrecords(self, measured, tmp_path, told):
        rows = measured("grid.reader=image_files")
        assert {row["reader"] for row in rows} == {"image_files"}
        assert len(rows) == 4
        assert not (tmp_path / "data" / "prepared").exists()
        assert told.facts["images_skipped"] == 0

    @pytest.mark.parametrize("reader", ["tfrecords", "tfrecords_native"])
    def test_prepared_data_that_has_rotted_is_mended_and_the_run_goes_on(self, measured, tmp_path, told, reader):
        whole = ("grid.batch_size=40", "grid.batch_number=1", f"grid.reader={reader}")
        measured(*whole)
        path = sorted(tmp_path.glob("data/prepared/*/*.tfrec"))[1]
        before = path.read_bytes()
        damaged(path)
        rows = measured(*whole, "measure.repetitions=2")
        assert [row["images"] for row in rows if row["execution"] == 1] == [40, 40]
        assert len({row["order"] for row in rows}) == 2
        assert path.read_bytes() == before
        assert any(f"the first is {path.name}: record " in note for note in told.notes)
        assert told.facts["prepared_files_mended"] == 1

    def test_what_is_prepared_once_is_reused(self, measured, told):
        measured("grid.reader=tfrecords")
        assert told.facts["prepared_reused"] is False
        measured("grid.reader=tfrecords", "measure.seed=1")
        assert told.facts["prepared_reused"] is True


@pytest.mark.spark
class TestExisting:
    def test_are_measured_without_a_manifest_and_without_photographs(
        self, spark, config, existing, told, tmp_path, read_speed
    ):
        made = config(f"dataset.tfrecords={existing}", "grid.reader=tfrecords", *SMALL)
        rows = read_speed(spark, made)
        assert len(rows) == 4
        assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in rows)
        assert (told.facts["prepared_images"], told.facts["prepared_files"]) == (40, 3)
        assert not (tmp_path / "data" / "generated").exists()

    @pytest.mark.parametrize(
        ("overrides", "hint"),
        [
            (["preprocess.target_size=[24,16]"], "set preprocess.target_size=[16,24]"),
            (["preprocess.target_size=[192,192]"], "set preprocess.target_size=[16,24]"),
        ],
    )
    def test_of_another_size_say_which_to_set(self, spark, config, existing, overrides, hint, read_speed):
        made = config(f"dataset.tfrecords={existing}", "grid.reader=tfrecords", *SMALL, *overrides)
        with pytest.raises(DataError, match=r"are 16 x 24 pixels") as caught:
            read_speed(spark, made)
        assert hint in str(caught.value)

    def test_damage_is_found_before_anything_is_measured(self, spark, config, existing, read_speed):
        file = existing / "b.tfrecord"
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(DataError, match=r"damaged TFRecord file .*b\.tfrecord"):
            read_speed(spark, config(f"dataset.tfrecords={existing}", "grid.reader=tfrecords", *SMALL))

    @pytest.mark.parametrize("reader", ["tfrecords", "tfrecords_native"])
    def test_damage_that_is_met_while_measuring_is_named_as_well(self, spark, config, existing, reader, read_speed):
        file = existing / "b.tfrecord"
        damaged(file)
        whole = ("grid.batch_size=[40]", "grid.batch_number=[1]")
        with pytest.raises(Exception, match="damaged") as caught:
            read_speed(spark, config(f"dataset.tfrecords={existing}", f"grid.reader={reader}", *SMALL, *whole))
        error = failures.explained(caught.value)
        assert type(error) is DataError
        assert f"damaged TFRecord file {file}: record " in error.problem
        assert error.where == "dataset.tfrecords"
        assert "flowerexp did not write it" in str(error)

    def test_what_was_measured_before_a_failure_is_kept(self, spark, config, existing, read_speed):
        damaged(existing / "b.tfrecord")
        many = ("grid.batch_size=[13]", "grid.batch_number=[1]", "measure.repetitions=30")
        rows: list[dict[str, object]] = []
        with pytest.raises(Exception, match="damaged"):
            read_speed(
                spark, config(f"dataset.tfrecords={existing}", "grid.reader=tfrecords_native", *SMALL, *many), rows
            )
        assert 0 < len(rows) < 30
        assert {row["images"] for row in rows} == {13}

    def test_an_example_without_an_image_is_no_traceback(self, spark, config, existing, read_speed):
        from flowerexp.workload.images import tfrecords

        with (existing / "a.tfrec").open("wb") as file:
            tfrecords.write_file(file, [b"no example at all"])
        with pytest.raises(DataError, match=r"a\.tfrec|tf\.train\.Example|image"):
            read_speed(spark, config(f"dataset.tfrecords={existing}", "grid.reader=tfrecords", *SMALL))


@pytest.mark.parametrize("kind", ["nowhere", "empty", "without records", "a file"])
def test_tfrecords_that_are_none_are_refused(spark, config, tmp_path, kind, read_speed):
    path = tmp_path / "theirs"
    if kind == "a file":
        path.write_text("")
    elif kind != "nowhere":
        path.mkdir()
    if kind == "without records":
        (path / "a.tfrec").write_bytes(b"")
        (path / "b.txt").write_bytes(b"records")
    with pytest.raises(DataError, match=r"^dataset\.tfrecords: ") as caught:
        read_speed(spark, config(f"dataset.tfrecords={path}", "grid.reader=tfrecords", *SMALL))
    assert str(path) in str(caught.value)


@pytest.mark.spark
class TestBadFiles:
    @pytest.fixture
    def spoilt(self, photos, tmp_path):
        """The photographs, one of which is a text file."""
        folder = shutil.copytree(photos, tmp_path / "spoilt")
        (Path(folder) / "daisy" / "bad.jpg").write_text("no picture")
        return f"dataset.path={folder}"

    @pytest.mark.parametrize("reader", ["image_files", "tfrecords", "image_files_native"])
    def test_fail(self, measured, spoilt, reader):
        with pytest.raises(DataError, match=r"daisy/bad\.jpg: .*dataset\.on_error=skip"):
            measured(spoilt, f"grid.reader={reader}")

    @pytest.mark.parametrize("reader", ["image_files", "[image_files,tfrecords]"])
    def test_skip(self, measured, spoilt, reader, told):
        whole = ("grid.batch_size=40", "grid.batch_number=1", "dataset.on_error=skip")
        rows = measured(spoilt, f"grid.reader={reader}", *whole)
        assert {row["images"] for row in rows} == {40}
        assert told.facts["images_skipped"] == 1
        assert any("1 files skipped" in note for note in told.notes)

    def test_a_skipped_file_is_not_counted_as_there(self, measured, spoilt):
        with pytest.raises(DataError, match="needs 41 images, image_files has 40"):
            measured(
                spoilt, "grid.reader=image_files", "grid.batch_size=41", "grid.batch_number=1", "dataset.on_error=skip"
            )
