"""The model over all parameters of a run and all factors of a sweep: what it is fitted to, its form, and its files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowerexp.analysis import png
from flowerexp.analysis.model import FILE, model_run, model_sweep, plots, read
from flowerexp.analysis.model.asking import ask
from flowerexp.analysis.model.cells import cells_of
from flowerexp.analysis.model.data import rows_of
from flowerexp.analysis.model.factors import Factor
from flowerexp.analysis.model.fitting import fit_model
from flowerexp.analysis.model.pipeline import example, frame, pipeline
from flowerexp.analysis.model.predicting import Model
from flowerexp.analysis.model.sweep import factors
from flowerexp.analysis.model.variance import fit
from flowerexp.errors import ConfigError, DataError
from flowerexp.experiment import Experiment, Parameter, Value
from flowerexp.measurements.loading import from_rows
from tests.analysis.simulated import COEFFICIENTS, PRODUCTS, grid, rows, seconds

SORTING = Experiment(
    name="sorting",
    question="How fast are rows sorted?",
    script="sorting.py",
    unit="rows",
    parameters={
        "rows": Parameter(type="int", min=1),
        "skew": Parameter(type="float"),
        "adaptive": Parameter(type="bool"),
    },
    value=Value(name="rate"),
)


def sorting(**changes: Any) -> list[dict[str, Any]]:
    """Rows of an experiment that is none of ours: 1 us a row, 2 us with skew 1, a tenth less if adaptive."""
    chance = np.random.default_rng(3)
    return [
        {
            "rows": count,
            "skew": skew,
            "adaptive": adaptive,
            "repetition": again,
            "execution": 1,
            "seconds": count * 1e-6 * (1 + skew) * (0.9 if adaptive else 1) * float(np.exp(chance.normal(0, 0.02))),
        }
        | changes
        for again in (1, 2, 3)
        for count in (1000, 10_000, 100_000)
        for skew in (0.0, 0.5, 1.0)
        for adaptive in (False, True)
    ]


def simulated(kind: str, noise: float = 0.03) -> Model:
    """A model of seconds that are a sum of the parameters' shares, or a power law."""
    columns = grid()
    true = {
        "sum": seconds(columns),
        "power": 0.001 * columns["size"] ** 0.7 * columns["number"] ** 0.5 * np.where(columns["mode"] == "b", 2, 1),
    }[kind]
    chance = np.random.default_rng(1)
    model = fit_model("seconds", "s", rows(columns, true * np.exp(chance.normal(0, noise, len(true)))), PRODUCTS)
    assert model is not None
    return model


def test_without_lack_of_fit_intervals_are_those_of_least_squares():
    from statsmodels.regression.linear_model import OLS

    xs = np.repeat([1.0, 2.0, 3.0, 4.0], 3)
    ys = 5 + 2 * xs + np.tile([-0.3, 0.1, 0.2], 4)
    cells = cells_of(rows({"x": xs}, ys))
    matrix = np.column_stack([np.ones(4), cells.columns["x"]])
    found = fit(matrix, cells.means, cells.counts, cells.runs, cells.squares)
    known = OLS(ys, np.column_stack([np.ones(12), xs])).fit()
    assert found.errors is not None
    reach = found.errors.reach(np.diagonal(found.shares, axis1=1, axis2=2).T)
    assert np.column_stack([found.coefficients - reach, found.coefficients + reach]) == pytest.approx(known.conf_int())


def test_a_sum_of_seconds_gives_its_coefficients_back():
    model = simulated("sum")
    assert (model.scale, model.degree) == ("plain", 1)
    assert model.quality.fits
    for name, truth in COEFFICIENTS.items():
        interval = model.coefficients[name]
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= truth <= interval.high


def test_a_power_law_is_found_and_predicts_cells_and_values_that_it_has_not_seen():
    model = simulated("power")
    assert (model.scale, model.design.factors[0].logarithm, model.degree) == ("log", True, 1)
    assert model.quality.error is not None
    assert model.quality.between is not None
    assert model.quality.error < 0.04
    assert model.quality.between < 0.05


