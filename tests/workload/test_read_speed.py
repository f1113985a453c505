"""Reading speed: every cell as often as asked, in an order by chance, and only what was really read."""

import itertools
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from flowerexp.errors import DataError
from flowerexp.workload import failures, read_speed
from flowerexp.workload.listing import list_photographs
from flowerexp.workload.prepared import MANIFEST
from flowerexp.workload.read_speed import numbered, plan_tasks
from flowerexp.workload.readers import READERS
from flowerexp.workload.write_tfrecords import prepare

PLENTY = {"image_files": 1000, "tfrecords": 1000}
# Small images and few files, so that most of the time goes to Spark and TensorFlow.
SMALL = (
    *("preprocess.target_size=[16,24]", "preprocess.partitions=3", "grid.page_cache=as_found"),
    *("grid.batch_size=[2,3]", "grid.batch_number=[1,2]", "grid.repetitions=1"),
)


def cells(tasks):
    return [(task.reader, task.batch_size, task.batch_number) for task in tasks]


class TestPlanTasks:
    def test_every_cell_once_with_each_reader_in_each_repetition(self, config):
        tasks = plan_tasks(config("grid=notebook"), PLENTY)
        assert [task.order for task in tasks] == list(range(96))
        assert [task.repetition for task in tasks] == [1] * 32 + [2] * 32 + [3] * 32
        expected = set(itertools.product(PLENTY, [2, 4, 6, 8], [3, 6, 12, 18]))
        for start in (0, 32, 64):
            assert set(cells(tasks[start : start + 32])) == expected

    def test_the_order_is_by_chance_and_another_one_in_each_repetition(self, config):
        tasks = plan_tasks(config("grid=notebook"), PLENTY)
        first, second, third = (cells(tasks[start : start + 32]) for start in (0, 32, 64))
        assert first != sorted(first)
        assert first != second != third != first

    def test_the_seed_decides_the_order_and_the_files(self, config):
        one, same, other = (plan_tasks(config(f"grid.seed={seed}"), PLENTY) for seed in (1, 1, 2))
        assert one == same
        assert cells(one) != cells(other)
        assert not {task.seed for task in one} & {task.seed for task in other}

    def test_measurements_read_their_own_files_and_readers_are_compared_on_like_terms(self, config):
        seeds: dict[tuple[int, ...], set[int]] = {}
        for task in plan_tasks(config("grid=notebook"), PLENTY):
            seeds.setdefault((task.batch_size, task.batch_number, task.repetition), set()).add(task.seed)
        assert all(len(of_both) == 1 for of_both in seeds.values())
        assert len(set.union(*seeds.values())) == len(seeds)

    def test_a_cell_that_needs_all_images_is_measured(self, config, told):
        tasks = plan_tasks(config("grid.batch_size=[2,5]", "grid.batch_number=[1,2]"), {"tfrecords": 10})
        assert len(tasks) == 4 * 3
        assert "cells_dropped" not in told.facts

    def test_one_image_less_fails_and_names_the_largest_cell(self, config):
        with pytest.raises(DataError) as caught:
            plan_tasks(config("grid.batch_size=[2,5]", "grid.batch_number=[1,2]"), {"tfrecords": 9})
        message = str(caught.value)
        assert message.startswith("grid")
        assert "batch_size 5 x batch_number 2 needs 10 images, tfrecords has 9" in message
        assert "grid.on_short=drop" in message

    def test_dropped_cells_are_listed(self, config, told):
        overrides = ("grid.batch_size=[2,5]", "grid.batch_number=[1,2]", "grid.on_short=drop", "grid.repetitions=2")
        tasks = plan_tasks(config(*overrides), {"image_files": 10, "tfrecords": 9})
        assert Counter(task.reader for task in tasks) == {"image_files": 4 * 2, "tfrecords": 3 * 2}
        assert [task.order for task in tasks] == list(range(14))
        assert told.facts["cells_dropped"] == 1
        assert "5x2" in told.notes[0]

    @pytest.mark.parametrize("on_short", ["drop", "fail"])
    def test_no_cell_left_fails_and_does_not_advise_to_drop_them(self, config, on_short):
        with pytest.raises(DataError) as caught:
            plan_tasks(config(f"grid.on_short={on_short}"), {"tfrecords": 5})
        assert "needs 96 images, tfrecords has 5" in str(caught.value)
        assert "drop" not in str(caught.value)


def row(order, started, seconds, host="a", started_at=None):
    """A row of a measurement, in whole seconds."""
    return {
        "order": order,
        "host": host,
        "started_ns": started * 10**9,
        "ended_ns": (started + seconds) * 10**9,
        "started_at": started if started_at is None else started_at,
        "execution": 1,
        "neighbours": 0,
    }


