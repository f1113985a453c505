"""The index of finished runs: what is in the store already, known without importing MLflow.

A file of JSON lines beside the store, a line a run. It is a cache: deleting it loses no results, only the knowledge
which runs need not be made again, and how long they took.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from flowerexp import json_lines, records
from flowerexp.config import key_of
from flowerexp.config.schema import Cluster, Config
from flowerexp.dataset.kind import for_workload
from flowerexp.plan import PlannedJob, PlannedRun, lasting
from flowerexp.workload import data

_RECENT = 50  # runs that an estimate looks at
_LINE = {
    **dict.fromkeys(("run_key", "run_id", "folder", "cluster", "entrypoint"), str),
    "data_fingerprint": str | None,
    **dict.fromkeys(("seconds", "at"), records.NUMBER),
    "measurements": int,
}


@dataclass(frozen=True)
class Finished:
    """A run that finished, and whose results are in the store.

    Attributes:
        run_key: its identity.
        data_fingerprint: that of the data that it read; None where it reported none.
        run_id: MLflow's.
        folder: where it left its files.
        seconds: from its own start to its end, without waiting for others.
        measurements: how many it made in that time; 0 for one of an experiment without a grid.
        cluster: `cluster_hash` of its cluster.
        entrypoint: the entrypoint's name.
        at: when it ended, in epoch seconds.
    """

    run_key: str
    data_fingerprint: str | None
    run_id: str
    folder: str
    seconds: float
    measurements: int
    cluster: str
    entrypoint: str
    at: float


class Index:
    """The finished runs of one store.

    Args:
        finished: all of them, the oldest first.
        damage: what to say of a file that was damaged, in one line; None of one that is whole.
    """

    def __init__(self, finished: Sequence[Finished], damage: str | None = None) -> None:
        self.damage = damage
        self._by_key: dict[str, list[Finished]] = {}
        self._history: dict[tuple[str, str], list[Finished]] = {}
        for run in finished:
            self._by_key.setdefault(run.run_key, []).append(run)
            self._history.setdefault((run.entrypoint, run.cluster), []).append(run)
        self._models: dict[tuple[str, str], tuple[float, float]] = {}

    def find(self, run_key: str, data_fingerprint: str | None) -> Finished | None:
        """The newest finished run of the same config and code on the same data.

        Args:
            run_key: the run's.
            data_fingerprint: the data's as it is now, see `current_fingerprint`; None where it is not known: then only
                a run counts that reported no data.
        """
        for run in reversed(self._by_key.get(run_key, [])):
            if run.data_fingerprint in (None, data_fingerprint):
                return run
        return None

    def knows(self, run_key: str) -> bool:
        """Has a run of that identity finished, on whatever data? Without one, there is no need to look at the data."""
        return run_key in self._by_key

    def estimate(self, run: PlannedRun) -> float | None:
        """How many seconds a run will take, by earlier runs of its entrypoint on its cluster; None without any.

        By how many measurements these made, where there is a grid; else as long as one of them.
        """
        key = (run.entrypoint, cluster_hash(run.config.cluster))
        if key not in self._history:
            return None
        recent = self._history[key][-_RECENT:]
        if not run.measurements:
            return statistics.median(earlier.seconds for earlier in recent)
        if key not in self._models:
            self._models[key] = _fit([(earlier.measurements, earlier.seconds) for earlier in recent])
        fixed, each = self._models[key]
        return fixed + each * run.measurements


def _fit(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Seconds of a run's start and of each measurement, such that a few odd runs change little (Theil and Sen)."""
    slopes = [(s2 - s1) / (m2 - m1) for (m1, s1), (m2, s2) in itertools.combinations(points, 2) if m1 != m2]
    if slopes:
        each = max(0.0, statistics.median(slopes))
        return max(0.0, statistics.median(seconds - each * count for count, seconds in points)), each
    seconds, count = statistics.median(seconds for _, seconds in points), points[0][0]
    return (0.0, seconds / count) if count else (seconds, 0.0)


