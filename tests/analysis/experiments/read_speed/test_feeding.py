"""What a report says of accelerators that were fed, from rows whose truth is known."""

from dataclasses import replace

import pytest

from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.experiments.read_speed.feeding import Fed, epochs_until_paid, fed_in
from flowerexp.analysis.report import make_report
from tests.analysis.report.page import Page
from tests.analysis.rows import row, table
from tests.analysis.sweeps import config, write_run

CAPACITY = 1000.0
FACTS = {"accelerator/custom_images_s": CAPACITY, "accelerator/h100_resnet50_images_s": 2000.0}
SIZE, NUMBER = 20, 11


def fed_row(reader, rate, repetition, accelerator="custom", cpu=0.002, cores=4):
    """A measurement in which batches come at a rate, in images/s, after a first one that took a second."""
    capacity = FACTS[f"accelerator/{accelerator}_images_s"]
    given = min(rate, capacity)
    window, busy = SIZE * (NUMBER - 1) / given, SIZE * (NUMBER - 1) / capacity
    return row(reader, SIZE, NUMBER, repetition) | {
        "accelerator": accelerator,
        "seconds": 1 + window,
        "first_batch_seconds": 1.0,
        "accelerator_utilisation": busy / window,
        "accelerator_busy_seconds": busy,
        "accelerator_window_seconds": window,
        "waiting_seconds_per_batch": (window - busy) / (NUMBER - 1),
        "cpu_seconds": cpu * SIZE * (NUMBER - 1),
        "host_cores": cores,
    }


def alone(reader, rate, repetition):
    window = SIZE * (NUMBER - 1) / rate
    return row(reader, SIZE, NUMBER, repetition) | {"seconds": 1 + window, "first_batch_seconds": 1.0}


def rows(rates, reader="tfrecords_native", **more):
    return [fed_row(reader, rate, place + 1, **more) for place, rate in enumerate(rates)]


def only(some):
    (fed,) = fed_in([table(some)], "", FACTS)
    return fed


class TestFed:
    def test_utilisation_is_steps_over_time_and_the_reader_is_the_limit(self):
        fed = only(rows([420, 430, 440]))
        assert fed.utilisation.value == pytest.approx(3 / sum(CAPACITY / rate for rate in (420, 430, 440)))
        assert fed.utilisation.low is not None
        assert fed.utilisation.low < 0.43 < fed.utilisation.high
        assert (fed.limit, fed.reader, fed.accelerator) == ("reader", "tfrecords_native", "custom")
        assert fed.rate.value == pytest.approx(fed.utilisation.value * CAPACITY)
        assert fed.waiting == pytest.approx(sum(SIZE / rate - SIZE / CAPACITY for rate in (420, 430, 440)) / 3)

    def test_a_fast_reader_leaves_the_limit_to_the_accelerator(self):
        fed = only(rows([1500, 1500, 1500]))
        assert (fed.utilisation, fed.limit) == (Interval(1.0, 1.0, 1.0), "accelerator")
        assert fed.node_feeds is None, "how fast the reader is alone was not measured"

    def test_what_is_not_certain_is_open(self):
        assert only(rows([850, 950, 1000])).limit == "open"

    def test_a_node_feeds_as_many_as_the_reader_alone_has_images_for(self):
        some = [*rows([1500, 1500]), *(alone("tfrecords_native", 3500, place) for place in (1, 2))]
        assert only(some).node_feeds == pytest.approx(3.5)

    def test_vcpus_follow_from_the_cpu_of_an_image(self):
        fed = only(rows([430, 430], cpu=0.004, cores=2))
        assert fed.needs_vcpus == pytest.approx(0.9 * CAPACITY * 0.004)
        assert fed.cpu_share == pytest.approx(0.004 * 430 / 2)

    def test_an_epoch_costs_what_it_lasts_and_waiting_is_a_part_of_it(self):
        dollars, idle = only(rows([500, 500])).epoch_dollars(images=1_800_000, usd_hour=3.0)
        assert (dollars, idle) == pytest.approx((3.0, 1.5))

    def test_repeats_of_a_run_are_pooled(self):
        (fed,) = fed_in([table(rows([400])), table(rows([500]))], "", FACTS)
        assert fed.utilisation.low is not None
        assert fed.utilisation.value == pytest.approx(2 / (1000 / 400 + 1000 / 500))


class TestPreparing:
    PREPARED = Fed("tfrecords_native", "custom", "", Interval(0.8, 0.78, 0.82), Interval(800, 780, 820), 1000, 0.0)
    PHOTOGRAPHS = replace(PREPARED, reader="image_files_native", rate=Interval(200, 190, 210))

    def test_is_paid_when_the_seconds_saved_make_up_for_it(self):
        """An epoch of 4,000 images takes 20 s or 5 s: 15 s less."""
        assert epochs_until_paid(self.PREPARED, [self.PREPARED, self.PHOTOGRAPHS], 4000, 100.0) == 7

    def test_is_not_said_where_nothing_is_saved_for_certain(self):
        close = replace(self.PHOTOGRAPHS, rate=Interval(790, 770, 810))
        assert epochs_until_paid(self.PREPARED, [close], 4000, 100.0) is None
        assert epochs_until_paid(self.PREPARED, [replace(self.PHOTOGRAPHS, accelerator="other")], 4000, 1.0) is None
        assert epochs_until_paid(self.PHOTOGRAPHS, [self.PHOTOGRAPHS], 4000, 100.0) is None


@pytest.fixture
def page(tmp_path):
    """`page(rows, storage=...)` is the report of a valid run."""

    def page(some, **varied):
        grid = {"reader": ["tfrecords_native"], "batch_size": [SIZE], "batch_number": [NUMBER]}
        chosen = config({"grid": {**grid, "accelerator": ["custom"]}, **varied})
        return Page(make_report(write_run(tmp_path, chosen, facts=FACTS, rows=some)).paths[0])

    return page


class TestReport:
    def test_says_how_busy_it_was_and_why_in_one_sentence(self, page):
        seen = page(rows([430, 432, 434, 430, 432, 434], cpu=0.0022, cores=1)).text["findings"]
        assert "43% of its time accelerator of the settings is busy with TFRecords, native (43% to 43%)" in seen
        assert "the reader is the limit, and used" in seen
        assert "90% would take 1.98, which is 0.98 more" in seen

    def test_does_not_ask_for_vcpus_that_would_not_help(self, page):
        seen = page(rows([430, 432, 434, 430, 432, 434], cpu=0.0001, cores=8)).text["findings"]
        assert "it waits, so more vCPUs alone would not help" in seen

    def test_has_a_table_and_no_costs_without_a_price(self, page):
        seen = page(rows([430, 432, 434]))
        assert "What an epoch costs is left out" in seen.text["feeding"]
        assert "dollars" not in seen.text["feeding"]

    def test_says_that_a_bucket_is_simulated_wherever_a_rate_is(self, page):
        bucket = {"prepared": "/home/me/data/prepared", "latency_ms": 30.0, "bandwidth_mb_s": 100.0}
        text = page(rows([430, 432, 434]), storage=bucket).text
        said = "the bucket is simulated: 30 ms to the first byte, 100 MB/s together"
        for section in ("findings", "feeding", "runs", "speed"):
            assert said in text[section], section
