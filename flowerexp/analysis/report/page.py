"""Put a report together, and write it as HTML and Markdown."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report import causes, model, results, search, trust
from flowerexp.analysis.report.derive import caching_of, limits_of, slowdowns_of, uses_of
from flowerexp.analysis.report.findings import findings
from flowerexp.analysis.report.gather import Material
from flowerexp.analysis.report.parts import Finding, Section
from flowerexp.analysis.report.runs import short
from flowerexp.analysis.report.svg import VARIABLES, name_of
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
    """What a report says: first in a few sentences, then section by section, those that have something to say.

    Args:
        material: the material.
        table: its cells.
        some: timed measurements, of which there may be a sample only.
        fits: the straight lines through them.
        models: the models of time of them.
    """
    caching, uses, limits = caching_of(material), uses_of(material), limits_of(material, some)
    company = slowdowns_of(material)
    all_of_them = [
        search.found(material),
        results.speed(material),
        results.runs(material),
        results.written(material),
        results.cached(material, caching),
        results.disturbed(company),
        results.money(material),
        causes.whereabouts(material, uses),
        causes.ceilings(limits),
        causes.models_of(some, fits, models),
        model.section(material),
        trust.belief(material, table),
        trust.settings(material),
        trust.again(material),
    ]
    return findings(material, caching, models, limits, uses, company), [section for section in all_of_them if section]


_QUESTIONS = {
    "caching": "does RDD.cache() make a job faster",
    "preprocess.partitions": "into how many TFRecord files should the data be written",
    "grid.concurrency": "how much do measurements disturb each other that run on one node at the same time",
    "cluster": "which cluster reads fastest, and at what price",
    "reader": "how much faster are TFRecord files read than photographs",
}


def question(material: Material) -> str:
    """What a sweep asks: the question in its experiment's file, else one made of what it varies."""
    for override in material.overrides if material.is_sweep else ():
        key, _, name = override.partition("=")
        path = config_folder() / "experiment" / f"{name}.yaml"
        if key == "experiment" and re.fullmatch(r"\w+", name) and path.exists():
            comment = " ".join(re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE))
            asked, mark, _ = comment.partition("?")
            if mark:
                return f"{asked}?"
    known = [_QUESTIONS.get(key, f"how does {short(key)} change reading speed") for key in material.varied]
    if not known:
        readers = " and ".join(
            name_of(reader) for reader in dict.fromkeys(r for run in material.runs for r in run.rates)
        )
        known = [f"how fast are {readers or 'images'} read"]
    text = ", and ".join(known)
    return f"{text[0].upper()}{text[1:]}?"


def subtitle(material: Material) -> list[str]:
    """In a few words what was measured, where and when."""
    runs, timed = material.measured, material.timed
    starts = [run.record["started_at"] for run in material.runs if run.record.get("started_at")]
    words = (
        [f"{len(material.runs)} runs"] if material.is_sweep else [str(material.runs[0].record.get("name", "one run"))]
    )
    if starts:
        words.append(f"{datetime.datetime.fromtimestamp(min(starts)):%d %B %Y, %H:%M}")
    if len(timed):
        words.append(f"{len(timed):,} measurements of {timed['count'].sum():,.0f} {material.experiment.unit}")
    data = {(run.facts.get("images"), run.facts.get("bytes")) for run in runs if run.facts.get("images")}
    if len(data) == 1:
        images, size = data.pop()
        words.append(f"{images:,} photographs" + (f" ({size / 1e6:,.0f} MB)" if size else ""))
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
