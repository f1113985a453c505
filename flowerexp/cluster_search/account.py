"""What a search for a cluster tells: a line before and after each run, its result at the end, and `search.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.journal import SEARCH
from flowerexp.search import (
    Candidate,
    Objective,
    Observation,
    Recommendation,
    Search,
    SmokeRun,
    Status,
    Stop,
    Suggestion,
    amount,
    hopeless,
)


@dataclass(frozen=True)
class Try:
    """A run that the search was told of: its candidate and folder, what came of it, and why it was chosen."""

    candidate: Candidate
    run: str
    seen: Observation
    prior: bool
    step: Suggestion | None


class SearchAccount:
    """The account of a search.

    Args:
        search: the search, which is told elsewhere.
        runs: the folder's name of each candidate's run.
    """

    def __init__(self, search: Search, runs: Mapping[str, str]) -> None:
        self._search = search
        self._runs = runs
        self.smoke: Mapping[str, SmokeRun] | None = None  # by their candidates' names; None where none are asked for
        self._tries: list[tuple[Try, tuple[Candidate, float] | None]] = []
        self._last: dict[str, Any] = {}

    def add(self, one: Try) -> None:
        """Take note of a run that the search was just told of."""
        self._tries.append((one, self._search.best()))

    def count(self, status: Status) -> int:
        """How many runs of the search ended so."""
        return sum(one.seen.status is status and not one.prior for one, _ in self._tries)

    def opening(self) -> str:
        """What is searched for."""
        settings = self._search.settings
        known = sum(one.prior for one, _ in self._tries)
        what = "cheapest" if settings.objective is Objective.COST else "fastest"
        bounds = [f"at most {settings.max_seconds:g} s"] if settings.max_seconds is not None else []
        bounds += [f"at most ${settings.max_usd:g}"] if settings.max_usd is not None else []
        kept = f" of those that take {' and '.join(bounds)}" if bounds else ""
        return f"searching the {what} of {len(self._runs)} clusters{kept}" + (f"; {known} are known" if known else "")

    def announcement(self, step: Suggestion) -> str:
        """Which cluster is tried, why, and for how long at most."""
        limit = f"; at most {_time(step.limits.seconds)}" if step.limits.seconds is not None else ""
        number = sum(not one.prior and one.seen.status.ran for one, _ in self._tries)
        return f"try {number + 1}     {step.candidate.name}: {step.explanation}{limit}"

    def outcome(self, error: str) -> str:
        """What came of the latest run, and the best so far."""
        one, best = self._tries[-1]
        status = one.seen.status
        came_to = "" if not status.ran else f" {_price(one.seen.cost)}{_time(one.seen.seconds or 0.0)}"
        why = f": {error}" if error else ""
        so_far = f"best so far {best[0].name}, {self._text(best[1])}" if best else "nothing to rent so far"
        return f"{status:<9} {one.candidate.name}{came_to}{why}; {so_far}"

    def write(self, folder: Path, stop: Stop | None, spent: float) -> None:
        """Write `search.json`: the settings, each run and its reason, each candidate's prediction, what to rent.

        Args:
            folder: the sweep's.
            stop: why the search ended; None if something stopped it.
            spent: what its clusters have cost in US dollars, starts included; 0 if none of them has a list price.
        """
        found = self._search.recommendation()
        self._last = {
            "settings": asdict(self._search.settings),
            "unit": "usd" if self._search.settings.objective is Objective.COST else "seconds",
            "finished": stop is not None,
            "why": stop.why if stop else "stopped",
            "explanation": stop.explanation if stop else "it was stopped, and can be resumed",
            "recommendation": self._recommendation(found, spent),
            "candidates": [
                {
                    **{key: value for key, value in vars(one).items() if key != "candidate"},
                    **asdict(one.candidate),
                    "run": self._runs[one.candidate.name],
                }
                for one in found.predictions
            ],
            "tries": [self._try(one, best) for one, best in self._tries],
            "smoke": self._smoke(),
        }
        self._last = _finite(self._last)
        records.write(folder / SEARCH, self._last)

    def _recommendation(self, found: Recommendation, spent: float) -> dict[str, Any]:
        """What to rent. The dollars spent are those of the clusters, where they have a price, else of the runs."""
        cost = self._search.settings.objective is Objective.COST
        of_smoke = [one for one in (self.smoke or {}).values() if not one.prior and one.status.ran]
        smoke = sum((one.usd if cost else one.seconds) or 0.0 for one in of_smoke)
        spent_usd = spent or (found.spent + smoke if cost else None)
        pays_after = None
        if found.winner and found.typical:
            saved = found.typical - (found.value or 0.0)
            spend = (spent_usd or 0.0) if cost else found.spent + smoke
            pays_after = spend / saved if saved > 0 else None
        dropped = sum(one.seen.status is Status.DROPPED for one, _ in self._tries)
        return {
            "winner": found.winner.name if found.winner else None,
            "value": found.value,
            "usd": self._of(found.winner, "usd"),
            "seconds": self._of(found.winner, "seconds"),
            "runner_up": found.runner_up.name if found.runner_up else None,
            "runner_up_value": found.runner_up_value,
            "probability_best": found.probability_best,
            "runs": found.runs,
            "spent_usd": spent_usd,
            "typical": found.typical,
            "pays_after": pays_after,
            **(
                {"smoke_runs": len(of_smoke), "smoke_spent": smoke, "dropped": dropped}
                if self.smoke is not None
                else {}
            ),
        }

    def _smoke(self) -> list[dict[str, Any]] | None:
        """The smoke runs, each with the reason why its cluster is left out, if it is."""
        if self.smoke is None:
            return None
        out = hopeless(self.smoke, self._search.settings)
        return [
            {
                "candidate": name,
                "status": one.status,
                "seconds": one.seconds,
                "usd": one.usd,
                "prior": one.prior,
                "error": one.error,
                "dropped": out.get(name),
            }
            for name, one in self.smoke.items()
        ]

    def _of(self, candidate: Candidate | None, what: str) -> float | None:
        """The mean of a candidate's finished runs, in dollars or seconds."""
        own = [one for one, _ in self._tries if one.candidate == candidate and one.seen.status is Status.FINISHED]
        values = [one.seen.cost if what == "usd" else one.seen.seconds for one in own]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def _try(self, one: Try, best: tuple[Candidate, float] | None) -> dict[str, Any]:
        step = one.step
        return {
            "candidate": one.candidate.name,
            "run": one.run,
            "status": one.seen.status,
            "seconds": one.seen.seconds,
            "usd": one.seen.cost,
            "prior": one.prior,
            "why": step.why if step else None,
            "explanation": step.explanation if step else None,
            "expected_saving": step.expected_saving if step else None,
            "expected_spend": step.expected_spend if step else None,
            "limit_seconds": step.limits.seconds if step else None,
            "best": best[0].name if best else None,
            "best_value": best[1] if best else None,
        }

    def closing(self) -> list[str]:
        """What the search has come to, by what `write` wrote."""
        found = self._last["recommendation"]
        lines = ["", f"stopped   {self._last['explanation']}"]
        if found["winner"] is None:
            return [*lines, "rent      none: no cluster finished the run within the constraints so far"]
        lines.append(f"rent      {found['winner']}: {_price(found['usd'])}{_time(found['seconds'])} a run")
        if found["runner_up"]:
            lines.append(f"next best {found['runner_up']}: {self._text(found['runner_up_value'])}")
        lines.append(f"sure      {found['probability_best']:.0%} that none of those not tried is better")
        spent = f"{amount(found['spent_usd'], Objective.COST)} on " if found["spent_usd"] is not None else ""
        after = found["pays_after"]
        pays = f"; it pays after {math.ceil(after)} production runs, against the median cluster" if after else ""
        smoke = f"{found['smoke_runs']} smoke runs and " if found.get("smoke_runs") else ""
        return [*lines, f"spent     {spent}{smoke}{found['runs']} runs{pays}"]

    def _text(self, value: float) -> str:
        return amount(value, self._search.settings.objective)


def _price(usd: float | None) -> str:
    """Dollars before seconds, where they are known."""
    return "" if usd is None else f"{amount(usd, Objective.COST)}, "


def _time(seconds: float) -> str:
    return amount(seconds, Objective.TIME)


def _finite(value: Any) -> Any:
    """The same without infinities, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
