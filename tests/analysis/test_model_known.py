"""Do 95 % intervals hold in 95 of 100 cases? Of coefficients, of cells that were not measured, of new measurements."""

from collections import Counter

import numpy as np
import pytest

from flowerexp.analysis.model.fitting import fit_model
from tests.analysis import simulated
from tests.analysis.simulated import COEFFICIENTS, PRODUCTS, Noise, grid, rows, seconds

pytestmark = pytest.mark.slow

UNSEEN = 7
"""The cell that is predicted without having been measured."""


def coverage(noise: Noise, simulations: int, repetitions: int, misfit: float = 0.0) -> dict[str, float]:
    """How often each interval holds the truth.

    Args:
        noise: of measurements.
        simulations: how many runs.
        repetitions: of each cell.
        misfit: how far cells lie off the model, as a share.
    """
    chance, whole = np.random.default_rng(5), grid(repetitions)
    cells = np.arange(len(whole["size"])) // repetitions
    seen = cells != UNSEEN
    unseen = {name: column[~seen][:1] for name, column in whole.items()}
    known = {name: column[seen] for name, column in whole.items()}
    held: Counter[str] = Counter()
    plain = 0
    for _ in range(simulations):
        true = seconds(whole) * np.exp(chance.normal(0, misfit, int(cells.max()) + 1))[cells]
        deviation = noise(chance, true, cells)
        values = np.maximum(true + deviation * chance.normal(size=len(true)), 1e-6)
        model = fit_model("seconds", "s", rows(known, values[seen]), PRODUCTS)
        assert model is not None
        if model.scale == "plain":  # the truth is; now and then cross-validation finds another form as good
            plain += 1
            found = model.coefficients
            held.update({name: _holds(found[name], truth) for name, truth in COEFFICIENTS.items()})
        place = int(chance.integers(np.count_nonzero(seen)))
        for name, cell, at in (("unseen", unseen, ~seen), ("seen", _row(known, place), seen)):
            own, spread = (values[at][0 if name == "unseen" else place] for values in (true, deviation))
            (predicted,) = model.predict(cell)
            held[f"{name} mean"] += _holds(predicted.mean, own)
            held[f"{name} one"] += _holds(predicted.one, own + spread * chance.normal())
    assert plain > 0.9 * simulations
    return {name: count / (plain if name in COEFFICIENTS else simulations) for name, count in held.items()}


def _row(columns, place):
    return {name: column[place : place + 1] for name, column in columns.items()}


def _holds(interval, truth: float) -> bool:
    return bool(interval.low <= truth <= interval.high)


@pytest.mark.parametrize("noise", [simulated.proportional, simulated.constant, simulated.uneven])
def test_intervals_hold_in_about_95_of_100_runs(noise: Noise):
    """A smaller edition of the next one: 150 runs tell 95 % from 88 %, and no more."""
    assert {name: share for name, share in coverage(noise, 150, 3).items() if not 0.895 <= share <= 1} == {}


@pytest.mark.long
@pytest.mark.parametrize("repetitions", [3, 10])
@pytest.mark.parametrize("noise", [simulated.proportional, simulated.constant, simulated.uneven])
def test_intervals_hold_in_92_to_98_of_100_of_a_thousand_runs(noise: Noise, repetitions: int):
    found = coverage(noise, 1000, repetitions)
    assert {name: share for name, share in found.items() if not 0.92 <= share <= 0.98} == {}


@pytest.mark.long
def test_where_one_cell_in_six_is_seven_times_as_noisy_intervals_hold_nearly_as_often():
    found = coverage(simulated.one_in_six, 1000, 3)
    assert {name: share for name, share in found.items() if not 0.90 <= share <= 1} == {}


@pytest.mark.long
def test_where_cells_lie_off_the_model_intervals_allow_for_it():
    """Of a cell that was measured they are too wide: what it measured itself says more than the model."""
    found = coverage(simulated.proportional, 1000, 3, misfit=0.05)
    assert {name: share for name, share in found.items() if not 0.90 <= share <= 1} == {}
