"""An accelerator that is fed is as busy as can be predicted by hand, and the reader works while it computes."""

import itertools
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from flowerexp.config import plain
from flowerexp.workload.read_speed import accelerators, pipeline
from flowerexp.workload.read_speed.feeding import Timeline, feed
from flowerexp.workload.read_speed.readers import Source


def pictures(count):
    return SimpleNamespace(shape=(count, 4, 4, 3))


class TestTimeline:
    """Arithmetic with given times: nothing is waited for."""

    @staticmethod
    def of(ready, step):
        line = Timeline()
        for moment in ready:
            line.take(moment, step)
        return line

    @pytest.mark.parametrize("delay", [0.25, 0.5, 1.0, 2.0, 8.0])
    def test_of_a_reader_with_a_delay_is_what_is_predicted_by_hand(self, delay):
        line = self.of([5 + delay * number for number in range(1, 40)], step=1.0)
        assert line.busy / line.window == pytest.approx(min(1, 1 / max(1, delay)))
        assert line.waited / 38 == pytest.approx(max(0, delay - 1))

    def test_busy_and_waiting_are_all_there_is(self):
        line = self.of([0, 0.1, 0.2, 9, 9.5, 20], step=1.0)
        assert (line.busy, line.waited, line.window) == pytest.approx((5, 15, 20))

    def test_what_came_before_the_first_batch_does_not_count(self):
        late, early = self.of([1000, 1001, 1002], 1.0), self.of([0, 1, 2], 1.0)
        assert late.busy / late.window == early.busy / early.window == 1

    def test_the_step_of_the_last_batch_does_not_count(self):
        assert self.of([3], 1.0).window == 0
        assert self.of([3, 5], 1.0).busy == 1


def delayed(number, seconds, each=10, took=None):
    """Batches that take so long each; how long it was, which a busy machine makes longer, is added to `took`."""
    for _ in range(number):
        started = time.perf_counter()
        time.sleep(seconds)
        if took is not None:
            took.append(time.perf_counter() - started)
        yield pictures(each), None


class TestFeed:
    def test_counts_what_a_reader_does(self):
        sizes = (8, 8, 3)
        fed = feed(((pictures(size), None) for size in sizes), 3, 1e-6)
        assert (fed.images, fed.batches, fed.first_batch_images) == (19, 3, 8)
        assert fed.timeline.busy == pytest.approx(16e-6), "a step takes as long as its images"

    def test_one_batch_says_nothing_of_the_accelerator(self):
        columns = feed([(pictures(4), None)], 1, 0.01).columns
        assert columns["images"] == 4
        assert columns["accelerator_utilisation"] is columns["waiting_seconds_per_batch"] is None

    @pytest.mark.long
    @pytest.mark.parametrize(("delay", "step"), [(0.02, 0.08), (0.08, 0.02), (0.06, 0.03)])
    def test_a_reader_with_a_known_delay_keeps_it_as_busy_as_predicted(self, delay, step):
        took: list[float] = []
        feeds = [feed(delayed(15, delay, took=took), 15, step / 10) for _ in range(5)]
        measured = [one.columns["accelerator_utilisation"] for one in feeds]
        predicted = step / max(step, np.mean(took))
        reach = 2.776 * np.std(measured, ddof=1) / np.sqrt(5)  # Student's, of five repetitions
        # What else a busy machine does makes the reader later: so the truth is rather below.
        assert np.mean(measured) - reach - 0.01 <= predicted <= np.mean(measured) + reach + 0.15 * predicted

    def test_the_reader_works_while_the_accelerator_computes_and_no_further_ahead_than_asked(self, monkeypatch):
        """Each step lasts until two batches are ready and the thread holds one more."""
        number, ahead = 8, 2
        given, more, steps, further = [], threading.Condition(), itertools.count(1), []

        def batches():
            for one in range(number):
                with more:
                    given.append(one)
                    more.notify()
                yield pictures(1), None

        def compute(seconds):
            wanted = min(number, next(steps) + ahead + 1)
            with more:
                assert more.wait_for(lambda: len(given) >= wanted, 60), "it waits for the accelerator"
                further.append(len(given) - wanted)

        monkeypatch.setattr(time, "sleep", compute)
        feed(batches(), number, 1000.0, ahead=ahead)
        assert further == [0] * (number - 1)

    def test_an_error_of_the_reader_is_raised(self):
        def broken():
            yield pictures(1), None
            raise OSError("cut off")

        with pytest.raises(OSError, match="cut off"):
            feed(broken(), 5, 0.001)
        assert not [one for one in threading.enumerate() if one.name == "read ahead"]

    def test_the_thread_ends_with_who_asks(self, monkeypatch):
        def stop(seconds):
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", stop)
        with pytest.raises(KeyboardInterrupt):
            feed(((pictures(1), None) for _ in range(10_000)), 10_000, 1.0)
        assert not [one for one in threading.enumerate() if one.name == "read ahead"]


