"""What came out of a gate, as Markdown: a comment on a pull request, or the summary of a workflow."""

from __future__ import annotations

from flowerexp.escape import markdown, markdown_cell
from flowerexp.gate.outcome import Outcome, answer, explained, interval, percent
from flowerexp.gate.output.text import said_of_gains

_HEADS = {
    "not slower": "Not slower",
    "slower": "Slower",
    "inconclusive": "Inconclusive",
    "nothing measured": "Nothing was measured",
}


def as_markdown(outcome: Outcome) -> str:
    """A heading with the verdict, the answer, the series, what stands behind it, and how to do it again."""
    parts = [
        f"### {_HEADS[outcome.verdict]}: {markdown(outcome.experiment)}",
        markdown(answer(outcome)),
        _series(outcome),
        "\n".join(f"- {markdown(line)}" for line in explained(outcome)),
        _compared(outcome),
        f"<details><summary>Do it again</summary>\n\n{_code(outcome)}\n\n</details>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _series(outcome: Outcome) -> str:
    rules = outcome.rules
    if not outcome.gains or rules is None:
        return ""
    lines = ["| series | gain | 95 % interval | verdict |", "| --- | ---: | --- | --- |"]
    for gain in outcome.gains:
        cells = [markdown_cell(gain.series), f"{gain.gain:.3f}", interval(gain), gain.verdict(rules)]
        lines.append(f"| {' | '.join(cells)} |")
    said = f"The gain is {said_of_gains(len(outcome.gains))}. The margin is {percent(rules.margin)}."
    return "\n".join(lines) + f"\n\n{said}"


def _compared(outcome: Outcome) -> str:
    if not outcome.sides:
        return ""
    base, candidate = outcome.sides
    counted = len(outcome.blocks) - len(outcome.left_out)
    pairs = f"{counted} pairs of runs count" if counted != 1 else "1 pair of runs counts"
    where = f"gate {outcome.gate_id}, {pairs}, {outcome.seconds:.0f} s"
    return f"{markdown(candidate.said)} against {markdown(base.said)} ({where})"


def _code(outcome: Outcome) -> str:
    """The command and the ids of the runs, in a block that nothing in them can end."""
    ids = [run.run_id or str(run.folder) for block in outcome.blocks for run in block.runs]
    lines = [outcome.command, *([f"flowerexp compare {' '.join(ids)}"] if ids else [])]
    return "\n".join(f"    {' '.join(line.split())}" for line in lines)
