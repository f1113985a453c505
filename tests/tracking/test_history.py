"""The history of a metric, read from a real database with everything in it that is left behind in one."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from flowerexp.analysis.history.lines import lines
from flowerexp.errors import ConfigError, TrackingError
from flowerexp.experiment import Value
from flowerexp.tracking import Store, default_store, fetch
from flowerexp.tracking.client import connect, ensure
from flowerexp.tracking.fetch import LoggedRun, find
from flowerexp.tracking.history import FAILED, NOT_ENDED, UNREADABLE, Wanted, find_history, value_metric
from flowerexp.tracking.history_chart import LEVEL, log_history
from flowerexp.tracking.note import TOKEN_TAG
from tests.analysis.rows import READ_SPEED
from tests.stores import unpack
from tests.tracking.past import MEASURED, METRIC, commit, logger

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow

TFRECORDS = f"tfrecords/{METRIC}"
DATAPROC = {"kind": "dataproc", "name": "four_nodes", "project": "p", "region": "r1", "bucket": "b"}


def all_of(store, **wanted):
    """The lines of a store, of one series."""
    found, left_out = find_history(store, Wanted(**{"metrics": (TFRECORDS,), **wanted}))
    return lines(found), left_out


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without runs: making one takes seconds."""
    made = default_store(tmp_path_factory.mktemp("empty"))
    ensure(made)
    assert made.database
    return made.database.read_bytes()


def copied(empty, home):
    own = default_store(home)
    assert own.database
    own.database.parent.mkdir()
    own.database.write_bytes(empty)
    return Store(own.uri, own.artifacts, "of this test")


@pytest.fixture
def store(tmp_path, empty):
    """A store of this test's own, whose artifacts are not where those of the copied database would be."""
    return copied(empty, tmp_path)


@pytest.fixture
def log(tmp_path, store):
    return logger(tmp_path / "runs", store)


@pytest.fixture(scope="module")
def past(tmp_path_factory, empty):
    """Sixteen days on alpha, with 20 % less from the tenth on; eight on beta, and everything that is no such run."""
    home = tmp_path_factory.mktemp("past")
    store = copied(empty, home)
    log, noise = logger(home / "runs", store), np.random.default_rng(5).normal(0, 0.02, 16)
    for day in range(16):
        facts = {"spark": "4.1.0" if day >= 9 else "4.0.0", "git_dirty": day == 9}
        log(day, (100 if day < 9 else 80) * np.exp(noise[day]), facts)
    for day in range(0, 16, 2):
        log(day, 300 * np.exp(noise[day]), {"host": "beta"})
    log(16, 10, verdict={"state": "suspect", "reasons": ["too much noise"]})
    log(17, state="failed", error="no room", verdict=None)
    client, experiment = connect(store), ensure(store)
    client.create_run(experiment, tags={TOKEN_TAG: "killed while it was logged"})
    sweep = client.create_run(experiment, tags={"flowerexp.kind": "sweep", "sweep_id": "s", "run_key": "k"})
    client.log_metric(sweep.info.run_id, TFRECORDS, 1)
    foreign = client.create_run("0", tags={"mlflow.source.name": "train.py"})
    client.log_metric(foreign.info.run_id, TFRECORDS, 1)
    damaged = client.create_run(experiment, tags={TOKEN_TAG: "t", "run_key": "k", "host": "alpha"})
    client.log_text(damaged.info.run_id, "entrypoint: [", "config.yaml")
    for run in (sweep, foreign, damaged):
        client.set_terminated(run.info.run_id)
    return store


def test_a_planted_step_is_found_at_its_commit_and_machines_are_not_joined(past):
    (alpha, beta), left_out = all_of(past)
    assert (alpha.place.machine, beta.place.machine) == ("alpha, 4 cores, Linux-6.1", "beta, 4 cores, Linux-6.1")
    assert (alpha.metric.unit, alpha.metric.better) == ("images/s", "higher")
    assert [len(line.points) for line in (alpha, beta)] == [17, 8]
    (change,) = alpha.changes
    assert [point.first.commit for point in (change.before, change.after)] == [commit(8), commit(9)]
    assert change.after.commit.endswith("*")
    assert not change.before.commit.endswith("*")
    assert change.differs == {"Spark": ("4.0.0", "4.1.0")}
    assert change.step.ratio.low < 0.8 < change.step.ratio.high < 1
    assert beta.changes == []
    assert left_out == {FAILED: 1, NOT_ENDED: 1, UNREADABLE: 1}


def test_a_suspect_run_is_shown_and_not_used(past):
    (alpha, _), _ = all_of(past)
    last = alpha.points[-1]
    assert (last.first.verdict, last.is_used, last.value) == ("suspect", False, 20.0)
    assert alpha.interval(last).low is None
    assert last not in alpha.used