class TestReaders:
    @pytest.mark.parametrize("name", ["image_files_native", pytest.param("image_files", marks=pytest.mark.long)])
    def test_feed_an_accelerator_with_all_their_images(self, photos, name):
        files = sorted(map(str, photos.glob("*/*.jpg")))
        batches = pipeline.dataset(Source(name, files, [1] * len(files), (32, 32)), files).batch(8).take(5)
        columns = feed(batches, 5, 1e-4).columns
        assert (columns["images"], columns["batches"]) == (40, 5)
        assert 0 < columns["accelerator_utilisation"] <= 1
        assert columns["cpu_seconds"] > 0


class TestAccelerators:
    def test_are_those_that_the_experiment_declares(self, config):
        declared = config()["entrypoint"]["parameters"]["accelerator"]["choices"]
        assert declared == [accelerators.NONE, *accelerators.published(), accelerators.CUSTOM]

    def test_take_a_step_of_their_own_batch(self, told):
        found = accelerators.seconds_an_image(["none", "h100_resnet50", "custom"],
                                              {"accelerator_batch": 20, "accelerator_step_ms": 50})  # fmt: skip
        assert found == pytest.approx({"h100_resnet50": 0.224 / 400, "custom": 0.0025})
        assert told.facts == pytest.approx({"accelerator/h100_resnet50_images_s": 400 / 0.224,
                                            "accelerator/custom_images_s": 400})  # fmt: skip

    def test_each_has_a_source_in_a_dated_file(self):
        for content in accelerators.published().values():
            assert content["source"].startswith("configs/dlio/workload/")
            assert len(content["source"].partition("@")[2]) == 40

    def test_a_custom_one_needs_its_step(self, config):
        from flowerexp.errors import ConfigError

        with pytest.raises(ConfigError, match=r"it is not known how long a step takes; set entrypoint\.settings"):
            config("grid.accelerator=custom")
        assert plain(config("grid.accelerator=custom", "entrypoint.settings.accelerator_step_ms=20"))


@pytest.mark.spark
def test_rows_say_how_busy_each_accelerator_was(spark, config, photos, read_speed):
    rows = read_speed(spark, config("dataset=folder", f"dataset.path={photos}", "grid.reader=[image_files_native]",
        "grid.accelerator=[none,custom]", "entrypoint.settings.accelerator_step_ms=30", "measure.repetitions=1",
        "entrypoint.settings.accelerator_batch=4", "grid.batch_size=[4]", "grid.batch_number=[6]",
        "measure.warm_up_seconds=1"))  # fmt: skip
    fed = {row["accelerator"]: row for row in rows}
    assert "accelerator_utilisation" not in fed["none"]
    assert fed["custom"]["accelerator_busy_seconds"] == pytest.approx(5 * 0.03)
    assert fed["custom"]["seconds"] >= fed["custom"]["accelerator_window_seconds"]
