"""Make the runs of a gate, in pairs: each is the real command in a process of its own, judged before it counts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flowerexp import records
from flowerexp.analysis.compare import comparable, ratios
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.config import recorded
from flowerexp.config.places import CONFIG, own_folder
from flowerexp.errors import FlowerexpError, JobError, TrackingError
from flowerexp.gate.sides import Name, Side
from flowerexp.measurements.loading import load
from flowerexp.tracking import Store, add_tags


class NothingMeasuredError(FlowerexpError):
    """A run of a gate failed, measured nothing, or measured something else than the others."""


@dataclass(frozen=True)
class MadeRun:
    """A run that was made.

    Attributes:
        side: whose.
        folder: what it left.
        run_id: MLflow's; None where it is not logged.
        seconds: how long it took, start and end of its process included.
        verdict: whether it can be believed: `valid`, `suspect` or `invalid`.
        reasons: why it cannot.
        code_hash: of the code that measured.
        measured: its measurements.
    """

    side: Name
    folder: Path
    run_id: str | None
    seconds: float
    verdict: str
    reasons: tuple[str, ...]
    code_hash: str
    measured: ComparedRun


@dataclass(frozen=True)
class MadeBlock:
    """A pair of runs, in the order in which they were made.

    Attributes:
        number: from 1.
        runs: both.
        gains: of each series; None where a run cannot be believed.
    """

    number: int
    runs: tuple[MadeRun, MadeRun]
    gains: Mapping[str, float] | None

    def of(self, side: Name) -> MadeRun:
        """The run of a side."""
        return next(run for run in self.runs if run.side == side)

    @property
    def doubts(self) -> list[str]:
        """Why the block does not count; nothing where it does."""
        return [f"{run.side}: {'; '.join(run.reasons)}" for run in self.runs if run.verdict != "valid"]


@dataclass
class Blocks:
    """Makes one block after the other, and keeps them.

    Attributes:
        sides: baseline and candidate.
        gate_id: the tag that all its runs have.
        store: where they are logged.
        say: told what happens, for the screen.
        made: the blocks so far.
    """

    sides: tuple[Side, Side]
    gate_id: str
    store: Store
    say: Callable[[str], None]
    made: list[MadeBlock] = field(default_factory=list)

    def __call__(self) -> Mapping[str, float] | None:
        """Make a block; the side that went second in the one before goes first.

        Returns:
            The gain of each series; None if one of the runs cannot be believed.

        Raises:
            NothingMeasuredError: a run failed, measured nothing, or measured something else than the others.
        """
        number = len(self.made) + 1
        # Who begins is left to chance, so that being first and cold favours neither side over many gates.
        turned = (number + int(self.gate_id, 16)) % 2
        first, second = [self._run(side, number) for side in (self.sides[::-1] if turned else self.sides)]
        base, other = (first, second) if first.side == "baseline" else (second, first)
        believed = first.verdict == second.verdict == "valid"
        self.made.append(MadeBlock(number, (first, second), gains(base, other) if believed else None))
        self._report()
        return self.made[-1].gains

    def _run(self, side: Side, number: int) -> MadeRun:
        run = make(side)
        found = replace(run, run_id=self._tagged(run, number))
        if found.verdict == "invalid":
            raise NothingMeasuredError(f"a run of the {side.name} is invalid: {'; '.join(found.reasons)}")
        first = self.made[0].of("baseline") if self.made else found
        refuse_others(first, found)
        return found

    def _tagged(self, run: MadeRun, number: int) -> str | None:
        tags = {"gate_id": self.gate_id, "gate_side": run.side, "gate_block": str(number)}
        try:
            return add_tags(run.folder, self.store, tags)
        except TrackingError as error:  # it is measured, and that counts
            self.say(f"MLflow has block {number} without the gate's tags: {error}")
            return None

    def _report(self) -> None:
        block = self.made[-1]
        took = ", ".join(f"{run.side} {run.seconds:.1f} s" for run in block.runs)
        left = f"; left out: {'; '.join(block.doubts)}" if block.doubts else ""
        shown = ", ".join(f"{name} {gain:.3f} x" for name, gain in sorted((block.gains or {}).items()))
        self.say(f"block {block.number}: {took}{left}{f'; {shown}' if shown else ''}")


def gains(base: MadeRun, other: MadeRun) -> dict[str, float]:
    """How many times as good a run was as another one, in each series; above 1 it was better."""
    return {one.series: one.gain.value for one in ratios([base.measured], [other.measured])}


def refuse_others(first: MadeRun, other: MadeRun) -> None:
    """All runs of a gate have to measure the same.

    Raises:
        NothingMeasuredError: one measured other cells, or other data.
    """
    between = f"the runs of {first.side} and {other.side}" if first.side != other.side else f"runs of the {other.side}"
    if reasons := comparable(first.measured, other.measured):
        raise NothingMeasuredError(f"{between} cannot be compared: {'; '.join(reasons)}")
    cells, found = ({*run.measured.measurements.firsts.cell_keys} for run in (first, other))
    if odd := sorted(cells ^ found, key=repr):
        which = other.side if odd[0] in cells else first.side
        one = " ".join(map(str, odd[0]))
        raise NothingMeasuredError(
            f"{between} measure different cells: {len(odd)} are of one side only; {which} lacks {one}"
        )


def make(side: Side) -> MadeRun:
    """Make one run, and read what it left; it is not tagged yet.

    Raises:
        NothingMeasuredError: it failed.
        JobError: its process cannot be started, or said nothing of its folder.
    """
    began = time.monotonic()
    code, out, err = _process(side)
    seconds = time.monotonic() - began
    if code:
        said = [line for line in err.splitlines() if line.strip()] or ["it said nothing"]
        last = next((line for line in reversed(said) if line.startswith("flowerexp: ")), said[-1])
        raise NothingMeasuredError(f"a run of the {side.name} failed: {last.removeprefix('flowerexp: ')}")
    named = re.search(r"^folder +(.+)$", out, re.MULTILINE)
    if named is None:
        raise JobError(f"a run of the {side.name} did not say where its folder is")
    folder = Path.cwd() / named[1]
    record = records.of_run(folder)
    config, verdict = recorded(record["config"]), record["verdict"] or {}
    rows = load(folder / "results/measurements.jsonl", config.entrypoint)
    measured = ComparedRun(side.name, config, rows, record["facts"], record["phases"], record["error"])
    reasons = tuple(verdict.get("reasons") or ())
    code_hash = str(record["facts"].get("code_hash"))
    return MadeRun(side.name, folder, None, seconds, verdict.get("state", "invalid"), reasons, code_hash, measured)


def _process(side: Side) -> tuple[int, str, str]:
    """Run `flowerexp` with the code of a side, in a session of its own: Ctrl-C reaches it once, from here."""
    others = os.environ.get("PYTHONPATH")
    own = own_folder()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(side.code), *([others] if others else [])]),
        **({CONFIG: str(own)} if own else {}),  # `rerun` makes the runs of both sides where the baseline is a run
    }
    # Without -P, a flowerexp in the current folder would be the one that is imported.
    command = [sys.executable, "-P", "-m", "flowerexp", *side.words]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate()
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.communicate()
        raise
    return process.returncode, out, err