def test_by_default_it_is_the_experiments_value_of_each_series(past):
    found, _ = find_history(past, Wanted())
    assert {metric.name for _, metric, _ in found} == {f"image_files/{METRIC}", TFRECORDS}


@pytest.mark.parametrize(
    ("wanted", "points"),
    [
        ({"host": "beta"}, 8),
        ({"words": ("read_speed",)}, 25),
        ({"experiments": ("read_speed",), "host": "alpha"}, 17),
        ({"choices": {"caching": "false", "grid.batch_size": "[2,4]"}}, 25),
        ({"choices": {"caching": "true"}}, 0),
        ({"metrics": (), "words": ("time/list_seconds",)}, 25),
        ({"metrics": ("measure_seconds",)}, 25),
        ({"metrics": (METRIC,)}, 50),
    ],
    ids=str,
)
def test_runs_and_metrics_are_chosen(past, wanted, points):
    assert sum(len(line.points) for line in all_of(past, **wanted)[0]) == points


def test_only_runs_since_a_date(past):
    (alpha, beta), _ = all_of(past)
    since = alpha.points[10].first.started_at
    assert [len(line.points) for line in all_of(past, since=since)[0]] == [7, 3]
    assert all_of(past, since=time.time() + 1e9) == ([], Counter())
    assert beta.points[-3].first.started_at >= since


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"words": ("raed_speed",)}, "raed_speed is not an experiment or a metric of a run in the store; did you mean"),
        ({"experiments": ("aggregate",)}, "aggregate is not an experiment of a run in the store"),
        ({"metrics": ("tfrecords/images_per_sceond",)}, "is not a metric of a run in the store; did you mean"),
        ({"host": "gamma"}, "gamma is not the host of a run in the store; choose from alpha, beta"),
        ({"choices": {"cashing": "true"}}, "--where: no run in the store has a choice cashing; did you mean 'caching'"),
    ],
    ids=str,
)
def test_a_name_that_nothing_has_is_told_with_what_there_is(past, wanted, message):
    with pytest.raises(ConfigError, match=message):
        all_of(past, **wanted)


def test_a_run_without_the_metric_is_counted(past):
    found, _ = all_of(past)
    client = connect(past)
    run_id = found[0].points[0].first.run_id
    client.log_metric(run_id, "tfrecords/rare", 1)
    client.log_metric(found[0].points[1].first.run_id, "tfrecords/rare", float("nan"))
    (line,), left_out = all_of(past, metrics=("rare",))
    assert [run.run_id for point in line.points for run in point.runs] == [run_id]
    assert left_out["without rare"] == 24


@pytest.mark.parametrize(
    ("value", "metric"),
    [
        ("rate", "images_per_second"),
        ("steady_rate", "steady_images_per_second"),
        ("seconds", "seconds"),
        ("peak bytes (max)", "peak bytes _max_"),
    ],
)
def test_an_experiments_value_has_the_name_that_it_is_logged_by(value, metric):
    assert value_metric(replace(READ_SPEED, value=Value(name=value))) == metric


def test_what_the_newest_run_declares_holds_for_all_and_experiments_are_apart(store, log):
    rate = {**MEASURED["entrypoint"], "value": {"name": "rate", "better": "higher"}}
    log(0, config={"entrypoint": rate})
    log(1)
    log(2, config={"entrypoint": {**rate, "name": "mine", "question": "What is mine?"}})
    found, left_out = find_history(store, Wanted())
    by_line = {(line.place.experiment, line.metric.name): len(line.points) for line in lines(found)}
    names = [f"{series}/{{}}images_per_second" for series in ("image_files", "tfrecords")]
    assert by_line == {
        **{("mine", name.format("")): 1 for name in names},
        **{("read_speed", name.format("steady_")): 2 for name in names},
    }
    assert not left_out


def test_configs_are_read_once_for_runs_of_equal_params_and_pages_make_no_difference(past, monkeypatch):
    read, real = [], LoggedRun.artifact

    def reading_it(self, path):
        read.append(self.run_id)
        return real(self, path)

    monkeypatch.setattr(LoggedRun, "artifact", reading_it)
    whole = [line.place.key for line in all_of(past)[0]]
    assert len(read) == 2, "one for all that are alike, and the damaged one"
    monkeypatch.setattr(fetch, "_PAGE", 4)
    assert [line.place.key for line in all_of(past)[0]] == whole


def test_a_configuration_is_all_but_code_and_repeats(store, log):
    log(0, config={"repeat": 1})
    log(0.01, config={"repeat": 2}, facts={"version.numpy": "3"})
    log(0.02, config={"repeat": 3}, facts={"version.flowerexp": "0.0"})
    log(1, config={"caching": True})
    log(2, facts={"data_fingerprint": "d2"})
    log(3, facts={"cores": 8})
    log(4, facts={"platform": "Linux-6.2"})
    found, _ = all_of(store)
    assert sorted(len(line.points[0].runs) for line in found) == [1, 1, 1, 1, 3]
    assert len(found) == 5


