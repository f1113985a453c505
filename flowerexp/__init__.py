"""flowerexp: experiments described in YAML, run as Spark jobs here or on a cluster, logged to MLflow.

In Python: `run` and `sweep` start what the command line starts, `load` reads it again, `compare` compares; see
docs/python.md. Importing this imports nothing heavy: that is left until one of them is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowerexp.api import Comparison, Run, Sweep, compare, load, run, sweep
    from flowerexp.errors import FlowerexpError

__version__ = "0.1.0"
"""The only place that holds the version: the package's metadata, `--version` and the records of runs read it."""

__all__ = ["Comparison", "FlowerexpError", "Run", "Sweep", "compare", "load", "run", "sweep"]

_PLACES = {"FlowerexpError": "flowerexp.errors"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flowerexp' has no attribute '{name}'")
    if name == "sweep":  # also the package of that name, which can be called
        return import_module("flowerexp.sweep")
    return getattr(import_module(_PLACES.get(name, "flowerexp.api")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
