"""What came out of a gate, for the screen: the answer first."""

from __future__ import annotations

from flowerexp.gate.outcome import Outcome, answer, explained, interval
from flowerexp.text_table import text_table


def text(outcome: Outcome) -> str:
    """The answer, the series, and what stands behind it."""
    blocks = [answer(outcome), _series(outcome), "\n".join(_rest(outcome))]
    return "\n\n".join(filter(None, blocks))


def _series(outcome: Outcome) -> str:
    if not outcome.gains or outcome.rules is None:
        return ""
    lines = [["series", "gain", "interval", "verdict"]]
    for gain in outcome.gains:
        lines.append([gain.series, f"{gain.gain:.3f}", interval(gain), gain.verdict(outcome.rules)])
    return text_table(lines, right=(1,))


def _rest(outcome: Outcome) -> list[str]:
    lines = [f"note       {line}" for line in explained(outcome)]
    lines += [f"{side.name:<10} {side.said}" for side in outcome.sides]
    if outcome.gains:
        lines.append(f"gain       {said_of_gains(len(outcome.gains))}")
    if outcome.blocks:
        lines.append(f"gate       {outcome.gate_id}: all its runs have the tag gate_id in MLflow")
    return lines


def said_of_gains(series: int) -> str:
    """What a gain is, and its interval."""
    said = "how many times as good the candidate is, by pairs of runs; "
    if series == 1:
        return f"{said}the interval contains the true gain with 95 % probability"
    return (
        f"{said}together the intervals contain the true gains of all {series} series with 95 % probability (Bonferroni)"
    )
