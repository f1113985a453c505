"""The sections with the results: runs, rates, caching, contention, money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowerexp.analysis import words
from flowerexp.analysis.caching import Caching
from flowerexp.analysis.conclusions.sentences import between, times
from flowerexp.analysis.drawing import number
from flowerexp.analysis.interference import Slowdown
from flowerexp.analysis.report import charts
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.runs import Run, short, shown

MOST_COLUMNS = 8
"""Further columns in one table; the rest are in more tables."""

MOST_BESIDE = 2
"""Series beside each other in the table of runs; of more, each has a line in a table of its own."""


def runs(material: Material) -> Section:
    """The table of all runs."""
    section = Section("runs", "The runs" if material.is_sweep else "The run")
    experiment = material.experiment
    series = words.ordered(experiment, (name for run in material.runs for name in run.rates))
    keys = list(dict.fromkeys(key for run in material.runs for key in run.varied))
    priced = any(run.dollars is not None for run in material.runs)
    head, beside = ["run", *map(short, keys)], series if len(series) <= MOST_BESIDE else []
    for name in beside:
        of = f"{material.label(name)}, " if experiment.categorical else ""
        head += [f"{of}{experiment.value_unit}", *_value_head(material)[1:]]
    head += ["seconds", *(["dollars"] if priced else []), "preparing", "warming up", "verdict"]
    lines = [_run(material, run, keys, beside, priced) for run in material.runs[:MOST_ROWS]]
    section.tables.append(Table(head, lines, frozenset(range(1 + len(keys), len(head) - 1))))
    if not beside:
        section.tables.append(_by_series(material, section, keys, series))
    if len(material.runs) > MOST_ROWS:
        section.text.append(f"The first {MOST_ROWS} of {len(material.runs)} runs; all are in runs.csv and cells.csv.")
    section.text.append(
        "A run is charged only for its own time: measuring, and filling the cache. The seconds of preparing and "
        "warming up are listed separately, because the first run pays for them."
    )
    section.text += [f"Here {material.simulated}."] if material.simulated else []
    section.tables += _other_columns(material)
    return section


def _by_series(material: Material, section: Section, keys: Sequence[str], series: Sequence[str]) -> Table:
    """A line for each series of each run; the section says if there are too many."""
    head = ["run", *map(short, keys), words.head(material.experiment), *_value_head(material)]
    lines = [
        [*_settings(run, keys), material.label(name), *_values(material, run, name)]
        for run in material.runs
        for name in series
        if name in run.rates
    ]
    if len(lines) > MOST_ROWS:
        section.text.append(f"The first {MOST_ROWS} of {len(lines)} values; all are in cells.csv.")
    return Table(head, lines[:MOST_ROWS], frozenset(range(2 + len(keys), len(head))))


def _value_head(material: Material) -> list[str]:
    """The heads of `_values`."""
    experiment = material.experiment
    rate = [experiment.rate_unit] if experiment.value_name != experiment.rate else []
    return [experiment.value_unit, "95 % interval", *rate]


def _values(material: Material, run: Run, series: str) -> list[str]:
    """A series of a run: its value, the interval, and its rate where that is another number."""
    group = run.rates.get(series, {})
    low, high, value, rate = (group.get(name) for name in ("low", "high", "value", "rate"))
    found = ["" if value is None else number(value)]
    found.append(f"{number(low)} to {number(high)}" if low is not None and high is not None else "")
    return [*found, "" if rate is None else number(rate)][: len(_value_head(material))]


def _settings(run: Run, keys: Sequence[str]) -> list[str]:
    return [run.name, *(shown(run.varied[key]) if key in run.varied else "" for key in keys)]


def _run(material: Material, run: Run, keys: Sequence[str], series: Sequence[str], priced: bool) -> list[str]:
    line = [*_settings(run, keys), *(cell for name in series for cell in _values(material, run, name))]
    line.append(number(run.seconds.own) if run.seconds.own else "")
    if priced:
        line.append("" if run.dollars is None else f"{run.dollars:.4f}")
    line += [number(apart) if apart else "" for apart in (run.seconds.preparing, run.seconds.warm_up)]
    return [*line, run.verdict if run.verdict != "-" else run.state]


def _other_columns(material: Material) -> Iterator[Table]:
    """The medians of the columns that an experiment has measured beside its rate."""
    groups = [
        (run, group["name"], group["columns"])
        for run in material.measured
        for group in run.summary["groups"]
        if group.get("columns")
    ]
    names = list(dict.fromkeys(name for _, _, columns in groups for name in columns))
    for start in range(0, len(names), MOST_COLUMNS):
        some = names[start : start + MOST_COLUMNS]
        lines = [
            [
                run.label,
                material.label(group),
                *(number(columns[name]["median"]) if name in columns else "" for name in some),
            ]
            for run, group, columns in groups[:MOST_ROWS]
        ]
        head = ["run", words.head(material.experiment), *(f"median {name}" for name in some)]
        yield Table(head, lines, frozenset(range(2, len(head))))


def speed(material: Material) -> Section:
    """Rates by setting and by parameter."""
    section, experiment = Section("speed", "How fast"), material.experiment
    if len(material.valued):
        count = len(charts.settings(material))
        many = f" These are the {charts.MOST_LINES} best of {count} settings." if count > charts.MOST_LINES else ""
        drawn = charts.overview(material)
        section.draw(
            drawn,
            f"A large dot is the {experiment.value_unit} of a setting over all its measurements, with the 95\u00a0% "
            f"interval that follows from how far these disagree; small dots are single runs.{many}",
        )
        if drawn is None:
            pooled = " over all runs" if material.is_sweep else ""
            section.draw(charts.ranking(material), f"The best first{pooled}, with 95\u00a0% intervals.")
        section.draw(
            charts.by_parameter(material), "The same by one parameter at a time; everything else that varies is pooled."
        )
        section.text += [f"Here {material.simulated}."] if material.simulated else []
    return section


def cached(material: Material, caching: Caching | None) -> Section:
    """Pairs of runs with caching and without."""
    section = Section("caching", "What caching changes")
    if caching is None:
        return section
    section.text.append(
        "A pair is two runs that differ only in caching and ran one after the other. "
        + (
            "Caching changes how long a run takes and how often each cell is measured, by design: without it, each of "
            "several actions measures again. Rates are those of first executions."
            if material.experiment.where == "executor"
            else "With caching, the prepared data is computed once and kept, which counts as wall time; without, each "
            "measurement computes it again."
        )
    )
    labels = {
        run.name: " ".join(f"{short(key)}={shown(value)}" for key, value in run.varied.items() if key != "caching")
        or run.name
        for run in material.runs
    }
    section.draw(
        charts.caching_pairs(caching, labels),
        "Wall time of measuring with caching and without; without it, each action computes the data again.",
    )
    lines = [["wall time, off / on", times(caching.seconds.value), between(caching.seconds)]]
    lines += [
        [f"{material.experiment.value_unit} of {material.label(name)}, off / on", times(value.value), between(value)]
        for name, value in caching.values.items()
    ]
    section.tables.append(
        Table([f"over {len(caching.pairs)} pairs", "ratio", "95 % interval"], lines, frozenset({1, 2}))
    )
    return section


def disturbed(material: Material, slowdowns: Sequence[Slowdown]) -> Section:
    """Measurements alone, and several at once on one host."""
    section = Section("interference", "What measuring several at once costs")
    if not slowdowns:
        return section
    section.text.append(
        "The same measurements were made alone, and several at once on one host. Rates of measurements that overlapped "
        "are those of a disturbed machine: their runs are `suspect`; do not compare them with others."
    )
    section.draw(
        charts.slowdowns(material, slowdowns),
        "Seconds of a measurement that others overlapped, divided by its seconds alone, with the 95\u00a0% interval; "
        "at 1, overlapping costs nothing.",
    )
    lines = [
        [
            material.label(slowdown.series),
            str(slowdown.at_once),
            times(slowdown.ratio.value),
            between(slowdown.ratio),
            f"{slowdown.pairs} of {slowdown.measured}",
            number(slowdown.neighbours),
        ]
        for slowdown in slowdowns
    ]
    head = [
        words.head(material.experiment),
        "at once",
        "slowdown",
        "95 % interval",
        "overlapped measurements",
        "others at the time",
    ]
    section.tables.append(Table(head, lines, frozenset(range(1, 6))))
    return section


def money(material: Material) -> Section:
    """Clusters by time and dollars."""
    section = Section("clusters", "Time and money")
    clusters = list(dict.fromkeys(run.cluster for run in material.measured))
    section.draw(
        charts.time_and_money(material),
        "Large dots are means of a cluster's runs, small dots are single runs; lower and further left is better.",
    )
    if len(clusters) > 1 or section.pictures:
        lines = []
        for cluster in clusters:
            of_cluster = [run for run in material.measured if run.cluster == cluster]
            costs = [run.dollars for run in of_cluster if run.dollars is not None]
            mean = sum(run.seconds.own for run in of_cluster) / len(of_cluster)
            lines.append(
                [cluster, str(len(of_cluster)), number(mean), f"{sum(costs) / len(costs):.4f}" if costs else "unknown"]
            )
        section.tables.append(Table(["cluster", "runs", "seconds a run", "dollars a run"], lines, frozenset({1, 2, 3})))
    return section
