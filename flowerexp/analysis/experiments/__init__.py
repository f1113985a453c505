"""What the analysis says about one experiment alone: a module or folder for each, found by the experiment's name.

Everything else in `analysis` follows from an experiment's declaration. Without an experiment's module, its report says
less, and nothing breaks.
"""

from __future__ import annotations

import importlib
import importlib.util

from flowerexp.analysis.experiments.extras import Extras
from flowerexp.experiment import Experiment

_NOTHING = Extras()


def extras_of(experiment: Experiment) -> Extras:
    """What the experiment's own module adds."""
    name = f"{__name__}.{experiment.name}"
    if not experiment.name.isidentifier() or importlib.util.find_spec(name) is None:
        return _NOTHING
    extras: Extras = getattr(importlib.import_module(name), "EXTRAS", _NOTHING)
    return extras
