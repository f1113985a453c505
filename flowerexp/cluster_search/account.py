"""The account of a search for a cluster: a line before and after each run, the result at the end, and `search.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.journal import SEARCH
from flowerexp.search import (
    ALIKE,
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
    """A run that was added to the search: its candidate and folder, its result, and why it was chosen."""

    candidate: Candidate
    run: str
    seen: Observation
    prior: bool
    step: Suggestion | None


class SearchAccount:
    """The account of a search.

    Args:
        search: the search; its observations are added elsewhere.
        runs: the name of the folder of each candidate's run.
    """

    def __init__(self, search: Search, runs: Mapping[str, str]) -> None:
        self._search = search
        self._runs = runs
        self.smoke: Mapping[str, SmokeRun] | None = None  # by their candidates' names; None without smoke runs
        self._tries: list[tuple[Try, tuple[Candidate, float] | None]] = []
        self._last: dict[str, Any] = {}

    def add(self, attempt: Try) -> None:
        """Add a run that was just added to the search."""
        self._tries.append((attempt, self._search.best()))

    def count(self, status: Status) -> int:
        """How many runs of the search ended with this status."""
        return sum(attempt.seen.status is status and not attempt.prior for attempt, _ in self._tries)

    def opening(self) -> str:
        """What is searched for."""
        settings = self._search.settings
        known = sum(attempt.prior for attempt, _ in self._tries)
        what = "cheapest" if settings.objective is Objective.COST else "fastest"
        bounds = [f"at most {settings.max_seconds:g} s"] if settings.max_seconds is not None else []
        bounds += [f"at most ${settings.max_usd:g}"] if settings.max_usd is not None else []
        constraints = f", with {' and '.join(bounds)} for a run" if bounds else ""
        earlier = f"; {known} known from earlier runs" if known else ""
        return f"searching for the {what} of {len(self._runs)} clusters{constraints}{earlier}"

    def announcement(self, step: Suggestion) -> str:
        """Which cluster is tried next, why, and its time limit."""
        limit = f"; at most {_time(step.limits.seconds)}" if step.limits.seconds is not None else ""
        number = sum(not attempt.prior and attempt.seen.status.ran for attempt, _ in self._tries)
        return f"try {number + 1}     {step.candidate.name}: {step.explanation}{limit}"

    def outcome(self, error: str) -> str:
        """The result of the latest run, and the best so far."""
        attempt, best = self._tries[-1]
        status = attempt.seen.status
        took = "" if not status.ran else f" {_price(attempt.seen.cost)}{_time(attempt.seen.seconds or 0.0)}"
        why = f": {error}" if error else ""
        so_far = f"best so far {best[0].name}, {self._text(best[1])}" if best else "no cluster to rent so far"
        return f"{status:<9} {attempt.candidate.name}{took}{why}; {so_far}"

    def write(self, folder: Path, stop: Stop | None, spent: float) -> None:
        """Write `search.json`: the settings, each run and its reason, each candidate's prediction, what to rent.

        Args:
            folder: the sweep's.
            stop: why the search ended; None if something stopped it.
            spent: what its clusters have cost in US dollars, starts included; 0 if none of them has a list price.
        """
        recommendation = self._search.recommendation()
        self._last = {
            "settings": asdict(self._search.settings),
            "unit": "usd" if self._search.settings.objective is Objective.COST else "seconds",
            "finished": stop is not None,
            "why": stop.why if stop else "stopped",
            "explanation": stop.explanation if stop else "it was stopped, and can be resumed",
            "instead": stop.instead.name if stop and stop.instead else None,
            "recommendation": self._recommendation(recommendation, spent),
            "candidates": [
                {
                    **{key: value for key, value in vars(prediction).items() if key != "candidate"},
                    **asdict(prediction.candidate),
                    "run": self._runs[prediction.candidate.name],
                }
                for prediction in recommendation.predictions
            ],
            "tries": [self._try(attempt, best) for attempt, best in self._tries],
            "smoke": self._smoke(),
        }
        self._last = _finite(self._last)
        records.write(folder / SEARCH, self._last)

    def _recommendation(self, best: Recommendation, spent: float) -> dict[str, Any]:
        """The cluster to rent. The dollars spent are those of clusters that have a price, else those of the runs."""
        cost = self._search.settings.objective is Objective.COST
        smoke_runs = [run for run in (self.smoke or {}).values() if not run.prior and run.status.ran]
        smoke = sum((run.usd if cost else run.seconds) or 0.0 for run in smoke_runs)
        spent_usd = spent or (best.spent + smoke if cost else None)
        pays_after = None
        if best.winner and best.typical:
            saved = best.typical - (best.value or 0.0)
            spend = (spent_usd or 0.0) if cost else best.spent + smoke
            pays_after = spend / saved if saved > 0 else None
        dropped = sum(attempt.seen.status is Status.DROPPED for attempt, _ in self._tries)
        return {
            "winner": best.winner.name if best.winner else None,
            "value": best.value,
            "usd": self._of(best.winner, "usd"),
            "seconds": self._of(best.winner, "seconds"),
            "runner_up": best.runner_up.name if best.runner_up else None,
            "runner_up_value": best.runner_up_value,
            "probability_best": best.probability_best,
            "margin": ALIKE,
            "runs": best.runs,
            "spent_usd": spent_usd,
            "typical": best.typical,
            "pays_after": pays_after,
            **(
                {
                    "smoke_runs": len(smoke_runs),
                    "smoke_spent": smoke,
                    "dropped": dropped,
                    "needs_gb": self._search.needs_gb,
                }
                if self.smoke is not None
                else {}
            ),
        }

    def _smoke(self) -> list[dict[str, Any]] | None:
        """The smoke runs, each with the reason why its cluster is left out, if it is."""
        if self.smoke is None:
            return None
        reasons = hopeless(self.smoke, self._search.settings)
        return [
            {
                "candidate": name,
                "status": run.status,
                "seconds": run.seconds,
                "usd": run.usd,
                "prior": run.prior,
                "error": run.error,
                "needs_gb": run.needs_gb,
                "dropped": reasons.get(name),
            }
            for name, run in self.smoke.items()
        ]

    def _of(self, candidate: Candidate | None, what: str) -> float | None:
        """The mean of a candidate's finished runs, in dollars or seconds."""
        tries = [attempt for attempt, _ in self._tries if attempt.candidate == candidate]
        finished = [attempt.seen for attempt in tries if attempt.seen.status is Status.FINISHED]
        values = [seen.cost if what == "usd" else seen.seconds for seen in finished]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def _try(self, attempt: Try, best: tuple[Candidate, float] | None) -> dict[str, Any]:
        step = attempt.step
        return {
            "candidate": attempt.candidate.name,
            "run": attempt.run,
            "status": attempt.seen.status,
            "seconds": attempt.seen.seconds,
            "usd": attempt.seen.cost,
            "prior": attempt.prior,
            "why": step.why if step else None,
            "explanation": step.explanation if step else None,
            "expected_saving": step.expected_saving if step else None,
            "expected_spend": step.expected_spend if step else None,
            "limit_seconds": step.limits.seconds if step else None,
            "best": best[0].name if best else None,
            "best_value": best[1] if best else None,
        }

    def closing(self) -> list[str]:
        """The result of the search for the screen, as `write` wrote it."""
        best = self._last["recommendation"]
        lines = ["", f"stopped   {self._last['explanation']}"]
        if best["winner"] is None and self._last["instead"]:
            return [
                *lines,
                f"rent      {self._last['instead']}: untried, so there is nothing to say of its cost or time",
            ]
        if best["winner"] is None:
            return [*lines, "rent      none: no cluster finished the run within the constraints so far"]
        lines.append(f"rent      {best['winner']}: {_price(best['usd'])}{_time(best['seconds'])} a run")
        if best["runner_up"]:
            lines.append(f"next best {best['runner_up']}: {self._text(best['runner_up_value'])}")
        better = f"no untried cluster is more than {best['margin']:.0%} better"
        lines.append(f"sure      {best['probability_best']:.0%} confidence that {better}")
        spent = f"{amount(best['spent_usd'], Objective.COST)} on " if best["spent_usd"] is not None else ""
        after = best["pays_after"]
        pays = (
            f"; it pays off after {math.ceil(after)} production runs, compared with the median cluster" if after else ""
        )
        if best.get("needs_gb"):
            lines.append(f"memory    all of the data should need {best['needs_gb']:.3g} GB, by the smoke runs")
        smoke = f"{best['smoke_runs']} smoke runs and " if best.get("smoke_runs") else ""
        return [*lines, f"spent     {spent}{smoke}{best['runs']} runs{pays}"]

    def _text(self, value: float) -> str:
        return amount(value, self._search.settings.objective)


def _price(usd: float | None) -> str:
    """Dollars before seconds, where they are known."""
    return "" if usd is None else f"{amount(usd, Objective.COST)}, "


def _time(seconds: float) -> str:
    return amount(seconds, Objective.TIME)


def _finite(value: Any) -> Any:
    """The same without infinities, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
