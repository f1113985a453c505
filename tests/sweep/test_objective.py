"""A sweeper of Hydra's own optimises a metric of the runs: its name, which way is better, and what a failed run is."""

from __future__ import annotations

import math
from enum import Enum
from types import SimpleNamespace

import pytest
import yaml
from omegaconf import OmegaConf

from flowerexp.config.objective import Objective, direction, of_runs, worst
from flowerexp.errors import ConfigError
from flowerexp.sweep.objective import prune_infinite_trials
from tests.command import Home

STEADY = "tfrecords/steady_images_per_second"


class TestName:
    @pytest.mark.parametrize(
        ("written", "name"),
        [
            (STEADY, STEADY),
            ("tfrecords", STEADY),
            ("tfrecords.value", STEADY),
            ("tfrecords.steady", STEADY),
            ("tfrecords.rate", "tfrecords/images_per_second"),
            ("tfrecords.seconds", "tfrecords/seconds"),
            ("time/measure_seconds", "time/measure_seconds"),
        ],
    )
    def test_is_that_of_mlflow_or_a_short_form(self, config, written, name):
        found = of_runs([config(f"objective={written}")], "command line")
        assert found is not None
        assert found.name == name

    def test_of_a_series_of_several_parameters_has_the_letters_that_mlflow_takes(self, config):
        for written in ("join adaptive=true.seconds", "join adaptive_true/seconds"):
            made = config("entrypoint=aggregate", "grid.shape=join", f"objective='{written}'")
            assert of_runs([made], "") == Objective("join adaptive_true/seconds", written, made.entrypoint)

    @pytest.mark.parametrize("written", ["tfrecord.steady", "tfrecords.stedy", "tfrecrods/images_per_second"])
    def test_of_a_series_that_there_is_not_is_refused(self, config, written):
        with pytest.raises(
            ConfigError, match=f"objective={written}: no run has such a metric.*did you mean 'tfrecords"
        ):
            of_runs([config("grid.reader=tfrecords", f"objective='{written}'")], "command line")
        with pytest.raises(ConfigError, match="did you mean 'image_files/"):
            of_runs([config("grid.reader=image_files", "objective=tfrecords")], "command line")

    def test_runs_that_may_be_left_out_have_none(self, config):
        with pytest.raises(ConfigError, match="skip_finished leaves runs out"):
            of_runs([config("objective=tfrecords", "skip_finished=true")], "")
        assert of_runs([config()], "") is None


class Direction(Enum):
    """As that of Optuna's sweeper."""

    minimize = 1
    maximize = 2


class TestDirection:
    @pytest.fixture
    def composed(self, config):
        def composed(objective, sweeper):
            entrypoint = {"name": "hill", "question": "?", "script": "x", "unit": "steps", "parameters": {}}
            entrypoint["value"] = {"name": "depth", "better": "lower"}
            node = {"objective": objective, "entrypoint": entrypoint, "hydra": {"sweeper": sweeper}}
            return OmegaConf.create(node)

        return composed

    @pytest.mark.parametrize(
        ("objective", "wanted"),
        [("hill", "minimize"), ("hill.rate", "maximize"), ("hill/seconds", "minimize"), ("cost/usd", "minimize")],
    )
    def test_follows_from_the_metric(self, composed, objective, wanted):
        default = Direction.minimize
        made = composed(objective, {"direction": default})
        assert direction(made, []) == [f"hydra.sweeper.direction={wanted}"]
        assert direction(made, ["hydra.sweeper.direction=maximize"]) == []
        with pytest.raises(ConfigError, match=r"set hydra\.sweeper\.direction=minimize or"):
            direction(composed("hill/height", {"direction": default}), [])

    def test_is_left_to_the_sweepers_own_config(self, composed):
        assert direction(composed("hill", {"direction": "maximize"}), []) == []
        assert direction(composed("hill", {}), []) == []
        assert direction(composed(None, {"direction": 1}), []) == []

    def test_a_failed_run_has_the_value_that_nobody_wants(self, config):
        objective = of_runs([config("objective=tfrecords")], "")
        assert objective is not None
        assert worst(objective, {"sweeper": {}}) == -math.inf
        assert worst(objective, {"sweeper": {"direction": "minimize"}}) == math.inf
        assert worst(objective, {"sweeper": {"direction": SimpleNamespace(name="maximize")}}) == -math.inf