def expected(jobs: Sequence[PlannedJob], lanes: int) -> float | None:
    """How many seconds jobs will take on so many clusters at once, by earlier runs; None where those say nothing."""
    return lasting(jobs, lambda run: load(run.config).estimate(run), lanes)


def cluster_hash(cluster: Cluster) -> str:
    """The identity of a cluster: a short hash of the config's `cluster` node."""
    return hashlib.sha256(key_of(cluster).encode()).hexdigest()[:8]


def path_of(config: Config) -> Path:
    """The index's file: `mlruns/finished.jsonl` in the home folder; one of its own for every other store."""
    folder = Path(config.home) / "mlruns"
    uri = str(config.tracking.uri)
    if uri == f"sqlite:///{folder / 'mlflow.db'}":
        return folder / "finished.jsonl"
    parts = urlsplit(uri)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    return folder / f"finished-{hashlib.sha256(address.encode()).hexdigest()[:8]}.jsonl"


def add(config: Config, finished: Finished) -> None:
    """Add a finished run; several processes may do so at once.

    Args:
        config: the run's checked config.
        finished: the run.

    Raises:
        OSError: no room, no permission.
    """
    path = path_of(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    json_lines.append(path, asdict(finished), mode=0o666)


def load(config: Config) -> Index:
    """The index of the store that a config names; without a file, an empty one."""
    path = path_of(config)
    try:
        status = path.stat()
    except OSError:
        return Index([])
    return _read(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _read(path: Path, _modified: int, _size: int) -> Index:
    """Read an index; a line that is none is passed over: it costs the knowledge of one finished run."""
    names = {field.name for field in fields(Finished)}
    lines, bad = json_lines.read_lines(path, lambda line: records.misfit(line, _LINE) is None)
    found = [Finished(**{name: value for name, value in line.items() if name in names}) for line in lines]
    return Index(found, json_lines.complaint(path, bad))


def current_fingerprint(
    config: Config, seen: dict[str, str | None] | None = None, *, buckets: bool = True
) -> str | None:
    """The fingerprint of a run's data as it is now, where it can be found out from here.

    Synthetic data is known by its config; a folder is listed, one in a bucket too, which takes a second or so for each
    5,000 files, and needs gcsfs.

    Args:
        config: the run's checked config.
        seen: what was found for other runs; kept by a caller that asks for many, so that each data set is listed once.
        buckets: look into buckets; without it, their data is not known, unless it was found for another run.

    Returns:
        None for data that cannot be listed from here, for data that a run would refuse, and where there is no data.
    """
    if config.dataset is None:
        return None
    asked = data_asked(config)
    seen = {} if seen is None else seen
    if asked not in seen:
        values = for_workload(config)
        if not buckets and data.in_bucket(values):
            return None
        seen[asked] = data.fingerprint(values)
    return seen[asked]


def data_asked(config: Config) -> str:
    """What a config says about its data: runs of which it is the same have one fingerprint, unless the data changed."""
    experiment = config.entrypoint
    series = {name: config.grid[name] for name in config.experiment.categorical}
    return key_of([config.dataset, config.sampling, experiment, series])


def other_data(runs: Iterable[tuple[str, Config, str | None]]) -> str | None:
    """What to say of runs that were to read the same data, and did not; None where all is well.

    Args:
        runs: of each its name, its config, and the fingerprint of the data that it read; None where it reported none.
    """
    first: dict[str, str] = {}
    known = [(name, data_asked(config), found) for name, config, found in runs if found is not None]
    others = [name for name, asked, found in known if first.setdefault(asked, found) != found]
    if not others:
        return None
    named = ", ".join(others[:10]) + (", ..." if len(others) > 10 else "")
    return (
        f"the data changed during the sweep: {len(others)} of {len(known)} runs read other data than those before, "
        f"and cannot be compared with them (data_fingerprint differs): runs {named}"
    )
