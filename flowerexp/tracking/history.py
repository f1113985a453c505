"""Read the history of metrics from MLflow: runs of ours, the newest last, and how many are left out and why.

The summary of a sweep, the lines that `history_chart` logs, and runs of other programs are not runs of ours: only a run
that `log_run` has made carries its token.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flowerexp.analysis.history.lines import Metric, Observed, Place
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import ConfigError, TrackingError, did_you_mean
from flowerexp.experiment import Experiment
from flowerexp.tracking.content import VERDICT
from flowerexp.tracking.drift import DATA, made_with
from flowerexp.tracking.fetch import LoggedRun, search
from flowerexp.tracking.names import name_of
from flowerexp.tracking.note import TOKEN_TAG
from flowerexp.tracking.params import CONFIG_TAG
from flowerexp.tracking.steps import is_line
from flowerexp.tracking.store import Store

NOT_ENDED = "not ended, or half logged"
FAILED = "failed"
UNREADABLE = "without a readable config"

_REPEAT = "repeat"
_ENTRYPOINT = "entrypoint.name"
_ELSEWHERE = ("code (hash)", "git commit", "git changes", "host", "cores", "platform", DATA)
"""What a run was made with that its point or its line has already."""


@dataclass(frozen=True)
class Wanted:
    """Which runs and metrics are wanted; empty fields want all.

    Attributes:
        words: names of experiments or of metrics, whichever the store has.
        experiments: names of experiments.
        metrics: names of metrics, whole or without the series before the slash; by default each experiment's value.
        since: epoch seconds.
        host: the name of the machine.
        choices: values of config keys, as the params of a run have them.
    """

    words: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    since: float | None = None
    host: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)


Found = tuple[Place, Metric, Observed]


def find_history(store: Store, wanted: Wanted) -> tuple[list[Found], Counter[str]]:
    """The metrics of all wanted runs, and how many runs are left out, by reason.

    Args:
        store: where to search, in all its experiments.
        wanted: which runs and metrics.

    Raises:
        ConfigError: a name that is wanted is that of nothing in the store.
        TrackingError: the store has no runs, or cannot be read.
    """
    runs = [*search(store, _condition(wanted))][::-1]
    wanted = _resolved(wanted, runs)
    concerned = [run for run in runs if _concerned(run, wanted)]
    left_out: Counter[str] = Counter(filter(None, map(_unusable, concerned)))
    usable = [run for run in concerned if not _unusable(run)]
    readable = _readable(usable)
    left_out[UNREADABLE] += len(usable) - len(readable)
    found = list(_found(_chosen(readable, wanted), wanted, left_out, _sittings(runs)))
    return found, +left_out


def _condition(wanted: Wanted) -> str:
    """In MLflow's grammar: runs of ours, since some time."""
    condition = f"tags.`{TOKEN_TAG}` LIKE '%'"
    return condition if wanted.since is None else f"{condition} AND attributes.start_time >= {int(1000 * wanted.since)}"


def _resolved(wanted: Wanted, runs: Sequence[LoggedRun]) -> Wanted:
    """The words told apart; each name is one that a run has."""
    experiments = {run.params[_ENTRYPOINT] for run in runs if _ENTRYPOINT in run.params}
    results = {name for run in runs for name in run.metrics if not is_line(name)}
    metrics = results | {name.rpartition("/")[2] for name in results}
    hosts = {run.tags["host"] for run in runs if "host" in run.tags}
    for words, known, what in (
        (wanted.words, experiments | metrics, "an experiment or a metric"),
        (wanted.experiments, experiments, "an experiment"),
        (wanted.metrics, metrics, "a metric"),
        (filter(None, [wanted.host]), hosts, "the host"),
    ):
        for word in words:
            if runs and word not in known:
                hint = did_you_mean(word, known)
                raise ConfigError(f"{word} is not {what} of a run in the store", where="command line", hint=hint)
    named = tuple(word for word in wanted.words if word in experiments)
    others = tuple(word for word in wanted.words if word not in experiments)
    both = (*wanted.experiments, *named), (*wanted.metrics, *others)
    return replace(wanted, words=(), experiments=both[0], metrics=both[1])


def _concerned(run: LoggedRun, wanted: Wanted) -> bool:
    """Whether a run can be one of the wanted: what is not known of it, as of one that failed early, does not matter."""
    known = [(run.tags.get("host"), (wanted.host,)), (run.params.get(_ENTRYPOINT), wanted.experiments)]
    known += [(run.params.get(key), (value,)) for key, value in wanted.choices.items() if _unusable(run)]
    return all(value is None or not any(values) or value in values for value, values in known)


def _unusable(run: LoggedRun) -> str | None:
    """Why a run has nothing to show, whatever is wanted of it."""
    if run.status == "FINISHED":
        return None if "run_key" in run.tags else NOT_ENDED
    return FAILED if run.status == "FAILED" else NOT_ENDED


