"""What came out of a gate, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flowerexp.gate.outcome import Outcome, answer, explained
from flowerexp.gate.runs import MadeBlock


def as_json(outcome: Outcome) -> str:
    """An object: the verdict with its exit code, the series, every look and every run."""
    decision, rules = outcome.decision, outcome.rules
    content: dict[str, Any] = {
        "gate_id": outcome.gate_id,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "answer": answer(outcome),
        "notes": explained(outcome),
        "experiment": outcome.experiment,
        "command": outcome.command,
        "rules": asdict(rules) if rules else None,
        "seconds": round(outcome.seconds, 3),
        "sides": {side.name: {"what": side.said, "words": list(side.words)} for side in outcome.sides},
        "series": [{**asdict(gain), "verdict": gain.verdict(rules)} for gain in outcome.gains if rules],
        "looks": [asdict(look) for look in decision.looks] if decision else [],
        "more_blocks": decision.more if decision else None,
        "blocks": [_block(block) for block in outcome.blocks],
    }
    return json.dumps(content, indent=1) + "\n"


def _block(block: MadeBlock) -> dict[str, Any]:
    runs = [
        {
            "side": run.side,
            "run_id": run.run_id,
            "folder": str(run.folder),
            "seconds": round(run.seconds, 3),
            "verdict": run.verdict,
            "reasons": list(run.reasons),
            "code_hash": run.code_hash,
        }
        for run in block.runs
    ]
    return {"number": block.number, "runs": runs, "gains": block.gains and dict(block.gains)}
