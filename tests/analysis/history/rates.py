"""How often are changes found that are not there, and missed that are? `python -m tests.analysis.history.rates`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flowerexp.analysis.history.changes import levels
from flowerexp.measurements.table import Array

DEVIATION = 0.03
"""The standard deviation of a point's logarithm."""
STEP = float(np.log(1.1))
"""Of the logarithm: 10 %."""

_LONG = 4096  # of which a line of 1/f noise is a part: it wanders over longer times than its own

Noise = Callable[[np.random.Generator, int], Array]
"""Given chance and a number of points: their deviations from the level, with a standard deviation of 1."""


def white(chance: np.random.Generator, n: int) -> Array:
    """Independent points."""
    return chance.standard_normal(n)


def correlated(share: float) -> Noise:
    """Points that are alike their neighbours: a first-order autoregression."""

    def noise(chance: np.random.Generator, n: int) -> Array:
        points = chance.standard_normal(n)
        for place in range(1, n):
            points[place] = share * points[place - 1] + np.sqrt(1 - share**2) * points[place]
        return points

    return noise


def heavy(chance: np.random.Generator, n: int) -> Array:
    """Points of which some are far off: Student's t with three degrees of freedom."""
    return np.asarray(chance.standard_t(3, n) / np.sqrt(3))


def wandering(chance: np.random.Generator, n: int) -> Array:
    """1/f noise: as much between weeks as between days."""
    frequencies = np.fft.rfftfreq(_LONG)[1:]
    parts = chance.standard_normal((2, len(frequencies))) / np.sqrt(frequencies)
    whole = np.fft.irfft(np.concatenate([[0], parts[0] + 1j * parts[1]]))
    first = int(chance.integers(0, _LONG - n))
    return np.asarray(whole[first : first + n] / whole.std())


NOISES: dict[str, Noise] = {
    "independent": white,
    "alike by 0.3": correlated(0.3),
    "alike by 0.5": correlated(0.5),
    "alike by 0.7": correlated(0.7),
    "some far off": heavy,
    "1/f": wandering,
}


def line(noise: Array, sides: tuple[int, ...] = ()) -> Array:
    """Values of a line: its noise around levels that alternate by 10 %, each as long as `sides` says."""
    high = np.repeat(np.arange(len(sides)) % 2, sides) if sides else np.zeros(len(noise))
    return np.asarray(100 * np.exp(DEVIATION * noise + STEP * high))


def found(noise: Noise, sides: tuple[int, ...], lines: int, seed: int = 0) -> list[list[int]]:
    """The places of the steps that are found in some lines.

    Args:
        noise: of each point.
        sides: the points of each level; one level has no step.
        lines: how many lines.
        seed: of chance.
    """
    chance = np.random.default_rng(seed)
    answers = [levels([*line(noise(chance, sum(sides)), sides)]) for _ in range(lines)]
    return [[step.at for step in answer.steps] if answer else [] for answer in answers]


def share(answers: list[list[int]], least: int = 1) -> float:
    """The share of lines in which at least so many steps were found."""
    return sum(len(steps) >= least for steps in answers) / len(answers)


if __name__ == "__main__":
    LINES = 1000
    for name, noise in NOISES.items():
        alarms = [share(found(noise, (n,), LINES)) for n in (8, 12, 20, 40, 80)]
        print(f"| {name} | {' | '.join(f'{alarm:.1%}' for alarm in alarms)} |", flush=True)  # noqa: T201
    for sides in ((4, 4), (6, 6), (10, 10), (16, 4), (36, 4), (20, 20), (14, 13, 13)):
        powers = [share(found(NOISES[name], sides, LINES), len(sides) - 1) for name in ("independent", "alike by 0.3")]
        print(f"| {' + '.join(map(str, sides))} | {' | '.join(f'{power:.0%}' for power in powers)} |", flush=True)  # noqa: T201