class TestNumbered:
    def test_executions_of_a_task_are_numbered_by_their_start(self):
        rows = [row(1, 40, 1), row(0, 30, 1), row(0, 10, 1), row(1, 20, 1), row(0, 50, 1)]
        random.Random(0).shuffle(rows)
        assert [(one["execution"], one["order"], one["started_at"]) for one in numbered(rows)] == [
            (1, 0, 10), (1, 1, 20), (2, 0, 30), (2, 1, 40), (3, 0, 50),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("rows", "neighbours"),
        [
            ([row(0, 0, 5), row(1, 5, 5)], [0, 0]),
            ([row(0, 0, 6), row(1, 5, 5)], [1, 1]),
            ([row(0, 0, 10), row(1, 1, 1), row(2, 3, 1)], [2, 1, 1]),
            ([row(0, 0, 10), row(1, 1, 9), row(2, 2, 1)], [2, 2, 2]),
            ([row(0, 0, 5), row(1, 1, 5), row(2, 5, 5)], [1, 2, 1]),
            ([row(0, 0, 5), row(1, 0, 5, host="b")], [0, 0]),
            ([row(0, 0, 5), row(0, 1, 5)], [1, 1]),
        ],
        ids=["one after the other", "two", "one beside two", "three", "chain", "two hosts", "two executions"],
    )
    def test_neighbours_overlapped_on_the_same_host(self, rows, neighbours):
        found = sorted(numbered(rows), key=lambda one: one["started_ns"])
        assert [one["neighbours"] for one in found] == neighbours

    def test_nothing(self):
        assert numbered([]) == []


@pytest.fixture
def measured(spark, config, photos):
    """Run the entrypoint on the photographs with overrides; returns its rows."""

    def measured(*overrides):
        made = config("dataset=folder", f"dataset.path={photos}", *SMALL, *overrides)
        return list(read_speed.run(spark, made))

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
        rows = measured("caching=true", "grid.repetitions=2")
        assert len(rows) == 2 * 4 * 2
        for one in rows:
            assert one["images"] == one["batch_size"] * one["batch_number"]
            assert one["batches"] == one["batch_number"]
            assert one["first_batch_images"] == one["batch_size"]
            assert 0 < one["first_batch_seconds"] <= one["seconds"]
            assert (one["execution"], one["neighbours"]) == (1, 0)
        assert [one["order"] for one in rows] == list(range(16))
        assert told.facts["measurements"] == told.facts["executions"] == 16
        assert {"list", "prepare", "warm_up", "measure", "measure.rows", "measure.by_product"} <= told.phases.keys()
        json.dumps(rows)

    def test_without_caching_every_action_measures_again(self, measured, told):
        rows = measured("caching=false", "reader=tfrecords")
        assert Counter(one["execution"] for one in rows) == dict.fromkeys(range(1, 6), 4)
        for order in range(4):
            mine = [one for one in rows if one["order"] == order]
            assert [one["execution"] for one in mine] == [1, 2, 3, 4, 5]
            assert mine == sorted(mine, key=lambda one: one["started_ns"])
        assert (told.facts["measurements"], told.facts["executions"]) == (4, 20)

    def test_every_reader_measures_the_same_data(self, measured, told):
        rows = measured(f"reader=[{','.join(READERS)}]")
        assert Counter(one["reader"] for one in rows) == dict.fromkeys(READERS, 4)
        assert all(one["images"] == one["batch_size"] * one["batch_number"] for one in rows)
        assert told.facts["measurements"] == 24

    def test_photographs_alone_need_no_tfrecords(self, measured, tmp_path, told):
        rows = measured("reader=image_files")
        assert {one["reader"] for one in rows} == {"image_files"}
        assert len(rows) == 4
        assert not (tmp_path / "data" / "prepared").exists()
        assert told.facts["images_skipped"] == 0

    @pytest.mark.parametrize("reader", ["tfrecords", "tfrecords_native"])
    def test_prepared_data_that_has_rotted_is_mended_and_the_run_goes_on(self, measured, tmp_path, told, reader):
        whole = ("grid.batch_size=40", "grid.batch_number=1", f"reader={reader}")
        measured(*whole)
        path = sorted(tmp_path.glob("data/prepared/*/*.tfrec"))[1]
        before = path.read_bytes()
        damaged(path)
        rows = measured(*whole, "grid.repetitions=2")
        assert [one["images"] for one in rows if one["execution"] == 1] == [40, 40]
        assert path.read_bytes() == before
        assert any(f"the first is {path.name}: record " in note for note in told.notes)
        assert told.facts["prepared_files_mended"] == 1

    def test_what_is_prepared_once_is_reused(self, measured, told):
        measured("reader=tfrecords")
        assert told.facts["prepared_reused"] is False
        measured("reader=tfrecords", "grid.seed=1")
        assert told.facts["prepared_reused"] is True


