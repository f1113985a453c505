"""Put a report together, and write it as HTML and Markdown."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.interference import FACTOR
from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report import causes, model, results, search, spark, spent, trust
from flowerexp.analysis.report.derive import derived, looked_at, swept_lines
from flowerexp.analysis.report.evidence import conclusions, decided
from flowerexp.analysis.report.findings import caching_answer, findings, slowdowns_answer
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Finding, Section
from flowerexp.analysis.report.runs import short
from flowerexp.analysis.report.svg import VARIABLES
from flowerexp.analysis.timing import TimeModel
from flowerexp.config.places import config_folder
from flowerexp.escape import markdown as markdown_text
from flowerexp.escape import markdown_cell, markdown_prose
from flowerexp.measurements.table import Measurements

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Content:
    """What a report says.

    Attributes:
        material: what it is made of.
        question: the question that it answers; names of keys have backticks.
        answer: the answer, in one sentence.
        findings: the most important first.
        sections: without empty ones.
    """

    material: Material
    question: str
    answer: str
    findings: Sequence[Finding]
    sections: Sequence[Section]


def content(
    material: Material,
    table: pandas.DataFrame,
    some: Measurements,
    fits: Sequence[Fit],
    models: Sequence[TimeModel],
) -> Content:
    """Put the content of a report together.

    Args:
        material: the material.
        table: its cells.
        some: timed measurements, of which there may be a sample only.
        fits: the straight lines through them.
        models: the models of time of them.
    """
    found = conclusions(material, looked_at(material))
    runs = derived(material, found.families)
    further = [*caching_answer(material, runs.caching), *slowdowns_answer(material, runs.slowdowns)]
    found = replace(found, further=further, decided=decided(material))
    extra_findings, extra_sections = extras_of(material.experiment).report(material, some)
    all_of_them = [
        search.found(material),
        results.speed(material),
        results.runs(material),
        results.cached(material, runs.caching),
        results.disturbed(material, runs.slowdowns),
        results.money(material),
        causes.whereabouts(material, runs.uses),
        spark.did(material),
        *extra_sections,
        causes.models_of(material, some, fits, swept_lines(material), models),
        model.section(material),
        spent.section(material),
        trust.belief(material, table, found),
        trust.settings(material),
        trust.again(material),
    ]
    first = findings(material, found, runs, models, extra_findings)
    return Content(material, question(material), found.answer, first, [each for each in all_of_them if each])


_QUESTIONS = {
    "caching": "does caching make a run faster",
    FACTOR: "how much do measurements on one node slow each other down",
    "cluster": "which cluster is fastest, and at what price",
}


def question(material: Material) -> str:
    """The question that a run or a sweep answers.

    For a run it is its experiment's; for a sweep the one in the file of its ready-made experiment, or else one about
    the keys that it varies, whose names have backticks.
    """
    own = material.typed.configs
    folders = [*([own] if own else []), config_folder()]
    for override in material.typed.overrides if material.is_sweep else ():
        key, _, name = override.partition("=")
        if key != "experiment" or not re.fullmatch(r"\w+", name):
            continue
        path = next((path for path in (folder / key / f"{name}.yaml" for folder in folders) if path.exists()), None)
        if path:
            comment = " ".join(re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE))
            asked, mark, _ = comment.partition("?")
            if mark:
                return f"{asked}?"
    which = material.experiment
    known = {**_QUESTIONS, **extras_of(which).questions}
    asked_for = [known.get(key, f"how does `{short(key)}` change {which.value_unit}") for key in material.varied]
    text = ", and ".join(asked_for)
    return f"{text[0].upper()}{text[1:]}?" if text else which.question


def subtitle(material: Material) -> list[str]:
    """What was measured, where and when, in a few words."""
    runs, timed = material.measured, material.timed
    starts = [run.record["started_at"] for run in material.runs if run.record.get("started_at")]
    words = (
        [f"{len(material.runs)} runs"] if material.is_sweep else [str(material.runs[0].record.get("name", "one run"))]
    )
    if starts:
        words.append(f"{datetime.datetime.fromtimestamp(min(starts)):%d %B %Y, %H:%M}")
    if len(timed):
        words.append(f"{len(timed):,} measurements of {timed['count'].sum():,.0f} {material.experiment.unit}")
    data = {text for run in runs if (text := extras_of(material.experiment).data(run.facts))}
    if len(data) == 1:
        words.append(data.pop())
    if material.simulated:
        words.append(material.simulated)
    clusters = list(dict.fromkeys(run.cluster for run in runs))
    if clusters:
        words.append("on " + ", ".join(clusters))
    return words


def html(content: Content) -> str:
    """The report as one HTML file that loads nothing else."""
    return environment(True).get_template("report.html.jinja").render(**_values(content), colours=VARIABLES)


def markdown(content: Content) -> str:
    """The report as Markdown, without its pictures."""
    text = environment(False).get_template("report.md.jinja").render(**_values(content))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _values(content: Content) -> dict[str, Any]:
    material = content.material
    return {
        "question": content.question,
        "answer": content.answer,
        "words": subtitle(material),
        "name": material.folder.name,
        "kind": "sweep" if material.is_sweep else "run",
        "findings": content.findings,
        "sections": content.sections,
    }


def environment(is_html: bool) -> jinja2.Environment:
    """Where the templates of pages are found and filled in."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=is_html,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["code"] = _code
    made.filters["text"], made.filters["prose"], made.filters["cell"] = markdown_text, markdown_prose, markdown_cell
    return made


def _code(text: str) -> Markup:
    """Text for a page, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
