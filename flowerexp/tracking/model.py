"""Log models with MLflow's flavour of scikit-learn, so that anyone can load one and predict cells.

``mlflow.sklearn.load_model("runs:/RUN_ID/model")`` is a pipeline that takes a DataFrame with a column for each factor
and returns the experiment's value; ``model_seconds`` is one for seconds. They are saved with skops, whose files run no
code when they are loaded, and as artifacts of the run, so that logging a run again replaces them.
"""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.model import FILE, read

if TYPE_CHECKING:
    from flowerexp.analysis.model.predicting import Model

PLACE = "model"
"""The artifact folder of the model of a run's value; other models add their value's name."""
_NEEDS = ("scikit-learn", "pandas", "numpy", "skops")


def log_models(client: Any, run_id: str, folder: Path) -> None:
    """Log the models of a run or a sweep.

    A model takes 0.05 s and 300 kB, so the runs of a sweep are logged without one: the sweep's summary has the model of
    all its runs, and each run has its own as JSON, which `flowerexp predict` reads.

    Args:
        client: MLflow's.
        run_id: the run's.
        folder: the folder with `FILE`; without that file, nothing happens.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return
    for place, model in enumerate(read(path.read_bytes(), str(path))):
        with tempfile.TemporaryDirectory() as here:
            saved = Path(here) / PLACE
            _save(model, saved)
            client.log_artifacts(run_id, str(saved), f"{PLACE}_{model.name}" if place else PLACE)


def _save(model: Model, folder: Path) -> None:
    """Save the pipeline with its signature, an example and its requirements, which MLflow would run it to find."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from flowerexp.analysis.model.pipeline import example, pipeline

    saved, rows = pipeline(model), example(model)
    mlflow.sklearn.save_model(
        saved,
        str(folder),
        serialization_format="skops",
        signature=infer_signature(rows, saved.predict(rows)),
        input_example=rows,
        pip_requirements=[f"{name}=={version(name)}" for name in _NEEDS],
        metadata={"value": model.name, "unit": model.unit},
    )


def load_libraries() -> None:
    """Import what logging a model needs, in a thread of the caller, so that it is quick later."""
    for name in ("mlflow.sklearn", "skops.io", "sklearn.compose", "sklearn.linear_model", "sklearn.preprocessing"):
        import_module(name)
