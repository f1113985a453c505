"""The memory that all of the data needs: read of event logs, extrapolated, and told to the search that asks for it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import pytest

from flowerexp.cluster_search.memory import needs_gb
from flowerexp.cluster_search.smoke import with_changes
from flowerexp.errors import ConfigError
from flowerexp.journal import JOURNAL
from flowerexp.plan import PlannedRun
from flowerexp.search import Shape
from tests.analysis import events
from tests.cluster_search.test_searching import Hanging
from tests.cluster_search.test_searching_smoke import SMOKE, ends, is_smoke
from tests.composing import composed

CACHING = '''
"""Keeps as much in Spark's memory as its share of the data says, and looks twice."""
import os
import time
from flowerexp.workload import main

def run(spark, config):
    """One row."""
    size = int(400_000_000 * config["sampling"]["fraction"])
    def block(_):
        yield os.urandom(size // 2)
    blocks = spark.sparkContext.range(2, numSlices=2).mapPartitions(block).cache()
    blocks.count()
    blocks.foreach(lambda _: time.sleep(2.5))
    yield {"n": 1}

if __name__ == "__main__":
    main(run)
'''


def managed(name: str, size: int) -> dict[str, Any]:
    """An executor's part that Spark manages."""
    about = {"Executor ID": name, "Host": "a", "Port": 1}
    return {"Event": "SparkListenerBlockManagerAdded", "Block Manager ID": about, "Maximum Memory": size}


def task(stage: int, name: str, used: int) -> dict[str, Any]:
    """A task that saw so much of it in use, a part of it outside the heap."""
    looked = {"JVMHeapMemory": 10**9, "OnHeapUnifiedMemory": used - 5, "OffHeapUnifiedMemory": 5}
    return {**events.task(stage, name, 0, 1), "Task Executor Metrics": looked}


@pytest.fixture
def smoke(tmp_path):
    """`smoke(images, log)`: a smoke run on 2 % of the files, at least 150, and the folder of its job."""

    def made(images: int | None, log: list[dict[str, Any]]) -> PlannedRun:
        config = composed(["cluster=four_nodes", "gcp.project=mine", "quota=none", "sampling=smoke"])
        config = replace(config, entrypoint=replace(config.entrypoint, shared=("prepare",)))
        events.write(log, tmp_path / "events" / "app")
        (tmp_path / "run.json").write_text(json.dumps({"facts": {} if images is None else {"images": images}}))
        return PlannedRun("key", config, tmp_path, "code", {"label": "a"})

    return made


LOG = [
    managed("driver", 7777), managed("1", 1000), managed("2", 1000), managed("3", 1000),
    events.job(0, "prepare"), events.job(1, "measure"),
    task(0, "1", 900), task(1, "1", 100), task(1, "1", 60), task(1, "2", 140),
]  # fmt: skip


def test_the_share_in_use_is_extrapolated_to_all_of_the_data(smoke, tmp_path):
    """240 of the 2,000 bytes of those that worked, of 4 x 16 GB, for 2 % of the data; preparing it does not count."""
    run, shape = smoke(151, LOG), Shape(4, 16, 4)
    assert needs_gb(run, 1.0, shape, [tmp_path]) == pytest.approx(240 / 2000 * 64 / 0.02)
    assert needs_gb(run, 0.5, shape, [tmp_path]) == pytest.approx(240 / 2000 * 64 / 0.02 * 0.5), "half is the whole"


@pytest.mark.parametrize(
    ("images", "log"),
    [(150, LOG), (151, LOG[:4]), (151, [event for event in LOG if "Block" not in event["Event"]]),
     (151, [*LOG[:6], events.task(1, "1", 0, 1)])],
    ids=["the minimum decided how much was read", "no task", "unknown what is managed", "nobody looked"],
)  # fmt: skip
def test_nothing_is_said_without_what_it_takes(smoke, tmp_path, images, log):
    assert needs_gb(smoke(images, log), 1.0, Shape(4, 16, 4), [tmp_path]) is None


def test_an_experiment_without_images_has_read_its_fraction(smoke, tmp_path):
    assert needs_gb(smoke(None, LOG), 1.0, Shape(4, 16, 4), [tmp_path]) is not None


@pytest.fixture
def told(monkeypatch):
    """Smoke runs that say so much."""

    def say(gb: float | None) -> None:
        monkeypatch.setattr("flowerexp.cluster_search.smoke.needs_gb", lambda *_: gb)

    return say


def test_the_search_expects_it_if_asked_and_after_a_kill_too(search, told, tmp_path):
    asked = {**SMOKE, "rule": "saving", "max_runs": 20, "seed": 1}
    told(90.0)
    plain = search(ends, "plain", **asked)
    hinted = search(ends, "hinted", **asked, memory_hint=True)
    assert [plain.account["recommendation"]["needs_gb"], hinted.account["recommendation"]["needs_gb"]] == [None, 90.0]
    assert {one["needs_gb"] for one in plain.account["smoke"] if one["status"] == "finished"} == {90.0}
    assert "memory    all of the data should need 90 GB" in hinted.said
    assert "memory    " not in plain.said
    medians = [[one["median"] for one in sweep.account["candidates"]] for sweep in (plain, hinted)]
    assert medians[0] != medians[1]

    told(None)  # the journal has what the smoke runs said
    lines = (tmp_path / "hinted" / JOURNAL).read_text().splitlines(keepends=True)
    over = next(place for place, line in enumerate(lines) if json.loads(line)["event"] == "smoke_over")
    shutil.copytree(tmp_path / "hinted", tmp_path / "cut")
    (tmp_path / "cut" / JOURNAL).write_text("".join(lines[: over + 4]))
    resumed = search(ends, "cut", **asked, memory_hint=True)
    assert not any(map(is_smoke, resumed.ran))
    assert resumed.account["tries"] == hinted.account["tries"]
    assert resumed.account["candidates"] == hinted.account["candidates"]


def test_a_hint_without_smoke_runs_is_refused():
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.memory_hint: .*; set hydra\.sweeper\.smoke=true as well"):
        with_changes({"smoke": False, "memory_hint": True}, None, [])  # type: ignore[arg-type]


@pytest.mark.spark
@pytest.mark.long
def test_a_real_smoke_run_says_what_its_executors_cached(tmp_path):
    """8 MB were cached of 2 % of the data, in that part of the driver's 1 GB that Spark manages.

    Spark reserves up to half as much again while it puts a block into its memory, and may be looked at just then.
    """
    home = Hanging(tmp_path, CACHING, "sampling")
    answer = home.search("cluster.cores=1,2", "hydra.sweeper.smoke=true", "hydra.sweeper.memory_hint=true")
    assert answer.code == 0, answer.err
    (account,) = home.accounts
    needed = account["recommendation"]["needs_gb"]
    lines = next(tmp_path.glob("outputs/*/*/jobs/*/events/*")).read_text().splitlines()
    available = next(json.loads(line)["Maximum Memory"] for line in lines if "BlockManagerAdded" in line)
    cached = 8e6 / available / 0.02
    assert 0.95 * cached < needed < 1.05 * 1.5 * cached
    assert f"all of the data should need {needed:.3g} GB" in answer.err
    assert f"all of the data should need {needed:.3g} GB" in next(tmp_path.glob("outputs/*/*/report.html")).read_text()
