"""The model in MLflow: anyone can load it, and ask what a cell would give."""

from pathlib import Path

import pytest

from flowerexp.analysis.model import model_run, read
from flowerexp.errors import TrackingError
from flowerexp.lookup.in_mlflow import sweeps
from flowerexp.tracking import Store, log_run, log_sweep
from flowerexp.tracking.client import connect
from flowerexp.tracking.fetch import find
from tests.analysis.rows import grid, table
from tests.analysis.sweeps import write_sweep
from tests.tracking import write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


def modelled(folder: Path, store: Store, sweep_id: str | None = None) -> Path:
    write_run(folder, store, sweep_id=sweep_id)
    model_run(table(grid()), folder / "analysis")
    return folder


def test_a_run_has_its_model_as_a_pipeline_with_signature_and_example(tmp_path: Path, local_store: Store):
    import mlflow
    import pandas as pd

    run_id = log_run(modelled(tmp_path / "run", local_store), local_store)
    (value, seconds) = read((tmp_path / "run/analysis/model.json").read_bytes(), "it")
    mlflow.set_tracking_uri(local_store.uri)
    cell = {"batch_size": 5.0, "batch_number": 8.0, "reader": "tfrecords"}
    for place, model in (("model", value), ("model_seconds", seconds)):
        loaded = mlflow.sklearn.load_model(f"runs:/{run_id}/{place}")
        (predicted,) = loaded.predict(pd.DataFrame([cell]))
        columns = {name: pd.Series([each]).to_numpy() for name, each in cell.items()}
        assert predicted == pytest.approx(model.values(columns)[0])
        generic = mlflow.pyfunc.load_model(f"runs:/{run_id}/{place}")
        assert generic.predict(pd.DataFrame([cell])) == pytest.approx([predicted])
        assert generic.metadata.get_input_schema().input_names() == ["batch_size", "batch_number", "reader"]
        assert generic.metadata.metadata == {"value": model.name, "unit": model.unit}
        assert len(generic.input_example) == 2
    files = {one.path for one in connect(local_store).list_artifacts(run_id, "model")}
    assert "model/model.skops" in files
    assert not [name for name in files if name.endswith(".pkl")]


def test_a_run_of_a_sweep_has_its_model_as_json_alone(tmp_path: Path, local_store: Store):
    run_id = log_run(modelled(tmp_path / "run", local_store, "s-1"), local_store)
    assert not connect(local_store).list_artifacts(run_id, "model")
    assert [model.name for model in find(local_store, run_id).models] == ["steady_rate", "seconds"]


def test_a_sweeps_summary_has_the_model_of_all_its_runs(tmp_path: Path, local_store: Store):
    import mlflow
    import pandas as pd

    from flowerexp.analysis.report import make_report

    folder = write_sweep(tmp_path / "sweep", {"caching": [True, False], "preprocess.shards": [2, 4, 8]})
    make_report(folder)
    (folder / "runs.csv").write_text("run,state\n0,finished\n")
    run_id = log_sweep(folder, local_store)
    (found,) = sweeps(local_store, "x")
    assert found.run_id == run_id
    assert {factor.name for factor in found.models[0].design.factors} >= {"caching", "preprocess.shards", "reader"}
    mlflow.set_tracking_uri(local_store.uri)
    cell = {"batch_size": 4, "batch_number": 6, "preprocess.shards": 4, "reader": "tfrecords", "caching": True}
    assert mlflow.sklearn.load_model(f"runs:/{run_id}/model").predict(pd.DataFrame([cell]))[0] > 0


def test_a_run_without_a_model_says_so(tmp_path: Path, local_store: Store):
    run_id = log_run(write_run(tmp_path / "run", local_store), local_store)
    with pytest.raises(TrackingError, match=r"has no analysis/model\.json in MLflow"):
        _ = find(local_store, run_id).models
