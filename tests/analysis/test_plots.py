import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.lines import Line2D

from flowerexp.analysis import analyse, plots, words
from flowerexp.analysis.plots import _regression_figure, equation, plot_regressions
from flowerexp.analysis.regression import Fit, fit_all
from flowerexp.errors import MachineError
from flowerexp.experiment import Experiment, Parameter
from flowerexp.measurements.loading import from_rows
from flowerexp.workload.read_speed.readers import READERS
from tests.analysis.rows import READ_SPEED, grid, row, table, written

pytestmark = pytest.mark.slow


def drawn(path: Path, colour: str) -> float:
    """The share of a picture's pixels that have a colour, in per cent."""
    pixels = (matplotlib.image.imread(path)[:, :, :3] * 255).round().astype(int)
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return float(100 * np.mean(np.all(np.abs(pixels - wanted) <= 2, axis=2)))


def heights(line: Line2D) -> list[float]:
    return [float(y) for y in np.asarray(line.get_ydata(), dtype=float)]


def test_a_picture_for_each_reader_and_one_to_compare_them(tmp_path):
    rows = grid()
    paths = plot_regressions(table(rows), fit_all(table(rows)), tmp_path)
    assert [path.name for path in paths] == ["regression_image_files.png", "regression_tfrecords.png", "rates.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert [matplotlib.image.imread(path).shape[:2] for path in paths] == [(1005, 1200), (1005, 1200), (690, 1200)]


def test_pictures_show_each_reader_in_its_own_colour(tmp_path):
    rows = grid()
    files, records, rates = plot_regressions(table(rows), fit_all(table(rows)), tmp_path)
    blue, red = "#0072B2", "#D55E00"
    assert drawn(records, blue) > 0.1 > drawn(records, red)
    assert drawn(files, red) > 0.1 > drawn(files, blue)
    assert min(drawn(rates, blue), drawn(rates, red)) > 0.1
    assert all(50 < drawn(path, "#FFFFFF") < 99 for path in (files, records, rates))


def test_readers_are_drawn_each_in_a_colour_of_its_own(tmp_path):
    readers = (*list(READERS)[:4], "lance_native", "tfrecords_cached")
    rows = grid(readers=readers)
    *lines, rates = plot_regressions(table(rows), fit_all(table(rows)), tmp_path)
    tones = words.colours(READ_SPEED, readers)
    assert len(lines) == len({tones[reader] for reader in readers}) == len(readers)
    assert all(drawn(rates, tones[reader]) > 0.05 for reader in readers)


def test_panels_show_points_averages_and_the_line_from_zero():
    rows = [row(images=100, seconds=1), row(repetition=2, images=100, seconds=4), row(size=4, images=100, seconds=1)]
    fits = [fit for fit in fit_all(table(rows)) if fit.parameter == "batch_size"]
    (panel,) = _regression_figure(table(rows), fits, "#0072B2").axes
    points, line, averages = panel.lines
    assert sorted(heights(points)) == [25, 100, 100]
    assert heights(averages) == [40, 100]  # sum over sum: not 62.5
    assert heights(line) == pytest.approx([62.5, 100])
    assert panel.get_ylim()[0] == 0
    assert panel.get_xlabel() == "batch size (images per batch)"
    assert panel.get_ylabel() == "images per second"
    assert panel.get_title(loc="left") == "25 + 18.8 × batch size,   R² = 0.25,   n = 3"


def test_of_many_measurements_spans_are_drawn_and_the_legend_says_so():
    few, many = grid(readers=("tfrecords",)), grid(readers=("tfrecords",), repetitions=30)
    for rows, shown in ((few, "one measurement"), (many, "middle half, thinner 95 %")):
        figure = _regression_figure(table(rows), fit_all(table(rows)), "#0072B2")
        assert figure.legends[0].get_texts()[0].get_text() == shown
    wider, narrower = (np.asarray(spans.get_paths()[0].vertices)[:, 1] for spans in figure.axes[0].collections[1:])
    rates = table([one for one in many if one["batch_size"] == 2]).rates
    assert wider == pytest.approx(np.quantile(rates, [0.025, 0.975]))
    assert narrower == pytest.approx(np.quantile(rates, [0.25, 0.75]))


def test_a_picture_of_rates_draws_each_measurement_or_says_what_it_draws(monkeypatch):
    for most, said in ((96, "a point is a measurement"), (95, "a line is the middle half, thinner 95 % of a cell")):
        monkeypatch.setattr(plots, "MOST_POINTS", most)
        figure = plots._rates_figure(table(grid()).by_series, dict.fromkeys(("image_files", "tfrecords"), "#0072B2"))
        assert figure.axes[0].get_title(loc="left") == f"{said}, a bar the median of its cell"


def test_all_panels_share_an_axis_that_holds_every_line():
    rows = grid()
    figure = _regression_figure(table(rows), fit_all(table(rows, "x"))[4:], "#0072B2")
    tops = {panel.get_ylim() for panel in figure.axes}
    assert len(tops) == 1
    ((low, high),) = tops
    assert low == 0
    assert high >= max(max(heights(line)) for panel in figure.axes for line in panel.lines)


def test_the_equation_names_the_parameter_and_the_sign():
    fit = Fit("tfrecords", "batch_size x batch_number", -0.5, 1234.4, 0.456, 48, "images_per_second")
    assert equation(fit, READ_SPEED) == "1,234 − 0.5 × product,   R² = 0.46,   n = 48"


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([], []),
        ([row()], []),
        ([written(0, 1.0), written(1, 2.0), written(2, None)], []),
        ([{"latency_ms": size, "batch_size": size} for size in (1, 2, 4)], ["regression_ping_latency_ms.png"]),
        (
            grid(sizes=(2,), numbers=(3, 6), readers=("a/b $c$",)),
            ["regression_a_b_c_.png", "rates.png"],
        ),
        ([row(size=size, batch_number=None) for size in (2, 4, 8)], ["regression_tfrecords.png", "rates.png"]),
    ],
)
def test_rows_of_all_kinds_can_be_drawn(tmp_path, rows, names):
    assert [
        path.name for path in plot_regressions(table(rows, "ping"), fit_all(table(rows, "ping")), tmp_path)
    ] == names


