"""Is the candidate slower? The decision of a gate, from the gains of its blocks; nothing here runs or reads anything.

A block is a pair of runs, one of each side, made directly one after the other. It gives a gain for each series: how
many times as good the candidate was, so that above 1 the candidate is better.

How often it errs. Looking after each block would find a difference sooner or later where there is none, so there are
three looks at most: after `repeats` blocks, after twice and after four times as many. At each of them, the intervals
hold the true gains of all series with 95 % (Student's interval of the paired logarithms, Bonferroni over the series),
so that with the same code on both sides one of them lies wholly below 1 in at most 2.5 %. "Slower" is only raised if
two looks in a row find it, which leaves two looks that can raise it: at most 2 x 2.5 % = 5 % of gates of the same code
do so (Bonferroni again). A candidate that is slower by the whole margin passes in at most 3 x 2.5 %.
`tests/gate/test_decision.py` counts both.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["not slower", "slower", "inconclusive"]
Block = Mapping[str, float]
"""The gain of each series in one block."""

LOOKS = (1, 2, 4)
"""When it is decided: after so many times `repeats` blocks."""

_OUTSIDE = 0.05  # of all series together
_MOST = 10_000  # blocks that an estimate of how many it takes reaches to


@dataclass(frozen=True)
class Rules:
    """What is asked of a gate.

    Attributes:
        margin: how much slower is not slower yet, as a share.
        repeats: blocks until the first look.
        max_seconds: the time after which no block is added to those of the first look.
    """

    margin: float
    repeats: int
    max_seconds: float

    @property
    def floor(self) -> float:
        """The gain of a candidate that is slower by the whole margin."""
        return 1 / (1 + self.margin)


@dataclass(frozen=True)
class Gain:
    """A series' gain over some blocks, with its interval; without ends where there are fewer than two blocks."""

    series: str
    gain: float
    low: float | None
    high: float | None

    def verdict(self, rules: Rules) -> Verdict:
        """The conclusion on this series alone."""
        if self.low is None or self.high is None:
            return "inconclusive"
        if self.low > rules.floor:
            return "not slower"
        return "slower" if self.high < 1 else "inconclusive"


@dataclass(frozen=True)
class Look:
    """What some blocks say."""

    blocks: int
    verdict: Verdict
    gains: tuple[Gain, ...]


@dataclass(frozen=True)
class Decision:
    """What a gate has found.

    Attributes:
        verdict: the conclusion.
        looks: each time that it looked, the last one last.
        in_time: whether all blocks that the looks ask for were made.
        more: how many more blocks would decide it, if these are typical; None where that is not known, or not needed.
    """

    verdict: Verdict
    looks: tuple[Look, ...]
    in_time: bool
    more: int | None = None

    @property
    def gains(self) -> tuple[Gain, ...]:
        """Those of the last look."""
        return self.looks[-1].gains


def decide(rules: Rules, run_block: Callable[[], Block | None], elapsed: Callable[[], float]) -> Decision:
    """Run blocks until it is known whether the candidate is slower, or the time is spent.

    Args:
        rules: what is asked.
        run_block: runs a block; None for one that cannot be believed, which another one replaces.
        elapsed: seconds since the gate began.

    Returns:
        The decision; "slower" was found by two looks in a row, the second one over twice as many blocks.
    """
    blocks: list[Block] = []
    looks: list[Look] = []
    made = 0
    for times in LOOKS:
        while len(blocks) < rules.repeats * times:
            if made >= rules.repeats and elapsed() * (made + 1) / made > rules.max_seconds:
                break
            made += 1
            if block := run_block():
                blocks.append(block)
        if not looks or len(blocks) > looks[-1].blocks:
            looks.append(look(blocks, rules))
        in_time = len(blocks) == rules.repeats * times
        verdict = looks[-1].verdict
        is_confirmed = in_time and len(looks) > 1 and looks[-2].verdict == "slower"
        if verdict == "not slower" or (verdict == "slower" and is_confirmed):
            return Decision(verdict, tuple(looks), in_time)
        if not in_time:
            break
    return Decision("inconclusive", tuple(looks), in_time, more_blocks(blocks, rules))


def look(blocks: Sequence[Block], rules: Rules) -> Look:
    """What some blocks say: all series have to be good, and one that is slower is enough."""
    gains = gains_over(blocks)
    found = {gain.verdict(rules) for gain in gains}
    verdict: Verdict = "slower" if "slower" in found else "not slower" if found == {"not slower"} else "inconclusive"
    return Look(len(blocks), verdict, gains)


def gains_over(blocks: Sequence[Block]) -> tuple[Gain, ...]:
    """The gain of each series over some blocks: a geometric mean, with an interval adjusted for all series."""
    series = sorted(blocks[0]) if blocks else []
    return tuple(_gain(name, [math.log(block[name]) for block in blocks], len(series)) for name in series)


def _gain(series: str, logs: Sequence[float], families: int) -> Gain:
    middle = statistics.fmean(logs)
    if len(logs) < 2:
        return Gain(series, math.exp(middle), None, None)
    reach = _quantile(len(logs) - 1, families) * _deviation(logs) / math.sqrt(len(logs))
    return Gain(series, math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def _deviation(logs: Sequence[float]) -> float:
    """The standard deviation; that of `statistics` computes with fractions, which takes long."""
    middle = statistics.fmean(logs)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in logs) / (len(logs) - 1))


@functools.cache
def _quantile(freedom: int, families: int) -> float:
    """Student's quantile, such that intervals of so many series hold all true values with 95 %."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(freedom, 1 - _OUTSIDE / 2 / families))


def more_blocks(blocks: Sequence[Block], rules: Rules) -> int | None:
    """How many more blocks would decide it, if their gains are spread as those that there are.

    Returns:
        The number; None with fewer than two blocks, or where thousands would not do.
    """
    if len(blocks) < 2:
        return None
    of_each = [[math.log(block[name]) for block in blocks] for name in blocks[0]]
    floor, families = math.log(rules.floor), len(of_each)
    passing = [_enough(logs, statistics.fmean(logs) - floor, families) for logs in of_each]
    failing = [_enough(logs, -statistics.fmean(logs), families) for logs in of_each]
    found = [each for each in failing if each is not None]
    if all(each is not None for each in passing):
        found.append(max(each for each in passing if each is not None))
    return max(1, min(found) - len(blocks)) if found else None


def _enough(logs: Sequence[float], distance: float, families: int) -> int | None:
    """How many blocks make an interval that reaches less far than a distance; None for more than thousands."""
    spread = _deviation(logs)
    short, long = 1, _MOST

    def reaches(count: int) -> bool:
        return _quantile(count - 1, families) * spread / math.sqrt(count) < distance

    if not reaches(long):
        return None
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (short, middle) if reaches(middle) else (middle, long)
    return long
