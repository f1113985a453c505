import random

import pytest

from flowerexp.analysis import interference
from flowerexp.config import plain, typed
from tests.analysis.rows import READ_SPEED, grid, row, table


def config(at_once, **more):
    made = {
        "cluster": {"kind": "local", "name": "local"},
        "measure": {"repetitions": 3, "concurrency": at_once},
        "home": f"/home/{at_once}",
        "repeat": 1,
        "caching": False,
    }
    return typed({**made, "entrypoint": plain(READ_SPEED)} | more)


def slowdowns(runs):
    return interference.slowdowns([(own, table(rows)) for own, rows in runs])


def together(factor, noise=0.05, neighbours=1, seed=1):
    """The same measurements as `grid()`, with contention that slows each down by about a factor."""
    chance = random.Random(seed)
    rows = grid(noise=0)
    for one in rows:
        one["seconds"] *= factor * chance.gauss(1, noise)
    return [one | {"neighbours": neighbours} for one in rows]


def test_the_slowdown_of_each_reader_has_an_interval_that_holds_it():
    found = slowdowns([(config(1), grid()), (config(2), together(1.7)), (config(4), together(3.0, neighbours=3))])
    assert [(one.series, one.at_once, one.pairs) for one in found] == [
        ("image_files", 2, 48),
        ("image_files", 4, 48),
        ("tfrecords", 2, 48),
        ("tfrecords", 4, 48),
    ]
    for one, expected in zip(found, (1.7, 3.0, 1.7, 3.0), strict=True):
        assert one.ratio.low is not None
        assert one.ratio.high is not None
        assert one.ratio.low < expected < one.ratio.high
        assert one.ratio.reach is not None
        assert one.ratio.reach < 0.04
        assert one.neighbours == one.at_once - 1


def test_only_measurements_that_overlapped_are_compared_with_the_same_ones_alone():
    alone = [row(), row(repetition=2, neighbours=1, seconds=9), row(repetition=3)]
    company = [row(seconds=2 * row()["seconds"], neighbours=1), row(repetition=2, neighbours=1), row(repetition=3)]
    (found,) = slowdowns([(config(1), alone), (config(2), company)])
    assert (found.pairs, found.measured, found.ratio.low) == (1, 3, None)
    assert found.ratio.value == pytest.approx(2)


def test_later_executions_do_not_count():
    later = row(execution=2, seconds=99.0, neighbours=1)
    (found,) = slowdowns([(config(1), [row()]), (config(2), [row(neighbours=1), later])])
    assert found.ratio.value == pytest.approx(1)


def test_repeats_pair_among_themselves_and_widen_the_interval_where_they_disagree():
    runs = []
    for repeat, factor in ((1, 1.2), (2, 1.8), (3, 1.5)):
        runs += [(config(1, repeat=repeat), grid()), (config(2, repeat=repeat), together(factor, seed=repeat))]
    found = slowdowns(runs)[0]
    assert found.ratio.value == pytest.approx((1.2 * 1.8 * 1.5) ** (1 / 3), rel=0.03)
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assert found.ratio.low < 1.2
    assert found.ratio.high > 1.8


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [(config(1), grid())],
        [(config(2), together(2)), (config(4), together(3))],
        [(config(1), grid()), (config(2, caching=True), together(2))],
        [(config(1), grid()), (config(2), grid())],  # two were allowed, and never met
    ],
)
def test_without_pairs_there_is_nothing_to_say(runs):
    assert slowdowns(runs) == []
