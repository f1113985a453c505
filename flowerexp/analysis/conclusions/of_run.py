"""What can be concluded from one run: its parameters are compared, measured side by side in its repetitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowerexp.analysis import words
from flowerexp.analysis.conclusions.effects import effects_of
from flowerexp.analysis.conclusions.evidence import evidence_of
from flowerexp.analysis.conclusions.sentences import Conclusions
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.instability import instability_of, wider
from flowerexp.analysis.summary import value_interval
from flowerexp.analysis.verdict import Verdict
from flowerexp.measurements.table import Measurements


def conclude(
    measurements: Measurements, verdict: Verdict, margin: float, facts: Mapping[str, Any] | None = None
) -> Conclusions:
    """The conclusions from one run.

    Args:
        measurements: all of the run.
        verdict: whether they can be believed; if not, that is the answer.
        margin: the share by which values may differ without a difference that matters.
        facts: the run's.
    """
    first, experiment = measurements.firsts, measurements.experiment
    instability = instability_of(first)
    groups = {name: group for name, group in first.by_series.items() if len(group.valued)}
    values = {name: wider(value_interval(groups[name]), instability) for name in words.ordered(experiment, groups)}
    evidence = evidence_of(measurements) if values else None
    effects = effects_of(evidence, margin) if evidence else []
    decided = extras_of(experiment).decision(evidence, {}, [facts or {}], margin) if evidence else ()
    doubt = None if verdict.state == "valid" else f"the run is {verdict.state}: {'; '.join(verdict.reasons)}"
    return Conclusions(experiment, effects, values, doubt, families=max(1, len(effects)), decided=decided)
