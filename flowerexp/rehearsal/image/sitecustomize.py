"""First on PYTHONPATH of every job: hides from driver and workers what a node of the cluster would not have.

FAKE_IMAGE_LACKS names the hidden modules, separated by commas. Where FAKE_IMAGE_HAS is set, all are hidden beside those
that it names, Spark's own, and the standard library. A hidden module can be imported from what the job itself
brought (its --py-files, archives, working directory), never from this machine's own site-packages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

# Relative ones too: `site` has made them absolute in sys.path.
_BROUGHT = [str(Path(path).absolute()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
_OF_THE_MACHINE = {path for path in sys.path if path not in _BROUGHT}
_LACKED = tuple(name for name in os.environ.get("FAKE_IMAGE_LACKS", "").split(",") if name)

_STANDARD_LIBRARY = [str(Path(os.__file__).parent), str(Path(os.__file__).parent / "lib-dynload")]
_HAS = os.environ.get("FAKE_IMAGE_HAS")
_SHOWN = ("pyspark", "py4j", *(name for name in (_HAS or "").split(",") if name))


def _is_hidden(name: str) -> bool:
    if any(name == lacked or name.startswith(lacked + ".") for lacked in _LACKED):
        return True
    top = name.partition(".")[0]
    if _HAS is None or top in sys.stdlib_module_names or PathFinder.find_spec(top, _STANDARD_LIBRARY) is not None:
        return False
    return not any(f"{name}.".startswith(f"{shown}.") or shown.startswith(f"{name}.") for shown in _SHOWN)


def _is_of_the_machine(entry: str) -> bool:
    return any(entry == path or entry.startswith(path + os.sep) for path in _OF_THE_MACHINE if "-packages" in path) or (
        entry in _OF_THE_MACHINE
    )


class _Image:
    """Stands in the place of the finders of modules in files."""

    def __init__(self, finders: Sequence[Any]) -> None:
        self._finders = finders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if _is_hidden(name):
            entries = [entry for entry in (sys.path if path is None else path) if not _is_of_the_machine(entry)]
            return PathFinder.find_spec(name, entries, target)
        found = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in found if spec is not None), None)

    def invalidate_caches(self) -> None:
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()


_NOT_FILES = (BuiltinImporter, FrozenImporter)
sys.meta_path[:] = [*_NOT_FILES, _Image([finder for finder in sys.meta_path if finder not in _NOT_FILES])]
