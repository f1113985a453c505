"""Put a report together, and write it as HTML and Markdown."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.interference import FACTOR
from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report import causes, model, results, search, spark, trust
from flowerexp.analysis.report.derive import caching_of, slowdowns_of, uses_of
from flowerexp.analysis.report.findings import findings
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


def sections(
    material: Material,
    table: pandas.DataFrame,
    some: Measurements,
    fits: Sequence[Fit],
    models: Sequence[TimeModel],
) -> tuple[list[Finding], list[Section]]:
    """The content of a report: first its findings in a few sentences, then its sections, without empty ones.

    Args:
        material: the material.
        table: its cells.
        some: timed measurements, of which there may be a sample only.
        fits: the straight lines through them.
        models: the models of time of them.
    """
    caching, uses, contention = caching_of(material), uses_of(material), slowdowns_of(material)
    extra_findings, extra_sections = extras_of(material.experiment).report(material, some)
    all_of_them = [
        search.found(material),
        results.speed(material),
        results.runs(material),
        results.cached(material, caching),
        results.disturbed(material, contention),
        results.money(material),
        causes.whereabouts(material, uses),
        spark.did(material),
        *extra_sections,
        causes.models_of(material, some, fits, models),
        model.section(material),
        trust.belief(material, table),
        trust.settings(material),
        trust.again(material),
    ]
    first = findings(material, caching, models, uses, contention, extra_findings)
    return first, [section for section in all_of_them if section]


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
    for override in material.overrides if material.is_sweep else ():
        key, _, name = override.partition("=")
        path = config_folder() / "experiment" / f"{name}.yaml"
        if key == "experiment" and re.fullmatch(r"\w+", name) and path.exists():
            comment = " ".join(re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE))
            asked, mark, _ = comment.partition("?")
            if mark:
                return f"{asked}?"
    which = material.experiment
    known = {**_QUESTIONS, **extras_of(which).questions}
    asked_for = [known.get(key, f"how does `{short(key)}` change {which.rate_unit}") for key in material.varied]
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
    clusters = list(dict.fromkeys(run.cluster for run in runs))
    if clusters:
        words.append("on " + ", ".join(clusters))
    return words


def html(material: Material, found: Sequence[Finding], parts: Sequence[Section]) -> str:
    """The report as one HTML file that loads nothing else."""
    template = _environment(True).get_template("report.html.jinja")
    return template.render(**_content(material, found, parts), colours=VARIABLES)


def markdown(material: Material, found: Sequence[Finding], parts: Sequence[Section]) -> str:
    """The report as Markdown, without its pictures."""
    text = _environment(False).get_template("report.md.jinja").render(**_content(material, found, parts))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _content(material: Material, found: Sequence[Finding], parts: Sequence[Section]) -> dict[str, Any]:
    return {
        "question": question(material),
        "words": subtitle(material),
        "name": material.folder.name,
        "kind": "sweep" if material.is_sweep else "run",
        "findings": found,
        "sections": parts,
    }


def _environment(is_html: bool) -> jinja2.Environment:
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
