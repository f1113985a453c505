"""Where the time of an image goes: a line for each reader, what limits it, and how far it is from its floor."""

from types import SimpleNamespace

from flowerexp.analysis.experiments.read_speed import steps
from tests.analysis.rows import READ_SPEED

NATIVE = {"open": 1, "read": 9, "decode": 80, "batch": 5, "hand_over": 5, "whole": 100, "floor": 4}


def material(*facts):
    runs = [SimpleNamespace(facts=one) for one in facts]
    return SimpleNamespace(measured=runs, experiment=READ_SPEED, label=lambda name: name)


def of(reader, found):
    return {f"step/{reader}/{name}": value for name, value in found.items()}


def test_a_line_and_a_sentence_for_each_reader():
    found = steps.section(
        material({"images": 7, **of("tfrecords_native", NATIVE), **of("tfrecords", {"whole": 50, "floor": 5})})
    )
    assert "tfrecords_native is limited by the step decode: 80% of 100 µs an image, 25 times its floor." in found.text
    assert "tfrecords takes 50 µs an image, 10 times its floor; its steps are not separable." in found.text
    (table,) = found.tables
    lines = {line[0]: line[1:] for line in table.rows}
    assert lines["tfrecords_native"] == ["1", "9", "80", "-", "5", "5", "100", "4", "25 ×"]
    assert lines["tfrecords"] == [*["not separable"] * 6, "50", "5", "10 ×"]
    assert len(found.pictures) == 1


def test_the_last_run_that_looked_counts_and_without_one_there_is_no_section():
    later = {**NATIVE, "decode": 30, "whole": 50}
    known = steps.steps_of(material(of("tfrecords_native", NATIVE), of("tfrecords_native", later), {"images": 1}))
    assert known == {"tfrecords_native": later}
    assert not steps.section(material({"images": 1}))
