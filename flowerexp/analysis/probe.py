"""How fast was the host itself, by the probe beside each measurement (`measure.probe`)?

What the probe tells was measured (docs/how-it-measures.md, benchmarks/host_probe.py): the mean over a run goes along
with the run's rate, while a single probe says little about the measurement beside it. So everything here is about
runs, or halves of them. Levels are means of logarithms: differences of levels are ratios of speeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.estimate import Interval, student
from flowerexp.measurements.table import Array, Measurements

CHANGED = 0.10
"""A change of the host's speed within a run that is worth a doubt, unless chance explains it."""
_CHANCE = 0.01
_FEWEST = 8  # probes: four in each half


@dataclass(frozen=True)
class HostSpeed:
    """How fast a run's host was.

    Attributes:
        level: the mean logarithm of `probe_seconds`; a higher one is a slower host.
        error: the standard error of that mean.
        freedom: its degrees of freedom.
        spread: the standard deviation of the logarithms: how much the speed varied from one measurement to the next.
        change: how much faster the second half of the run was, as a share; below 0 it was slower.
        chance: Student's two-sided probability of a change as large, if the speed of the host did not change; Welch's
            test takes the probes for independent.
    """

    level: float
    error: float
    freedom: int
    spread: float
    change: float
    chance: float


def host_speed(measurements: Measurements) -> HostSpeed | None:
    """The speed of a run's host; of several hosts, that of all together, each measured against its own mean.

    Returns:
        None with fewer than eight probes.
    """
    firsts = measurements.firsts
    known = firsts.where(firsts.numbers("probe_seconds") > 0)
    if len(known) < _FEWEST:
        return None
    logs = np.log(known.numbers("probe_seconds"))
    hosts = known.texts("host")[0] + 1  # -1 is a row that does not say
    own = logs - (np.bincount(hosts, logs) / np.maximum(np.bincount(hosts), 1))[hosts]
    freedom = len(logs) - len(np.unique(hosts))
    if freedom < 1:
        return None
    spread = math.sqrt(float((own**2).sum()) / freedom)
    change, chance = _change(own[np.argsort(known.numbers("started_at"), kind="stable")])
    return HostSpeed(float(logs.mean()), spread / math.sqrt(len(logs)), freedom, spread, change, chance)


def _change(logs: Array) -> tuple[float, float]:
    """From the first half of some logarithms to the second one: a share of the speed, and how probable by chance."""
    from scipy.special import stdtr  # scipy.stats takes a second to import

    halves = np.array_split(logs, 2)
    slower = float(halves[1].mean() - halves[0].mean())
    parts = [float(half.var(ddof=1)) / len(half) for half in halves]
    if not sum(parts):
        return math.expm1(-slower), 0.0 if slower else 1.0  # no noise at all
    freedom = sum(parts) ** 2 / sum(part**2 / (len(half) - 1) for part, half in zip(parts, halves, strict=True))
    return math.expm1(-slower), 2 * float(stdtr(freedom, -abs(slower) / math.sqrt(sum(parts))))


def doubt(speed: HostSpeed | None) -> str | None:
    """The reason to doubt a run, by its host's speed; None without one."""
    if speed is None or abs(speed.change) <= CHANGED or speed.chance > _CHANCE:
        return None
    return (
        f"the host was {abs(speed.change):.0%} {'slower' if speed.change < 0 else 'faster'} in the second half of the "
        "run, by the probe beside each measurement"
    )


def relative(base: HostSpeed, other: HostSpeed) -> Interval:
    """How many times as fast the other run's host was, with a 95 % interval.

    A ratio of rates that is divided by it is adjusted for the hosts' speed; the interval of the adjusted ratio is as
    wide as both together. Only probes of the same installation of Python can be compared.
    """
    faster, error = base.level - other.level, math.hypot(base.error, other.error)
    reach = student(min(base.freedom, other.freedom)) * error
    return Interval(math.exp(faster), math.exp(faster - reach), math.exp(faster + reach))
