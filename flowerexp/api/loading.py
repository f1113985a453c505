"""Read a run or a sweep again that was made earlier, in Python or by the command line."""

from __future__ import annotations

from pathlib import Path

from flowerexp.api.results import Run, Sweep


def load(name: str | Path, home: str | Path | None = None) -> Run | Sweep:
    """Find a run or a sweep.

    Args:
        name: what every command takes: a folder or a part of its name, ``SWEEP/RUN``, an MLflow run_id or its
            beginning, a name in MLflow, or ``last``.
        home: where to look; by default ``FLOWEREXP_HOME``, or else the current folder.

    Raises:
        FlowerexpError: nothing fits, or several do; or its folder is not on this machine.
    """
    from flowerexp.api.left_alone import left_alone
    from flowerexp.lookup.names import find, folder_of
    from flowerexp.lookup.place import Place

    place = Place.at(home)
    with left_alone():
        found = find(str(name), place)
        folder = folder_of(found, place)
    return Sweep(folder) if found.kind == "sweep" else Run(folder)
