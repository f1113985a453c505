from typing import Any

import numpy as np
import pytest

from flowerexp.analysis.timing import SURE, time_models
from tests.analysis.rows import FIXED, grid, row, table

WIDE: dict[str, Any] = {"sizes": (2, 4, 8, 16), "numbers": (3, 6, 12, 24)}


def test_the_notebooks_grid_gives_back_the_known_costs():
    for model in time_models(table(grid(**WIDE, repetitions=5, noise=0.03))):
        fixed, each = FIXED[model.series]
        assert model.terms["fixed"].value == pytest.approx(fixed, rel=0.05)
        assert model.terms["per_unit"].value == pytest.approx(each, rel=0.05)
        batch = model.terms["per_part"]
        assert batch.low is not None
        assert batch.high is not None
        assert batch.low < 0 < batch.high  # there is no such cost in these rows
        assert model.seconds(10, 100) == pytest.approx(fixed + 100 * each, rel=0.03)


def test_intervals_hold_the_known_costs_in_95_of_100_cases():
    chance = np.random.default_rng(7)
    covered = []
    for _ in range(150):
        rows = [
            row(
                "x",
                size,
                count,
                again,
                seconds=(0.02 + 0.004 * count + 0.001 * size * count) * chance.gamma(400, 1 / 400),
            )
            for size in (2, 4, 8)
            for count in (3, 6, 12)
            for again in (1, 2, 3)
        ]
        (model,) = time_models(table(rows))
        for term, truth in zip(model.terms.values(), (0.02, 0.004, 0.001), strict=True):
            assert term.low is not None
            assert term.high is not None
            covered.append(term.low <= truth <= term.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_a_straight_line_in_images_per_second_is_found_wrong_and_the_model_right():
    for model in time_models(table(grid(**WIDE, repetitions=5, noise=0.03))):
        assert model.misfit is not None
        assert model.straight is not None
        assert model.misfit.fits
        assert not model.straight.fits
        assert model.misfit.r2 > 0.9 > model.straight.r2


def test_where_a_straight_line_is_right_it_is_not_called_wrong():
    chance = np.random.default_rng(8)
    rows = [
        row(
            size=size,
            number=count,
            repetition=again,
            seconds=size * count / (100 + size * count) * chance.gamma(1e4, 1e-4),
        )
        for size in (2, 4, 8)
        for count in (3, 6, 12)
        for again in range(1, 6)
    ]
    (model,) = time_models(table(rows))
    assert model.straight is not None
    assert model.straight.fits
    assert model.misfit is not None
    assert model.misfit.p < SURE


@pytest.mark.parametrize("axes", [{"sizes": (4,)}, {"numbers": (6,)}])
def test_what_the_grid_cannot_tell_apart_is_not_told_apart(axes):
    for model in time_models(table(grid(**axes))):
        assert list(model.terms) == ["fixed", "per_unit"]
        assert (model.inflation, model.product_inflation) == (None, None)


def test_the_product_is_collinear_with_its_factors():
    model = time_models(table(grid()))[0]
    assert model.product_inflation is not None
    assert model.product_inflation > 8  # as if with an eighth of the measurements
    assert model.inflation is not None
    assert 1 < model.inflation < model.product_inflation


def test_counted_images_and_batches_are_used_not_planned_ones():
    rows = [row("x", 4, n, again, images=3 * n, seconds=0.01 * 3 * n) for n in (3, 6, 12) for again in (1, 2)]
    assert time_models(table(rows))[0].terms["per_unit"].value == pytest.approx(0.01)


@pytest.mark.parametrize(
    "rows", [[], [row()] * 9, [row(), row(size=4)], [{"latency_ms": 3, "batch_size": 2}] * 9, [row(seconds=None)] * 9]
)
def test_too_little_makes_no_model(rows):
    assert time_models(table(rows)) == []


def test_cells_measured_once_cannot_be_tested_for_fit():
    model = time_models(table(grid(repetitions=1)))[0]
    assert (model.misfit, model.straight) == (None, None)
