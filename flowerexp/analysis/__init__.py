"""Analyse measurements: summary, intervals, verdict, straight lines, models, comparisons, pictures and the report.

What belongs here takes measurements and gives dataclasses and files; it knows neither Spark nor cloud nor MLflow.
`analyse` is what is done at the end of each run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.measurements import write_whole

if TYPE_CHECKING:
    from flowerexp.analysis.regression import Fit
    from flowerexp.analysis.summary import Summary
    from flowerexp.analysis.verdict import Verdict
    from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class Analysis:
    """The results of `analyse`, and the files that it has written; `answer` is that to the experiment's question."""

    summary: Summary
    fits: tuple[Fit, ...]
    verdict: Verdict
    answer: str
    paths: tuple[Path, ...]


def analyse(
    measurements: Measurements,
    folder: Path,
    margin: float,
    facts: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> Analysis:
    """Analyse a run and write the results.

    Writes ``measurements.parquet`` (all rows), ``summary.json`` (with the verdict), ``regression.json``,
    ``timing.json``, ``model.json`` and the pictures; the rows first, so that they are kept whatever happens later.

    Args:
        measurements: all of the run.
        folder: where the files go; created if missing.
        margin: the share by which results may differ without a difference that matters.
        facts: the run's, such as what its data is.
        error: why the run failed, if it did: whatever it had measured by then is not valid.

    Raises:
        MachineError: a file cannot be written.
    """
    from flowerexp.analysis.conclusions.of_run import conclude
    from flowerexp.analysis.experiments import extras_of
    from flowerexp.analysis.regression import fit_all
    from flowerexp.analysis.repetitions import outliers
    from flowerexp.analysis.summary import summarise
    from flowerexp.analysis.timing import time_models
    from flowerexp.analysis.verdict import Verdict, judge
    from flowerexp.measurements.written import write

    paths = [write(measurements, folder / "measurements.parquet")]
    verdict, summary = judge(measurements), summarise(measurements)
    if error:
        verdict = Verdict("invalid", (f"the run failed: {error}", *verdict.reasons))
    paths.append(
        _write_json(
            {"verdict": asdict(verdict), "outliers": outliers(measurements), **summary.plain()}, folder / "summary.json"
        )
    )
    fits = fit_all(measurements)
    paths.append(_write_json([asdict(fit) for fit in fits], folder / "regression.json"))
    # Without a grid all measurements have the same size, and a model of their seconds has nothing to depend on.
    grid = any(group.cells for group in summary.groups)
    models = time_models(measurements) if grid else []
    paths.append(_write_json([asdict(model) for model in models], folder / "timing.json"))
    if fits or grid:
        from flowerexp.analysis.plots import plot_regressions

        paths += plot_regressions(measurements, fits, folder)
    if grid:
        from flowerexp.analysis.model import model_run

        paths += model_run(measurements, folder)
    if len(measurements):
        paths += extras_of(measurements.experiment).draw(measurements, folder.parent / "results" / "attached", folder)
    answer = conclude(measurements, verdict, margin, facts).answer
    return Analysis(summary, tuple(fits), verdict, answer, tuple(paths))


def _write_json(value: Any, path: Path) -> Path:
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    return write_whole(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def load_libraries(grid: bool) -> None:
    """Import what `analyse` will need, in a thread of the caller, so that it is quick later.

    Args:
        grid: whether there will be measurements over a grid; lines and pictures take 80 MB that other runs do not need.
    """
    import flowerexp.analysis.summary
    import flowerexp.measurements.loading

    if grid:
        import statsmodels.regression.linear_model  # noqa: F401

        import flowerexp.analysis.plots  # noqa: F401
