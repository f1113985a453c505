"""Changes of level: how rarely they are found where there are none, how surely where there are, and where."""

from __future__ import annotations

import numpy as np
import pytest

from flowerexp.analysis.history.changes import FALSE_ALARMS, LEAST_CORRELATION, LEAST_SIDE, _settled, levels
from tests.analysis.history.rates import STEP, correlated, found, heavy, line, share, wandering, white

LINES = 300


@pytest.mark.parametrize("n", [8, 20, 40])
@pytest.mark.parametrize("noise", [white, correlated(0.3), heavy], ids=["white", "correlated", "heavy"])
def test_noise_alone_is_a_change_in_at_most_one_line_of_twenty(noise, n):
    assert share(found(noise, (n,), LINES)) <= FALSE_ALARMS


def test_a_step_makes_no_further_ones():
    """The promise holds for the whole line: also for what is looked for beside a step that was found."""
    for noise in (white, correlated(0.3)):
        assert share(found(noise, (20, 20), LINES), least=2) <= FALSE_ALARMS


@pytest.mark.slow
def test_a_machine_that_wanders_raises_more_false_alarms():
    """What docs/history.md admits: 1/f noise has levels of its own, the more the longer it is looked at."""
    short, long = (share(found(wandering, (n,), LINES)) for n in (12, 60))
    assert FALSE_ALARMS < long < 0.6
    assert short < long


def test_ten_percent_are_found_in_ten_runs_and_ten():
    answers = found(white, (10, 10), LINES)
    assert share(answers) >= 0.95
    places = np.array([steps[0] for steps in answers if steps])
    assert np.mean(places == 10) > 0.75
    assert np.mean(abs(places - 10) <= 1) > 0.95
    assert share(found(correlated(0.3), (10, 10), LINES)) >= 0.9


def test_a_step_that_is_taken_back_is_found():
    """One split of the whole line would see none: both of its sides have the same mean."""
    answers = found(white, (14, 12, 14), 100)
    assert share(answers) >= 0.8
    assert share(answers, least=2) >= 0.5


def test_the_interval_of_a_ratio_holds_the_true_one():
    chance, held = np.random.default_rng(1), []
    for _ in range(LINES):
        answer = levels([*line(correlated(0.3)(chance, 20), (10, 10))])
        for step in answer.steps if answer else ():
            assert step.ratio.value == pytest.approx(step.after / step.before)
            held.append(step.ratio.low < np.exp(STEP) < step.ratio.high)
    assert np.mean(held) >= 0.93


def test_a_large_step_of_few_points_is_found_where_it_is():
    values = [100, 101, 99.5, 100.4, 80, 80.5, 79.8]
    answer = levels(values)
    assert answer
    (step,) = answer.steps
    assert step.at == 4
    assert (step.before, step.after) == pytest.approx((100.2, 80.1), rel=0.002)
    assert answer.means == pytest.approx((step.before, step.after))
    up = levels([1 / value for value in values])
    assert up
    assert up.steps[0].ratio.value == pytest.approx(1 / step.ratio.value)


def test_one_or_two_points_that_are_off_are_no_level():
    for off in ([17], [9, 10]):
        values = line(white(np.random.default_rng(2), 20))
        values[off] *= 0.5
        answer = levels([*values])
        assert answer
        assert answer.steps == ()


def test_values_that_are_counted_have_no_noise_and_may_change():
    still = levels([7.0] * 8)
    assert still
    assert (still.steps, still.deviation, still.means) == ((), 0.0, (7.0,))
    changed = levels([7.0] * 4 + [8.0] * 4)
    assert changed
    (step,) = changed.steps
    assert (step.at, step.ratio.low, step.ratio.high) == (4, *[pytest.approx(8 / 7)] * 2)


def test_a_step_that_is_moved_does_not_come_near_its_neighbour():
    """Each is moved to where it fits best: here both would be moved to the one step that there is."""
    places = _settled(np.repeat([0.0, 1.0], (11, 19)), [9, 14])
    assert min(np.diff([0, *places, 30])) >= LEAST_SIDE


@pytest.mark.parametrize("values", [[], [1.0] * (2 * LEAST_SIDE - 1), [1, 2, 3, 0, 4, 5, 6], [1, 2, 3, -1, 4, 5, 6]])
def test_too_few_points_and_values_without_a_logarithm_have_no_levels(values):
    assert levels(values) is None


def test_the_same_line_has_the_same_answer():
    values = [*line(correlated(0.7)(np.random.default_rng(3), 30), (15, 15))]
    assert levels(values) == levels(values)


@pytest.mark.slow
def test_neighbours_that_are_alike_are_seen_and_never_taken_for_independent():
    chance = np.random.default_rng(4)
    alike = [levels([*line(correlated(0.8)(chance, 100))]) for _ in range(20)]
    assert np.median([one.correlation for one in alike if one]) > 0.55
    apart = [levels([*line(white(chance, 30))]) for _ in range(20)]
    assert np.median([one.correlation for one in apart if one]) == LEAST_CORRELATION
