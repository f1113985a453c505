"""A gate from beginning to end: both sides, their blocks, and what came out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from flowerexp.errors import FlowerexpError
from flowerexp.gate.asked import Asked, Request, ask
from flowerexp.gate.decision import Decision, Rules, decide
from flowerexp.gate.outcome import Outcome
from flowerexp.gate.runs import Blocks
from flowerexp.gate.sides import Side, sides
from flowerexp.tracking import Store


def gate(request: Request, command: str, say: Callable[[str], None]) -> Outcome:
    """Make the runs of a gate, and decide.

    Args:
        request: what is compared.
        command: the command line, for the outcome.
        say: told what happens, for the screen.

    Returns:
        What came out; of what a user can mend, an outcome that says it.
    """
    began = time.monotonic()
    gate_id = secrets.token_hex(4)
    outcome = Outcome(gate_id, command)
    try:
        asked = ask(request)
        rules = Rules(asked.config.gate.margin, asked.config.gate.repeats, asked.config.gate.max_seconds)
        outcome = Outcome(gate_id, command, asked.config.entrypoint.name, rules, notes=asked.notes)
        with sides(asked) as both:
            outcome = Outcome(gate_id, command, outcome.experiment, rules, both, notes=_notes(asked, both))
            say(f"gate {gate_id}: {both[1].said} against {both[0].said}")
            blocks = Blocks(both, gate_id, Store.of(asked.config.tracking), say)
            outcome = _made(outcome, rules, blocks, began)
    except FlowerexpError as error:
        outcome = replace(outcome, error=str(error))
    return replace(outcome, seconds=time.monotonic() - began)


def _made(outcome: Outcome, rules: Rules, blocks: Blocks, began: float) -> Outcome:
    """The outcome once its runs are made."""
    decision: Decision | None = None
    error = None
    try:
        decision = decide(rules, blocks, lambda: time.monotonic() - began)
    except FlowerexpError as problem:
        error = str(problem)
    return replace(outcome, blocks=tuple(blocks.made), decision=decision, error=error)


def _notes(asked: Asked, both: tuple[Side, Side]) -> tuple[str, ...]:
    """What a reader should know of the two sides."""
    base, candidate = both
    alike = (base.words, base.code) == (candidate.words, candidate.code)
    same = ("both sides run the same code with the same config: only chance can differ",) if alike else ()
    return (*asked.notes, *same)
