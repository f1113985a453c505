"""Import MLflow, which takes seconds: only when it is needed, patient for seconds and not for minutes, and silent."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from flowerexp.cluster import java

_ENVIRONMENT = {
    # MLflow tries 8 times over 4 minutes, up to 2 minutes each: a server that died is to be noticed in seconds.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    # flowerexp prints a run's address itself; and nobody asked for reports to a third party.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def load() -> None:
    """Import MLflow, without its lines about its tables and about requests that it repeats."""
    try:
        Path.home()
    except RuntimeError:  # a user without a name has none, and MLflow cannot be imported without one
        os.environ["HOME"] = str(java.own_folder())
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401  (it sets the levels of its loggers, so this comes first)

    for name in ("alembic", "mlflow.store.db.utils"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
    logging.getLogger("urllib3.connectionpool").addFilter(_is_news)  # does not add it twice


def _is_news(line: logging.LogRecord) -> bool:
    """False for a repeated request to MLflow: if none gets through, one error says so, in one line."""
    text = line.getMessage()
    return not (text.startswith("Retrying (") and "/api/2.0/mlflow" in text)