def test_a_bend_that_no_straight_model_has_is_found_and_judged():
    xs = np.repeat([1.0, 2.0, 4.0, 6.0, 9.0, 12.0], 4)
    chance = np.random.default_rng(2)
    model = fit_model("seconds", "s", rows({"x": xs}, (10 + (xs - 6) ** 2) * np.exp(chance.normal(0, 0.01, len(xs)))))
    assert model is not None
    assert (model.scale, model.degree) == ("plain", 2)
    assert model.quality.fits


def test_cells_off_the_model_are_said_to_lie_off_it_and_widen_its_intervals():
    columns = grid()
    chance = np.random.default_rng(6)
    noise = np.exp(chance.normal(0, 0.02, len(columns["size"])))
    misfit = np.exp(chance.normal(0, 0.2, 18))[np.arange(54) // 3]
    straight = fit_model("seconds", "s", rows(columns, seconds(columns) * noise), PRODUCTS)
    off = fit_model("seconds", "s", rows(columns, seconds(columns) * noise * misfit), PRODUCTS)
    assert straight is not None
    assert off is not None
    assert straight.quality.fits
    assert not off.quality.fits
    cell = {name: column[:1] for name, column in columns.items()}
    (a,), (b,) = straight.predict(cell), off.predict(cell)
    assert a.mean.reach is not None
    assert b.mean.reach is not None
    assert b.mean.reach > 5 * a.mean.reach


def test_an_effect_of_runs_is_as_sure_as_runs_agree_however_often_each_measures():
    """Without the error of runs, 400 measurements would make an effect of 1 % sure, where runs differ by 5 %."""
    chance = np.random.default_rng(4)
    runs = np.repeat(np.arange(8), 100)
    columns = {"nodes": np.repeat([1.0, 2.0], 400), "x": np.tile([1.0, 2.0, 3.0, 4.0], 200)}
    drifted = np.exp(chance.normal(0, 0.05, 8))[runs]
    model = fit_model("seconds", "s", rows(columns, columns["x"] * drifted * np.exp(chance.normal(0, 0.01, 800)), runs))
    assert model is not None
    effect = model.coefficients["log(nodes)" if model.design.factors[0].logarithm else "nodes"]
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low < 0 < effect.high


@pytest.mark.parametrize("kind", ["sum", "power"])
def test_json_and_pipeline_predict_what_the_model_does(kind):
    model = simulated(kind)
    again = Model.of(json.loads(json.dumps(model.plain())))
    cells = [{"mode": "b", "size": 20.0, "number": 5.0}, {"mode": "a", "size": 128.0, "number": 2.0}]
    asked = frame(model, cells)
    columns = {str(name): asked[name].to_numpy() for name in asked}
    assert again.predict(columns) == model.predict(columns)
    assert again.coefficients == model.coefficients
    assert pipeline(again).predict(asked) == pytest.approx(model.values(columns))
    assert list(example(model).columns) == ["size", "number", "mode"]


def test_a_run_of_an_experiment_of_ones_own_has_models_of_its_value_and_of_seconds(tmp_path: Path):
    paths = model_run(from_rows(sorting(), SORTING), tmp_path)
    assert [path.name for path in paths] == [FILE, "residuals.png"]
    rate, time = read(paths[0].read_bytes(), "it")
    assert (rate.name, rate.unit, time.name, time.unit) == ("rate", "rows/s", "seconds", "s")
    assert [factor.name for factor in rate.design.factors] == ["rows", "skew", "adaptive"]
    answers = ask([rate, time], {"rows": "50000", "skew": "0.5"})
    assert [answer.cell["adaptive"] for answer in answers] == [False, True]
    for answer, factor in zip(answers, (1, 0.9), strict=True):
        expected = 50_000e-6 * 1.5 * factor
        assert answer.predictions["seconds"].mean.value == pytest.approx(expected, rel=0.1)
        assert answer.predictions["rate"].mean.value == pytest.approx(50_000 / expected, rel=0.1)


def test_a_picture_of_some_residuals_says_of_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    titles: list[str] = []
    monkeypatch.setattr(png, "save", lambda figure, path: titles.append(figure.get_suptitle()))
    for most in (1000, 10):
        monkeypatch.setattr(plots, "MOST_DOTS", most)
        model_run(from_rows(sorting(), SORTING), tmp_path)
    whole, some = titles
    assert some == f"{whole}: 10 of {len(sorting())} drawn"


def test_only_first_executions_that_were_not_stopped_are_fitted_and_what_is_left_out_is_counted():
    found = sorting()
    found[0]["censored"] = True
    found[1]["skew"] = None
    found += [{**found[2], "execution": 2, "seconds": 1000.0}]
    measured = from_rows(found, SORTING)
    own, incomplete = rows_of([(measured.firsts, {})], "seconds")
    assert (len(own.values), incomplete) == (len(sorting()) - 2, 1)
    assert own.values.max() < 1


def test_the_value_may_be_a_column_and_without_one_there_is_a_model_of_seconds_alone():
    column = replace(SORTING, value=Value(name="spill", better="lower"))
    found = [{**row, "spill": row["skew"] * 10 - 5 + row["repetition"] % 2} for row in sorting()]
    own, _ = rows_of([(from_rows(found, column), {})], "spill")
    model = fit_model("spill", "", own)
    assert model is not None
    assert (model.scale, model.positive) == ("plain", False)
    low = model.predict({"rows": np.array([1000.0]), "skew": np.array([0.0]), "adaptive": np.array([True], object)})[0]
    assert low.mean.low is not None
    assert low.mean.low < low.mean.value < 0


def test_what_does_not_vary_is_no_factor_and_without_one_there_is_no_model(tmp_path: Path):
    path = model_run(from_rows(sorting(rows=1000, skew=0.5, adaptive=True), SORTING), tmp_path)
    assert [one.name for one in path] == [FILE]
    assert read(path[0].read_bytes(), "it") == []


def test_terms_that_were_not_told_apart_are_named():
    xs = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 3)
    model = fit_model("seconds", "s", rows({"a": xs, "b": 2 * xs}, xs + np.tile([0.01, 0.02, 0.03], 5)))
    assert model is not None
    assert "b" in " ".join(model.aliased)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"models": [{"value": 1}]}', b'{"models": 3}'])
