"""First on PYTHONPATH of every job: hides from driver and workers what a node of the cluster would not have.

FAKE_IMAGE_LACKS names the hidden modules, separated by commas. A hidden module can be imported from what the job itself
brought (its --py-files, archives, working directory), never from this machine's own site-packages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# Relative ones too: `site` has made them absolute in sys.path.
_BROUGHT = [str(Path(path).absolute()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
_OF_THE_MACHINE = {path for path in sys.path if path not in _BROUGHT}
_LACKED = tuple(name for name in os.environ.get("FAKE_IMAGE_LACKS", "").split(",") if name)


def _is_of_the_machine(entry: str) -> bool:
    return any(entry == path or entry.startswith(path + os.sep) for path in _OF_THE_MACHINE if "-packages" in path) or (
        entry in _OF_THE_MACHINE
    )


class _Image:
    """A finder that is asked before all others."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(name == lacked or name.startswith(lacked + ".") for lacked in _LACKED):
            return None
        entries = [entry for entry in (sys.path if path is None else path) if not _is_of_the_machine(entry)]
        spec = PathFinder.find_spec(name, entries, target)
        if spec is None:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return spec


sys.meta_path.insert(0, _Image())
