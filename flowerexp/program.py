"""How flowerexp was started, so that a command that it prints can be typed as it is printed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "flowerexp"


def program() -> str:
    """What to type for `flowerexp` here: the word, where a shell finds it; else its path, or Python with `-m`."""
    started = Path(sys.argv[0] if sys.argv else "")
    if started.name == NAME and started.is_file():
        return NAME if _found(NAME, started) else _typed(started)
    main = sys.modules.get("__main__")
    if getattr(getattr(main, "__spec__", None), "name", None) == f"{NAME}.__main__":
        python = Path(sys.executable)
        return f"{python.name if _found(python.name, python) else _typed(python)} -m {NAME}"
    return NAME


def _found(name: str, path: Path) -> bool:
    found = shutil.which(name)
    return found is not None and Path(found).absolute() == path.absolute()


def _typed(path: Path) -> str:
    """A path as short as it can be typed in the current folder."""
    here, path = Path.cwd(), path.absolute()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
