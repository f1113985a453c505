"""Log networks with MLflow's flavour of Keras, so that ``mlflow models serve`` serves them.

A run attaches a network as ``NAME.keras``, and an example of its input as ``NAME.npy``. Reading it needs TensorFlow,
which takes seconds and 500 MB: a child process does it, ``python -m flowerexp.tracking.network``, and only where a run
has attached a network.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flowerexp.errors import TrackingError

_LOGGER = logging.getLogger(__name__)
_NEEDS = ("keras", "tensorflow", "numpy")


def log_networks(client: Any, run_id: str, attached: Path) -> None:
    """Log the networks of a run as artifacts with the names of their files, which replaces those of an earlier call.

    Args:
        client: MLflow's.
        run_id: the run's.
        attached: the folder with the files that the run attached.

    Raises:
        TrackingError: a network cannot be saved as a model.
    """
    files = sorted(attached.glob("*.keras"))
    if files and importlib.util.find_spec("tensorflow") is None:
        _LOGGER.warning("no MLflow model of %s: TensorFlow is not installed here", files[0].name)
        return
    for file in files:
        with tempfile.TemporaryDirectory() as here:
            saved = Path(here) / file.stem
            _save_elsewhere(file, saved)
            client.log_artifacts(run_id, str(saved), file.stem)


def _save_elsewhere(file: Path, folder: Path) -> None:
    """Save a network in a process that ends with it."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", __name__, str(file), str(folder)]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise TrackingError(f"{file} cannot be logged as a model: {last}")


def save(file: Path, folder: Path) -> None:
    """Save a network as a model of MLflow, with its signature, the example of its input, and its requirements.

    Args:
        file: a `.keras` file; the example is beside it.
        folder: where the model goes; it does not exist yet.
    """
    import keras
    import mlflow.keras
    import numpy as np
    from mlflow.models import infer_signature

    network = keras.saving.load_model(file, compile=False, safe_mode=True)
    example = np.load(file.with_suffix(".npy"), allow_pickle=False)
    folder.mkdir()  # MLflow writes the example before it makes the folder
    mlflow.keras.save_model(
        network,
        str(folder),
        signature=infer_signature(example, network.predict(example, verbose=0)),
        input_example=example,
        pip_requirements=[f"{name}=={version(name)}" for name in _NEEDS],
    )


if __name__ == "__main__":
    save(*map(Path, sys.argv[1:]))