def test_a_failed_run_is_a_pruned_trial_of_optuna():
    optuna = pytest.importorskip("optuna", reason="the extra search")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    prune_infinite_trials()
    prune_infinite_trials()  # each batch does
    study = optuna.create_study(direction="maximize")
    for value in (1.0, -math.inf, 3.0):
        trial = study.ask()
        trial.suggest_int("x", 1, 9)
        study.tell(trial=trial, state=optuna.trial.TrialState.COMPLETE, values=[value])
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert study.best_value == 3.0


DECLARATION = """
defaults: [_self_]
name: hill
question: How high is the hill?
script: hill.py
unit: steps
value: {name: height, better: higher}
parameters: {x: {min: 1, max: 20}}
"""
SCRIPT = '''"""A hill whose top is at 15; below 8 there is no way."""
from flowerexp.workload import main


def prepare(spark, config):
    return None


def measure(prepared, cell):
    if cell["x"] < 8:
        raise ValueError("no way")
    return {"steps": 1, "height": 100 - (cell["x"] - 15) ** 2}


if __name__ == "__main__":
    main(measure, prepare)
'''


@pytest.fixture
def home(tmp_path):
    (tmp_path / "mine" / "entrypoint").mkdir(parents=True)
    (tmp_path / "mine" / "entrypoint" / "hill.yaml").write_text(DECLARATION)
    (tmp_path / "hill.py").write_text(SCRIPT)
    return Home(tmp_path)


OWN = ("-m", "--config-dir", "mine", "hydra/sweeper=optuna", "entrypoint=hill", "grid.x=int(interval(1,20))")
FAST = ("measure.repetitions=1", "measure.warm_up_seconds=0")


@pytest.mark.spark
@pytest.mark.long
def test_optuna_makes_ten_trials_over_the_real_launcher(home):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the extra search")
    optuna = ("hydra.sweeper.n_trials=10", "hydra.sweeper.n_jobs=5", "hydra.sweeper.sampler.seed=3")
    answer = home(*OWN, *FAST, *optuna, "objective=hill")
    assert answer.code == 0, answer.err
    (folder,) = home.path.glob("outputs/*/*")
    found = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    lines = answer.err.splitlines()
    states = [line.split()[1] for line in lines if line[:1].isdigit()]
    assert len(states) == 10
    assert set(states) == {"finished", "failed"}
    best = found["best_params"]["grid.x"]
    assert found["best_value"] == 100 - (best - 15) ** 2
    assert any(line.startswith("best ") and f"grid.x={best}" in line for line in lines)
    assert sum(line.startswith("report ") for line in lines) == 1
    logged = home.logged()
    assert len([run for run in logged if run.info.status == "FINISHED"]) >= states.count("finished")


@pytest.mark.spark
@pytest.mark.long
def test_a_metric_that_no_run_has_and_runs_that_all_fail_end_the_search(home):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the extra search")
    answer = home(
        *OWN,
        *FAST,
        "grid.x=int(interval(8,20))",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.direction=maximize",
        "objective=hill/hight",
    )
    assert answer.code == 1
    assert "objective=hill/hight: no run has such a metric; did you mean 'hill/height'?" in answer.err
    few = ("hydra.sweeper.n_trials=2", "grid.x=int(interval(1,5))", "objective=hill")
    answer = home(*OWN, *FAST, *few)
    assert answer.code == 1
    assert "none of the first 2 runs has finished; the reasons are above" in answer.err