def test_a_clusters_hosts_are_new_each_time_and_its_shape_is_the_machine(store, log):
    for day, host in enumerate(("m-1", "m-2")):
        log(day, config={"cluster": DATAPROC}, facts={"host": host, "executors": 4, "cores": 16})
    log(2, config={"cluster": DATAPROC | {"region": "r2"}}, facts={"host": "m-3", "executors": 4, "cores": 16})
    log(3, config={"cluster": DATAPROC}, facts={"host": "m-4", "executors": 3, "cores": 12})
    master = {"kind": "spark_master", "master": "yarn"}
    for day, host in enumerate(("gateway-1", "gateway-2")):
        log(day, config={"cluster": master}, facts={"host": host})
    found, _ = all_of(store)
    assert sorted((len(line.points), line.place.machine) for line in found) == [
        (1, "four_nodes (dataproc in r1), 3 executors, 12 cores"),
        (1, "four_nodes (dataproc in r2), 4 executors, 16 cores"),
        (1, "gateway-1, 4 cores, Linux-6.1"),
        (1, "gateway-2, 4 cores, Linux-6.1"),
        (2, "four_nodes (dataproc in r1), 4 executors, 16 cores"),
    ]


def test_repeats_of_a_commit_in_one_sweep_are_one_point(store, log):
    """Each sweep met the machine in another mood, which its five runs share: that is no change of the code."""
    for sweep, level in enumerate((100, 120)):
        for repeat in range(5):
            log(1.48 + 2 * sweep + repeat / 100, level + repeat / 10, {"git_commit": "c"}, sweep_id=f"s{sweep}")
    ((line,), _) = all_of(store)
    assert [len(point.runs) for point in line.points] == [5, 5], "also where a sweep goes on after midnight"
    assert line.changes == []
    assert line.interval(line.points[0]).low == pytest.approx(200, rel=0.01)


def test_what_an_earlier_version_has_logged_is_read(tmp_path):
    home = unpack("before_experiments", tmp_path)
    found, left_out = find_history(
        default_store(home), Wanted(experiments=("read_speed",), metrics=("time/measure_seconds",))
    )
    assert {place.choices["caching"] for place, _, _ in found} == {"true", "false"}
    assert not left_out


def test_looking_makes_no_store(tmp_path):
    with pytest.raises(TrackingError, match=r"there are no runs yet in .*; run an experiment first"):
        find_history(default_store(tmp_path), Wanted())
    assert not list(tmp_path.iterdir())


def test_lines_in_mlflow_grow_and_are_never_taken_for_runs(store, log):
    for day in range(8):
        log(day, 100 if day < 4 else 50)
    before, _ = all_of(store)
    place = log_history(before, store)
    client = connect(store)
    experiment = ensure(place)
    (run,) = client.search_runs([experiment])
    steps = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, TFRECORDS)]
    assert sorted(steps) == [(day, pytest.approx(200 if day < 4 else 100)) for day in range(8)]
    assert [one.value for one in client.get_metric_history(run.info.run_id, LEVEL)][::7] == pytest.approx([200, 100])
    assert (run.info.status, run.data.params["caching"]) == ("FINISHED", "false")
    assert "0.500 x" in run.data.tags["mlflow.note.content"]

    log_history(before, store)
    assert [one.step for one in client.get_metric_history(run.info.run_id, TFRECORDS)] == list(range(8))

    log(8, 50)
    after, left_out = all_of(store)
    assert len(after) == 1
    assert not left_out
    assert len(after[0].points) == 9
    log_history(after, store)
    assert [one.info.run_id for one in client.search_runs([experiment])] == [run.info.run_id]
    assert len(client.get_metric_history(run.info.run_id, TFRECORDS)) == 9

    log(3.01, 110)
    changed, _ = all_of(store)
    log_history(changed, store)
    (other,) = client.search_runs([experiment])
    assert other.info.run_id != run.info.run_id
    assert len(client.get_metric_history(other.info.run_id, TFRECORDS)) == 9
    with pytest.raises(TrackingError, match=r"has no config\.yaml of flowerexp"):
        _ = find(store, other.info.run_id).config


def test_a_server_is_read_and_logged_to_as_well(tmp_path, mlflow_server):
    store = Store(mlflow_server.store.uri, None, "history of a server")
    log = logger(tmp_path / "runs", store)
    for day in range(7):
        log(day, 100 if day < 3 else 50, {"host": "only here"})
    (line,), _ = all_of(store, host="only here")  # the server has runs of other tests, whose host is not known
    assert [change.after.first.commit for change in line.changes] == [commit(3)]
    place = log_history([line], store)
    log_history([line], store)
    client = connect(store)
    (run,) = client.search_runs([ensure(place)])
    assert len(client.get_metric_history(run.info.run_id, TFRECORDS)) == 7