def test_a_damaged_file_is_told_in_one_line(content):
    with pytest.raises(DataError, match="the file is not a model"):
        read(content, "the file")


CONFIG: dict[str, Any] = {
    "cluster": {"name": "small", "kind": "dataproc", "workers": {"count": 2, "machine": "n2"}, "project": "mine"},
    "grid": {"rows": [1, 2], "skew": [0], "adaptive": [True]},
    "caching": True,
    "measure": {"repetitions": 3, "seed": 1, "storage_level": None, "concurrency": 1},
    "home": "/home/me",
    "repeat": 1,
}


def changed(*paths: tuple[str, Any]) -> dict[str, Any]:
    """The config with some values changed."""
    found = json.loads(json.dumps(CONFIG))
    for path, value in paths:
        node = found
        *above, last = path.split(".")
        for part in above:
            node = node[part]
        node[last] = value
    return dict(found)


def test_a_sweeps_factors_are_what_differs_but_not_where_how_often_or_over_which_grid():
    different = (("home", "/x"), ("repeat", 2), ("grid.rows", [5]), ("measure.seed", 7), ("measure.repetitions", 9))
    own, aliases = factors([CONFIG, changed(*different)], SORTING)
    assert (own, aliases) == ([{}, {}], {})


def test_factors_are_numbers_truths_or_texts():
    own, _ = factors(
        [
            CONFIG,
            changed(("caching", False)),
            changed(("measure.storage_level", "DISK_ONLY"), ("cluster.workers.count", 4)),
        ],
        SORTING,
        ["measure.storage_level"],
    )
    assert [one["measure.storage_level"] for one in own] == ["null", "null", "DISK_ONLY"]
    assert [one["caching"] for one in own] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "varied", "name"),
    [
        ((("cluster.name", "large"), ("cluster.workers.count", 8)), [], "cluster.workers.count"),
        ((("cluster.name", "large"), ("cluster.workers.count", 8)), ["cluster.name"], "cluster.name"),
        ((("cluster.name", "l"), ("cluster.workers.count", 8), ("cluster.workers.machine", "c3")), [], "cluster.name"),
    ],
)
def test_what_changes_together_is_one_factor(change, varied, name):
    own, aliases = factors([CONFIG, changed(*change)], SORTING, varied)
    assert [list(one) for one in own] == [[name], [name]]
    assert {*aliases.values()} == {f"it changes together with {name}"}


