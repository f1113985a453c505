"""The descriptions that MLflow shows at the top of the pages of a run and of a sweep's summary, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowerexp import records
from flowerexp.config import recorded
from flowerexp.errors import DataError
from flowerexp.escape import markdown_prose
from flowerexp.tracking.content import MEASUREMENTS, MOST_ROWS
from flowerexp.tracking.names import shortened
from flowerexp.tracking.view import MACHINE_LEARNING

NOTE = "mlflow.note.content"
"""MLflow's tag of a description."""
TAG_LENGTH = 5000
CONCLUSIONS = "conclusions.json"
"""The question of a report, its answer, and its findings."""


def of_run(record: Mapping[str, Any], folder: Path, page: str, rows: int) -> str:
    """The question of a run, its answer, its verdict if that is in doubt, and links: a picture, and all of many rows.

    Args:
        record: the content of ``run.json``.
        folder: the run's.
        page: see `page_of`.
        rows: how many measurements there are.
    """
    verdict, answer = record.get("verdict") or {}, record.get("answer") or ""
    reasons = "; ".join(verdict.get("reasons") or ())
    parts = [recorded(record["config"]).entrypoint.question]
    parts += [f"**{markdown_prose(answer)}**"] if answer else []
    parts += [f"Failed: {markdown_prose(record['error'])}"] if record.get("error") else []
    parts += (
        [f"{verdict['state'].capitalize()}: {markdown_prose(reasons)}"] if reasons and reasons not in answer else []
    )
    pictures = sorted((folder / "analysis").glob("*.png"), key=lambda path: (path.name != "rates.png", path.name))
    parts += [_link("A picture of what was measured", page, f"analysis/{pictures[0].name}")] if pictures else []
    if rows > MOST_ROWS:
        table = f"The table of measurements shows the first {MOST_ROWS:,} of {rows:,}."
        parts.append(f"{table} {_link('All of them as a Parquet file', page, MEASUREMENTS)}")
    return shortened("\n\n".join(parts), TAG_LENGTH)


def of_sweep(folder: Path, plan: Mapping[str, Any], page: str) -> dict[str, str]:
    """Tags with a sweep's answer, and with its description; without a report, the questions alone.

    Args:
        folder: the sweep's.
        plan: its plan.
        page: see `page_of`, of the summary.
    """
    try:
        known = records.find(folder / CONCLUSIONS, {"question": str, "answer": str, "findings": [str]})
    except DataError:  # the next report replaces it
        known = None
    if known is None:
        questions = dict.fromkeys(recorded(run["config"]).entrypoint.question for run in plan["runs"])
        return {NOTE: shortened("\n\n".join(questions), TAG_LENGTH)}
    parts = [f"**{known['answer']}**", "\n".join(f"- {finding}" for finding in known["findings"])]
    parts.append(_link("The whole report", page, "report.html"))
    text = shortened("\n\n".join([known["question"], *parts]), TAG_LENGTH)
    return {NOTE: text, "flowerexp.answer": known["answer"][:TAG_LENGTH]}


def page_of(experiment: str, run_id: str) -> str:
    """The address of a run's page, relative to MLflow's pages, so that it holds whatever their port is."""
    return f"#/experiments/{experiment}/runs/{run_id}"


def _link(words: str, page: str, path: str) -> str:
    """A link to the page that shows an artifact; a picture in the description itself is as wide as it is."""
    return f"[{words}]({page}/artifacts/{quote(path)}?{MACHINE_LEARNING})"