@pytest.mark.spark
class TestExisting:
    def test_are_measured_without_a_manifest_and_without_photographs(self, spark, config, existing, told, tmp_path):
        made = config(f"dataset.tfrecords={existing}", "reader=tfrecords", *SMALL)
        rows = list(read_speed.run(spark, made))
        assert len(rows) == 4
        assert all(one["images"] == one["batch_size"] * one["batch_number"] for one in rows)
        assert (told.facts["prepared_images"], told.facts["prepared_files"]) == (40, 3)
        assert not (tmp_path / "data" / "generated").exists()

    @pytest.mark.parametrize(
        ("overrides", "hint"),
        [
            (["preprocess.target_size=[24,16]"], "set preprocess.target_size=[16,24]"),
            (["preprocess.target_size=[192,192]"], "set preprocess.target_size=[16,24]"),
        ],
    )
    def test_of_another_size_say_which_to_set(self, config, existing, overrides, hint):
        made = config(f"dataset.tfrecords={existing}", "reader=tfrecords", *SMALL, *overrides)
        with pytest.raises(DataError, match=r"are 16 x 24 pixels") as caught:
            read_speed.run(None, made)
        assert hint in str(caught.value)

    def test_damage_is_found_before_anything_is_measured(self, config, existing):
        file = existing / "b.tfrecord"
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(DataError, match=r"damaged TFRecord file .*b\.tfrecord"):
            read_speed.run(None, config(f"dataset.tfrecords={existing}", "reader=tfrecords", *SMALL))

    @pytest.mark.parametrize("reader", ["tfrecords", "tfrecords_native"])
    def test_damage_that_is_met_while_measuring_is_named_as_well(self, spark, config, existing, reader):
        file = existing / "b.tfrecord"
        damaged(file)
        whole = ("grid.batch_size=[40]", "grid.batch_number=[1]")
        with pytest.raises(Exception, match="damaged") as caught:
            list(read_speed.run(spark, config(f"dataset.tfrecords={existing}", f"reader={reader}", *SMALL, *whole)))
        error = failures.explained(caught.value)
        assert type(error) is DataError
        assert f"damaged TFRecord file {file}: record " in error.problem
        assert error.where == "dataset.tfrecords"
        assert "flowerexp did not write it" in str(error)

    def test_what_was_measured_before_a_failure_comes_home(self, spark, config, existing):
        damaged(existing / "b.tfrecord")
        many = ("grid.batch_size=[13]", "grid.batch_number=[1]", "grid.repetitions=30")
        rows = read_speed.run(spark, config(f"dataset.tfrecords={existing}", "reader=tfrecords_native", *SMALL, *many))
        home = []
        with pytest.raises(Exception, match="damaged"):  # noqa: PT012
            for one in rows:
                home.append(one)
        assert 0 < len(home) < 30
        assert {one["images"] for one in home} == {13}

    def test_an_example_without_an_image_is_no_traceback(self, config, existing):
        from flowerexp.workload import tfrecords

        with (existing / "a.tfrec").open("wb") as file:
            tfrecords.write_file(file, [b"no example at all"])
        with pytest.raises(DataError, match=r"a\.tfrec|tf\.train\.Example|image"):
            read_speed.run(None, config(f"dataset.tfrecords={existing}", "reader=tfrecords", *SMALL))


@pytest.mark.parametrize("kind", ["nowhere", "empty", "without records", "a file"])
def test_tfrecords_that_are_none_are_refused(config, tmp_path, kind):
    path = tmp_path / "theirs"
    if kind == "a file":
        path.write_text("")
    elif kind != "nowhere":
        path.mkdir()
    if kind == "without records":
        (path / "a.tfrec").write_bytes(b"")
        (path / "b.txt").write_bytes(b"records")
    with pytest.raises(DataError, match=r"^dataset\.tfrecords: ") as caught:
        read_speed.run(None, config(f"dataset.tfrecords={path}", "reader=tfrecords", *SMALL))
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
            measured(spoilt, f"reader={reader}")

    @pytest.mark.parametrize("reader", ["image_files", "[image_files,tfrecords]"])
    def test_skip(self, measured, spoilt, reader, told):
        whole = ("grid.batch_size=40", "grid.batch_number=1", "dataset.on_error=skip")
        rows = measured(spoilt, f"reader={reader}", *whole)
        assert {one["images"] for one in rows} == {40}
        assert told.facts["images_skipped"] == 1
        assert any("1 files skipped" in note for note in told.notes)

    def test_a_skipped_file_is_not_counted_as_there(self, measured, spoilt):
        with pytest.raises(DataError, match="needs 41 images, image_files has 40"):
            measured(spoilt, "reader=image_files", "grid.batch_size=41", "grid.batch_number=1", "dataset.on_error=skip")


@pytest.mark.spark
def test_measurements_that_read_no_image_have_failed(measured, monkeypatch):
    rows = [{**row(number, number, 1), "images": images} for number, images in enumerate((4, 0, 0))]
    monkeypatch.setattr(read_speed, "_measure", lambda *arguments: arguments[-1].add(rows))
    with pytest.raises(DataError, match="2 of 3 measurements read no image at all"):
        measured("reader=image_files")