def _readable(runs: Sequence[LoggedRun]) -> list[tuple[LoggedRun, LoggedRun]]:
    """Runs, each with one whose config holds for it: runs that one version has logged with equal params share one.

    A config is a file of its run, and a request of its own at a server; a version adds keys, so params alone could not
    tell that runs of two versions are of one configuration.
    """
    known: dict[object, LoggedRun | None] = {}
    pairs = []
    for run in reversed(runs):
        params = {key: value for key, value in run.params.items() if key != _REPEAT}
        key = (frozenset(params.items()), run.tags.get(CONFIG_TAG), made_with(run.tags).get("flowerexp"))
        if known.get(key) is None:
            known[key] = run if _has_config(run) else None
        holder = known[key]
        pairs += [(run, holder)] if holder else []
    return pairs[::-1]


def _has_config(run: LoggedRun) -> bool:
    try:
        return bool(run.choices)
    except (TrackingError, ConfigError, KeyError, TypeError, ValueError):  # a damaged one may have any shape
        return False


def _chosen(pairs: Sequence[tuple[LoggedRun, LoggedRun]], wanted: Wanted) -> list[tuple[LoggedRun, LoggedRun]]:
    """The runs whose configs have the wanted values."""
    known = {key for _, holder in pairs for key in holder.choices}
    for key in wanted.choices:
        if pairs and key not in known:
            problem = f"no run in the store has a choice {key}"
            raise ConfigError(problem, where="--where", hint=did_you_mean(key, sorted(known)))
    return [pair for pair in pairs if wanted.choices.items() <= pair[1].choices.items()]


def _sittings(runs: Sequence[LoggedRun]) -> dict[str, float]:
    """When each sweep began."""
    begun: dict[str, float] = {}
    for run in runs:
        if sweep := run.tags.get("sweep_id"):
            begun[sweep] = min(run.started_at, begun.get(sweep, run.started_at))
    return begun


def _found(
    pairs: Sequence[tuple[LoggedRun, LoggedRun]], wanted: Wanted, left_out: Counter[str], sittings: Mapping[str, float]
) -> Iterator[Found]:
    # What the newest run declares holds for all: an earlier version may have declared another value.
    experiments = {holder.config.entrypoint.name: holder.config.entrypoint for _, holder in pairs}
    for run, holder in pairs:
        experiment = experiments[holder.config.entrypoint.name]
        place = Place(experiment.name, _machine(run, holder), _configuration(run, holder))
        sitting_at = sittings.get(run.tags.get("sweep_id", ""), run.started_at)
        metrics = list(_metrics(run, experiment, wanted.metrics))
        if not metrics:
            left_out[f"without {' or '.join(wanted.metrics) or value_metric(experiment)}"] += 1
        yield from ((place, metric, _observed(run, metric, sitting_at)) for metric in metrics)


def value_metric(experiment: Experiment) -> str:
    """The metric of an experiment's value, without the series before it."""
    return name_of(experiment.value_name)


def _metrics(run: LoggedRun, experiment: Experiment, names: Sequence[str]) -> Iterator[Metric]:
    value = value_metric(experiment)
    for name in sorted(run.metrics):
        last = name.rpartition("/")[2]
        if math.isfinite(run.metrics[name]) and not is_line(name) and (name in names or last in (names or (value,))):
            rates = last in (experiment.rate, f"steady_{experiment.rate}", f"{experiment.rate}_median")
            unit = experiment.rate_unit if rates else "s" if last.endswith("seconds") else ""
            yield Metric(name, unit, experiment.value.better if last == value else None)


def _machine(run: LoggedRun, holder: LoggedRun) -> str:
    """What a run ran on, in words: a host; or in the cloud a cluster's shape, since its hosts have new names each time.

    A cluster that exists already is told from others by the host of its driver.
    """
    cluster, tags = holder.config.cluster, run.tags
    size = [f"{tags[key]} {key}" for key in ("executors", "cores") if key in tags]
    if place := kind_of(cluster).place:
        return ", ".join([f"{cluster.name or cluster.kind} ({cluster.kind} in {place.region})", *size])
    return ", ".join([tags.get("host", "an unknown host"), *size[-1:], *filter(None, [tags.get("platform")])])


def _configuration(run: LoggedRun, holder: LoggedRun) -> dict[str, str]:
    """All that results depend on beside code and machine: the choices, and the data where it was listed."""
    choices = {key: value for key, value in holder.choices.items() if key != _REPEAT}
    return choices | ({DATA: data} if (data := made_with(run.tags).get(DATA)) else {})


def _observed(run: LoggedRun, metric: Metric, sitting_at: float) -> Observed:
    made = made_with(run.tags)
    return Observed(
        run_id=run.run_id,
        started_at=run.started_at,
        sitting_at=sitting_at,
        value=run.metrics[metric.name],
        verdict=run.tags.get(VERDICT, ""),
        commit=run.tags.get("mlflow.source.git.commit", ""),
        dirty=run.tags.get("git_dirty") == "true",
        code=run.tags.get("code_hash", ""),
        made_with={name: text for name, text in made.items() if name not in _ELSEWHERE},
    )
