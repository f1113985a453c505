"""Sweeps: from the command line and `sweep.*` to the runs, their configs, and what becomes of them.

The package can be called: `flowerexp.sweep(...)` is the API's `sweep`, though this package has the same name.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is also the API's function."""

    def __call__(self, *overrides: str, **place: Any) -> Any:
        """See `flowerexp.api.sweep`, which is above this package, and so found when it is called."""
        return import_module("flowerexp.api").sweep(*overrides, **place)


sys.modules[__name__].__class__ = _Callable
