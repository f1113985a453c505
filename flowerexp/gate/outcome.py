"""What came out of a gate, and the code that its process ends with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flowerexp.gate.decision import Decision, Gain, Rules, Verdict
from flowerexp.gate.runs import MadeBlock
from flowerexp.gate.sides import Side

EXIT_CODES = {"not slower": 0, "slower": 1, "inconclusive": 2, "nothing measured": 3}
"""What the process of a gate ends with."""

_NAMED = 5  # series in the answer; the table has all


@dataclass(frozen=True)
class Outcome:
    """What came out of a gate.

    Attributes:
        gate_id: the tag of all its runs.
        experiment: its name.
        command: the command line.
        rules: what was asked.
        sides: baseline and candidate; none where it did not get that far.
        blocks: the pairs of runs.
        decision: what they say; None where nothing was measured.
        error: why nothing was measured.
        notes: what a reader should know.
        seconds: how long it took.
    """

    gate_id: str
    command: str
    experiment: str = "gate"
    rules: Rules | None = None
    sides: tuple[Side, ...] = ()
    blocks: tuple[MadeBlock, ...] = ()
    decision: Decision | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict | Literal["nothing measured"]:
        """The conclusion."""
        return self.decision.verdict if self.decision else "nothing measured"

    @property
    def exit_code(self) -> int:
        """See `EXIT_CODES`."""
        return EXIT_CODES[self.verdict]

    @property
    def gains(self) -> Sequence[Gain]:
        """The gain of each series, over all blocks that count."""
        return self.decision.gains if self.decision else ()

    @property
    def left_out(self) -> list[MadeBlock]:
        """The blocks that do not count."""
        return [block for block in self.blocks if block.gains is None]


def answer(outcome: Outcome) -> str:
    """The one sentence that says it."""
    if outcome.decision is None or outcome.rules is None:
        return f"nothing measured: {outcome.error}"
    return {"not slower": _passed, "slower": _failed, "inconclusive": _open}[outcome.decision.verdict](
        outcome.decision, outcome.rules
    )


def _passed(decision: Decision, rules: Rules) -> str:
    worst = min(decision.gains, key=lambda gain: gain.low or 0.0)
    low = worst.low or 1.0
    most = f"{worst.series} is at most {slowdown(low)} slower, and {percent(rules.margin)} are allowed"
    return f"not slower: {most if low < 1 else 'every series is as fast or faster'} ({_blocks(decision)})"


def _failed(decision: Decision, rules: Rules) -> str:
    slower = [gain for gain in decision.gains if gain.verdict(rules) == "slower"]
    each = _listed([f"{gain.series} by {slowdown(gain.gain)} ({gain.gain:.3f} x, {interval(gain)})" for gain in slower])
    first = decision.looks[-2].blocks
    return f"slower: {each}; {first} blocks said so, and so do all {decision.looks[-1].blocks}"


def _open(decision: Decision, rules: Rules) -> str:
    doubt = [gain for gain in decision.gains if gain.verdict(rules) != "not slower"]
    each = _listed([f"{gain.series} {gain.gain:.3f} x ({interval(gain)})" for gain in doubt])
    return f"inconclusive: {each or 'no block counts'} ({_blocks(decision)})"


def explained(outcome: Outcome) -> list[str]:
    """What stands behind the answer, a sentence each."""
    lines = []
    decision, rules = outcome.decision, outcome.rules
    if decision and rules and decision.verdict == "inconclusive":
        lines.append(_why_open(outcome, decision, rules))
        if decision.looks[-1].verdict == "slower":
            lines.append("the last look says slower, and no look after it could confirm that")
    elif decision and decision.verdict == "not slower" and any(one.verdict == "slower" for one in decision.looks):
        lines.append("an earlier look said slower, and more blocks did not confirm it")
    lines += [f"block {block.number} is left out: {'; '.join(block.doubts)}" for block in outcome.left_out]
    return [*lines, *outcome.notes]


def _why_open(outcome: Outcome, decision: Decision, rules: Rules) -> str:
    counted, made = decision.looks[-1].blocks, len(outcome.blocks)
    spent = f"gate.max_seconds={rules.max_seconds:g} is spent" if not decision.in_time else "that was the last look"
    if counted < 2:
        return f"{counted} of {made} blocks count, and an interval needs two; {spent}"
    if decision.more is None:
        return f"{spent}; thousands of blocks like these would not decide it"
    needed = counted + decision.more
    seconds = math.ceil(outcome.seconds / made * (needed + len(outcome.left_out)) / 60) * 60
    repeats = math.ceil(needed / 2)
    hint = f"gate.repeats={repeats} gate.max_seconds={2 * seconds}"
    return f"{spent}; about {decision.more} more blocks like these would decide it: {hint}"


def slowdown(gain: float) -> str:
    """How much slower a gain below 1 is, such as `20 %`; how much faster one above 1 is."""
    return percent(abs(1 / gain - 1))


def percent(share: float) -> str:
    """A share, such as `5 %` or `0.7 %`."""
    return f"{100 * share:.3g} %"


def interval(gain: Gain) -> str:
    """A gain's interval, such as `0.801 to 0.862`."""
    return "-" if gain.low is None or gain.high is None else f"{gain.low:.3f} to {gain.high:.3f}"


def _listed(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - _NAMED} more series" if len(parts) > _NAMED else ""
    return ", ".join(parts[:_NAMED]) + more


def _blocks(decision: Decision) -> str:
    count = decision.looks[-1].blocks
    return f"{count} block{'s' * (count != 1)}"
