"""The probe of the host's speed: a fixed piece of work beside each measurement, never inside of what is timed."""

import time
import zlib

import pytest

from flowerexp.experiment import RESERVED
from flowerexp.measurements import COLUMNS
from flowerexp.workload import slots
from flowerexp.workload.engine import limit, measurement, probe
from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.measurement import measured
from tests.workload.engine.tiny import declared, workload


@pytest.fixture(autouse=True)
def own_slots(monkeypatch, tmp_path):
    monkeypatch.setattr(slots, "folder", lambda: tmp_path)


@pytest.fixture
def happened(monkeypatch):
    """What happened during a measurement, in order; the first probe takes 2 s and the second one 4 s."""
    happened: list[str] = []

    def probed():
        happened.append("probe")
        return 2.0 * happened.count("probe")

    monkeypatch.setattr(probe, "probe", probed)
    return happened


def row_of(happened, monkeypatch, **changes):
    """The row of a measurement that notes what happens."""

    def ready(prepared, cell):
        happened.append("ready")

    def clocked(work, *_):
        happened.append("clock starts")
        clock = real(work)
        happened.append("clock stops")
        return clock

    real = limit.clocked
    monkeypatch.setattr(measurement, "clocked", clocked)
    subject = Subject(declared(**changes), workload(lambda *_: 1, ready=ready), None)
    return measured(subject, planned(subject)[0])


def test_the_work_is_done_before_and_after_the_clock_and_the_row_has_the_mean(happened, monkeypatch):
    row = row_of(happened, monkeypatch)
    assert happened == ["probe", "ready", "clock starts", "clock stops", "probe"]
    assert row["probe_seconds"] == 3.0


def test_without_it_there_is_no_column(happened, monkeypatch):
    assert "probe_seconds" not in row_of(happened, monkeypatch, probe=False)
    assert "probe" not in happened


def test_it_is_a_known_column():
    assert {*probe.COLUMNS} < {*COLUMNS}
    assert {*probe.COLUMNS} < RESERVED


def test_it_takes_as_long_as_its_work(monkeypatch):
    """The work is done once for each probe, in the thread that measures, and its clock is that of measurements."""
    done: list[int] = []
    monkeypatch.setattr(probe._Work, "do", lambda _: done.append(time.perf_counter_ns()))
    probe.probe()  # the first time, the work is set up and done once more
    before = len(done)
    started = time.perf_counter_ns()
    seconds = probe.probe()
    assert len(done) == before + 1
    assert 0 <= seconds <= (time.perf_counter_ns() - started) / 1e9


def test_the_work_inflates_and_copies_what_it_should():
    work = probe._Work()
    assert bytes(work._target) == work._source
    assert len(work._source) == probe._COPIED_BYTES
    assert len(zlib.decompress(work._packed)) == probe._INFLATED_BYTES
    assert 0.5 < len(work._packed) / probe._INFLATED_BYTES < 0.75  # something to decode, and something to look up
