import numpy as np
import pytest

from flowerexp.analysis.regression import band, fit_all
from tests.analysis.rows import grid, row, table

PRODUCT = "batch_size x batch_number"


def fits_of(rows, name="all"):
    return {(fit.series, fit.parameter, fit.value): fit for fit in fit_all(table(rows, name))}


def linear(slope, intercept, of):
    """Rows whose images per second lie on a line over a parameter."""
    return [
        row(
            size=size,
            number=number,
            repetition=again,
            images=1000,
            seconds=1000 / (intercept + slope * of(size, number)),
        )
        for size in (2, 4, 8)
        for number in (3, 6)
        for again in (1, 2)
    ]


@pytest.mark.parametrize(
    ("parameter", "of"),
    [
        ("batch_size", lambda size, number: size),
        ("batch_number", lambda size, number: number),
        (PRODUCT, lambda size, number: size * number),
    ],
)
def test_a_known_line_is_recovered(parameter, of):
    fit = fits_of(linear(3.5, 100, of))["tfrecords", parameter, "images_per_second"]
    assert (fit.slope, fit.intercept, fit.r2) == (pytest.approx(3.5), pytest.approx(100), pytest.approx(1))
    assert fit.n == 12


def test_a_falling_line_is_recovered():
    fit = fits_of(linear(-2, 100, lambda size, number: size))["tfrecords", "batch_size", "images_per_second"]
    assert fit.slope == pytest.approx(-2)


def test_r2_is_the_share_of_the_variance_that_is_explained():
    rates = {1: (1, 3), 2: (2, 4)}  # line 1 + x: residuals of +-1, total sum of squares 5
    rows = [row(size=size, images=value, seconds=1) for size, values in rates.items() for value in values]
    fit = fits_of(rows)["tfrecords", "batch_size", "images_per_second"]
    assert (fit.slope, fit.intercept, fit.r2) == (pytest.approx(1), pytest.approx(1), pytest.approx(0.2))


def test_each_reader_has_its_own_lines_in_a_fixed_order():
    fits = fit_all(table(grid()))
    assert [fit.parameter for fit in fits[:3]] == ["batch_size", "batch_number", "batch_size x batch_number"]
    assert [fit.series for fit in fits] == ["image_files"] * 3 + ["tfrecords"] * 3
    assert all(fit.n == 48 for fit in fits)


def test_only_first_executions_are_fitted():
    rows = grid()
    later = [one | {"execution": 2, "seconds": 1e-6} for one in rows]
    assert fit_all(table(rows + later)) == fit_all(table(rows))


def test_a_parameter_with_one_value_is_left_out():
    assert {fit.parameter for fit in fit_all(table(grid(sizes=(4,), repetitions=1)))} == {"batch_number", PRODUCT}


@pytest.mark.parametrize("rows", [[], [row()], [row(), row(size=4)], [row(seconds=None), row(size=4), row(size=6)]])
def test_too_few_points_make_no_line(rows):
    assert fit_all(table(rows)) == []


def test_equal_rates_make_a_flat_line():
    fit = fits_of([row(size=size, images=size, seconds=size) for size in (2, 4, 8)])[
        "tfrecords", "batch_size", "images_per_second"
    ]
    assert (fit.slope, fit.intercept) == (pytest.approx(0), pytest.approx(1))


def test_an_entrypoint_without_images_is_fitted_by_its_numeric_columns():
    rows = [{"batch_size": size, "latency_ms": 5 + 2 * size, "pid": size, "note": "x"} for size in (1, 2, 4)]
    (fit,) = fit_all(table(rows, "ping"))
    assert (fit.series, fit.parameter, fit.value, fit.n) == ("ping", "batch_size", "latency_ms", 3)
    assert [fit.slope, fit.intercept, fit.r2] == pytest.approx([2, 5, 1])


def test_the_slope_has_an_interval_and_a_p_value():
    rates = {1: (1, 3), 2: (2, 4)}  # slope 1, residuals of +-1 with 2 degrees of freedom: a standard error of sqrt(2)
    rows = [row(size=size, images=value, seconds=1) for size, values in rates.items() for value in values]
    fit = fits_of(rows)["tfrecords", "batch_size", "images_per_second"]
    reach = 4.302653 * 2**0.5
    assert [fit.low, fit.high] == pytest.approx([1 - reach, 1 + reach])
    assert fit.p == pytest.approx(0.552786, abs=1e-6)  # t = 1 / sqrt(2)


def test_slopes_of_noise_are_found_where_they_are_in_95_of_100_cases():
    chance, covered = np.random.default_rng(5), 0
    for _ in range(200):
        rows = [row(size=x, images=1000, seconds=1000 / (100 + 3 * x + chance.normal(0, 5))) for x in range(1, 13)]
        fit = fits_of(rows)["tfrecords", "batch_size", "images_per_second"]
        assert fit.low is not None
        assert fit.high is not None
        covered += fit.low <= 3 <= fit.high
    assert 0.9 <= covered / 200 <= 0.99


def test_the_band_is_narrow_in_the_middle_and_wide_outside():
    low, high = band(*map(np.array, ([1, 2, 3, 4], [1.1, 1.9, 3.2, 3.8], [2.5, 1, 4, 8])))
    widths = high - low
    assert widths[0] < widths[1] < widths[3]
    assert widths[1] == pytest.approx(widths[2])
    assert low[0] < 2.5 < high[0]
