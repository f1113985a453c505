"""A machine whose speed wanders makes intervals wider, and one that is steady does not."""

from dataclasses import replace

import numpy as np
import pytest

from flowerexp.analysis.estimate import Interval, median_intervals
from flowerexp.analysis.instability import (
    FEWEST_REPETITIONS,
    STEADY,
    Instability,
    instability,
    instability_of,
    widened,
    wider,
)
from flowerexp.experiment import Value
from tests.analysis.rows import READ_SPEED, table

CELLS, NOISE, RATE = 32, 0.12, 500.0


def wandering(chance, length, deviation):
    """1/f noise: white noise whose spectrum is divided by the root of the frequency; of zero mean."""
    spectrum = np.fft.rfft(chance.normal(size=length))
    frequencies = np.arange(len(spectrum))
    spectrum[1:] /= np.sqrt(frequencies[1:])
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, length)
    return deviation * noise / noise.std()


def measured(chance, speeds):
    """Logarithms of rates of a run, of shape (repetitions, cells), on a machine of so many speeds."""
    return np.log(RATE) + np.asarray(speeds)[:, None] + chance.normal(0, NOISE, (len(speeds), CELLS))


def found(logs):
    repetitions, cells = np.indices(logs.shape)
    return instability(logs.ravel(), cells.ravel(), repetitions.ravel())


def test_a_steady_machine_is_seldom_called_unstable():
    chance = np.random.default_rng(0)
    called = [found(measured(chance, np.zeros(24))).deviation > 0 for _ in range(400)]
    assert np.mean(called) < 0.08


def test_it_tells_from_one_run_how_far_the_next_one_differs():
    chance, told, differences = np.random.default_rng(1), [], []
    for _ in range(300):
        speeds = wandering(chance, 24 * 16, 0.06)
        start = 24 * int(chance.integers(0, 14))
        told.append(found(measured(chance, speeds[start : start + 24])).deviation)
        differences.append(speeds[start + 24 : start + 48].mean() - speeds[start : start + 24].mean())
    expected = np.sqrt(np.mean(np.square(differences)) / 2)
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(expected, rel=0.3)


def test_intervals_of_a_run_and_its_repeat_overlap_on_a_machine_that_wanders():
    chance, plain, allowed = np.random.default_rng(2), [], []
    for _ in range(100):
        speeds = wandering(chance, 24 * 16, 0.15)
        ends = []
        for run in (3, 4):
            logs = measured(chance, speeds[24 * run : 24 * (run + 1)])
            middle, low, high, _ = median_intervals(np.exp(logs.T))
            ends.append((low, high, *widened(middle, low, high, found(logs).reach)))
        (a, b, c, d), (e, f, g, h) = ends
        plain.append(np.mean(np.maximum(a, e) <= np.minimum(b, f)))
        allowed.append(np.mean(np.maximum(c, g) <= np.minimum(d, h)))
    assert np.mean(plain) < 0.93
    assert np.mean(allowed) > 0.97


def test_rounds_of_the_noisiest_cells_are_not_the_machine():
    """As `measure.until` makes them: the noisier a cell, the more often it is measured."""
    chance, unsteady = np.random.default_rng(0), 0
    often = {0: (6, 0.02), 1: (8, 0.05), 2: (25, 0.1), 3: (70, 0.2)}
    cells = np.array([cell for cell, (times, _) in often.items() for _ in range(times)])
    repetitions = np.concatenate([np.arange(times) for times, _ in often.values()])
    deviations = np.array([often[cell][1] for cell in cells])
    for _ in range(100):
        unsteady += instability(chance.normal(0, deviations), cells, repetitions).deviation > 0
    assert unsteady <= 5


def test_few_repetitions_or_a_single_cell_say_nothing():
    chance = np.random.default_rng(3)
    jumps = np.repeat([0.0, 1.0], 12)
    assert found(measured(chance, jumps)).deviation > 0.1
    assert found(measured(chance, jumps[10 : 10 + FEWEST_REPETITIONS - 1])) == STEADY
    assert found(measured(chance, jumps)[:, :1]) == STEADY


def test_rows_without_a_rate_or_a_repetition_are_left_out():
    logs = measured(np.random.default_rng(4), np.repeat([0.0, 0.5], 6))
    rows = [
        {"batch_size": cell, "batch_number": 1, "repetition": place, "images": np.exp(value), "seconds": 1.0}
        for place, values in enumerate(logs)
        for cell, value in enumerate(values)
    ]
    silent = [{"batch_size": 1, "batch_number": 1, "repetition": 3, "images": 0, "seconds": 0.0}]
    nameless = [{"batch_size": 1, "batch_number": 1, "images": 8, "seconds": 1.0}]
    of_rates = replace(READ_SPEED, value=Value())
    whole = table([*silent, *rows, *nameless], of_rates)
    assert instability_of(whole).deviation == pytest.approx(found(logs).deviation)
    assert instability_of(table(silent, of_rates)) == STEADY


def test_reaches_add_up_as_squares():
    unstable = Instability(0.1, 10)
    alone = wider(Interval(100.0, 100.0, 100.0), unstable)
    assert alone.low == pytest.approx(100 * np.exp(-unstable.reach))
    both = wider(Interval(100.0, 80.0, 120.0), unstable)
    assert both.low == pytest.approx(100 * np.exp(-np.hypot(np.log(100 / 80), unstable.reach)))
    assert both.high == pytest.approx(100 * np.exp(np.hypot(np.log(120 / 100), unstable.reach)))
    assert wider(Interval(100.0), unstable) == Interval(100.0)
    assert wider(Interval(100.0, 80.0, 120.0), STEADY) == Interval(100.0, 80.0, 120.0)
