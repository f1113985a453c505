"""What time a run is charged for: its own, beside which preparing and warming up stand apart.

Data that was prepared once is found by all later runs, and a process that is warm measures the next run, too. So what
that took depends on which run came first, and says nothing about the run's setting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flowerexp.experiment import Experiment

_OWN = ("cache", "measure")  # to fill the cache is the price of caching
_WARM_UP = "warm_up"


@dataclass(frozen=True)
class Seconds:
    """The seconds of a run.

    Attributes:
        own: what it is charged for: measuring and filling the cache; of an experiment without a phase `measure`, all
            but what its experiment calls shared.
        preparing: everything before that.
        warm_up: unmeasured work of each process.
    """

    own: float
    preparing: float
    warm_up: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.own + self.preparing + self.warm_up


def seconds_of(phases: Mapping[str, float], experiment: Experiment) -> Seconds:
    """Divide the seconds of a run's phases; those within other phases, such as `measure.rows`, are part of them.

    Args:
        phases: seconds of each.
        experiment: what was measured.
    """
    whole = {name: seconds for name, seconds in phases.items() if "." not in name}
    own = _OWN if "measure" in whole else [name for name in whole if name not in (*experiment.shared, _WARM_UP)]
    charged = math.fsum(whole.get(name, 0.0) for name in own)
    warm_up = whole.get(_WARM_UP, 0.0)
    return Seconds(charged, math.fsum(whole.values()) - charged - warm_up, warm_up)