def test_a_sweep_has_one_model_over_parameters_and_factors(tmp_path: Path):
    chance = np.random.default_rng(8)
    runs = []
    for place, (caching, _) in enumerate([(c, r) for c in (True, False) for r in (1, 2, 3)]):
        speed = (1 if caching else 2) * float(np.exp(chance.normal(0, 0.01)))
        found = [{**row, "seconds": row["seconds"] * speed} for row in sorting()]
        runs.append((from_rows(found, SORTING), changed(("caching", caching), ("repeat", place % 3 + 1))))
    model = read(model_sweep(runs, [], tmp_path)[0].read_bytes(), "it")[1]
    assert "caching" in {factor.name for factor in model.design.factors}
    assert (model.quality.runs, model.quality.cells) == (6, 36)
    slow, fast = ask([model], {"rows": "10000", "skew": "0", "adaptive": "true"})
    assert slow.predictions["seconds"].mean.value == pytest.approx(2 * fast.predictions["seconds"].mean.value, rel=0.1)


def test_runs_of_several_experiments_have_no_model_in_common(tmp_path: Path):
    other = replace(SORTING, name="joining")
    runs = [(from_rows(sorting(), one), CONFIG) for one in (SORTING, other)]
    assert model_sweep(runs, [], tmp_path) == []


def test_a_number_may_be_beyond_what_was_measured_by_half_its_range_but_not_below_half_its_smallest():
    assert Factor("x", "number", (8.0, 16.0, 128.0)).limits == (4, 188)
    assert Factor("x", "number", (-1.0, 1.0)).limits == (-2, 2)


@pytest.fixture(scope="module")
def known() -> list[Model]:
    return [simulated("sum")]


def test_beyond_what_was_measured_is_said(known):
    near, far = ask(known, {"size": "128,180", "number": "grid", "mode": "a"} | {"number": "8"})
    assert (near.beyond, far.beyond) == ((), ("size",))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"number": "8"}, "size is not given; add size=VALUE; these were measured: 8, 32, 128"),
        ({"size": "200", "number": "8"}, "size=200 is too far from what was measured, 8 to 128"),
        ({"size": "3", "number": "8"}, "size=3 is too far"),
        ({"size": "nan", "number": "8"}, "size=nan is not a number"),
        (
            {"size": "8", "number": "8", "mode": "c"},
            "mode=c was never measured; choose from a, b",
        ),
        ({"sise": "8"}, "sise is not a factor of the model; did you mean 'size'"),
    ],
)
def test_what_cannot_be_predicted_is_refused(known, given, message):
    with pytest.raises(ConfigError, match=message):
        ask(known, given)


def test_a_factor_may_be_named_by_its_last_part_and_what_never_varied_may_be_given():
    model = simulated("sum")
    renamed = tuple(replace(one, name=f"cluster.{one.name}") for one in model.design.factors)
    model = replace(model, design=replace(model.design, factors=renamed), left_out={"caching": "it is always true"})
    given = {"size": "8", "grid.cluster.number": "8", "cluster.mode": "a"}
    assert len(ask([model], given | {"caching": "true"})) == 1
    with pytest.raises(ConfigError, match="caching is not a factor of the model: it is always true"):
        ask([model], given | {"caching": "false"})