def test_a_large_grid_can_be_drawn(tmp_path):
    rows = grid(sizes=tuple(range(1, 31)), numbers=(1, 2, 3, 4), repetitions=1)
    assert len(plot_regressions(table(rows), fit_all(table(rows)), tmp_path)) == 3


class TestAnalyse:
    def test_writes_all_files_and_returns_what_they_hold(self, tmp_path):
        analysis = analyse(table(grid()), tmp_path / "new" / "analysis", 0.05)
        names = ["measurements.parquet", "summary.json", "regression.json", "timing.json"]
        pictures = ["regression_image_files.png", "regression_tfrecords.png", "rates.png"]
        assert [path.name for path in analysis.paths] == [*names, *pictures, "model.json", "residuals.png"]
        summary = json.loads(analysis.paths[1].read_text())
        assert summary["verdict"] == {"state": "valid", "reasons": []}
        assert summary["groups"][0]["rate"] == analysis.summary.groups[0].rate
        fits = json.loads(analysis.paths[2].read_text())
        assert [fit["slope"] for fit in fits] == [fit.slope for fit in analysis.fits]

    def test_no_rows_are_an_invalid_run_not_a_crash(self, tmp_path):
        analysis = analyse(table([]), tmp_path, 0.05)
        assert analysis.verdict.state == "invalid"
        assert len(analysis.paths) == 4

    def test_rows_without_a_reader_are_called_by_the_given_name(self, tmp_path):
        assert (
            analyse(table([written(0, 1.0)], "write_shards"), tmp_path, 0.05).summary.groups[0].name == "write_shards"
        )

    @pytest.mark.parametrize("numeric", [(), ("partitions",), ("partitions", "words", "cores")])
    def test_an_experiment_of_any_shape_is_analysed_by_its_description(self, tmp_path, numeric):
        """Words of a text, of two categorical parameters, and so many numeric ones."""
        products = (numeric[:2],) if numeric[1:] else ()
        parameters = {name: Parameter(type="int") for name in numeric}
        words = Experiment(
            name="count",
            question="How fast?",
            script="count.py",
            unit="words",
            column="found",
            parameters={**parameters, "how": Parameter(type="text"), "where": Parameter(type="text")},
            products=products,
        )
        rows = [
            {"how": how, "where": "here", "found": 100, "seconds": size + more, "repetition": again}
            | {name: size + place for place, name in enumerate(numeric)}
            for how, more in (("hash", 1.0), ("sort", 2.0))
            for size in (1, 2, 4)
            for again, more in ((1, more), (2, more + 0.01), (3, more + 0.02))
        ]
        analysis = analyse(from_rows(rows, words), tmp_path, 0.05)
        assert analysis.verdict.state == ("valid" if numeric else "suspect")  # one cell of all sizes, which disagree
        hashed, sorted_ = analysis.summary.groups
        assert [group.name for group in analysis.summary.groups] == ["hash here", "sort here"]
        assert hashed.rate == pytest.approx(900 / sum(row["seconds"] for row in rows[:9]))
        assert [cell.at for cell in sorted_.cells] == [
            {name: size + place for place, name in enumerate(numeric)} for size in (1, 2, 4) if numeric
        ]
        against = [*numeric, *map(" x ".join, products)]
        assert [fit.parameter for fit in analysis.fits if fit.series == "hash here"] == against
        assert {fit.value for fit in analysis.fits} == ({"words_per_second"} if against else set())
        assert (tmp_path / "rates.png").exists() == bool(numeric)

    def test_a_folder_that_cannot_be_made_is_one_clear_line(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(MachineError, match="choose another folder"):
            analyse(table(grid(repetitions=1)), tmp_path / "file" / "analysis", 0.05)
