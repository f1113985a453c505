"""The experiment `aggregate`: the rows that it generates, and the work that it measures."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from pyspark.sql import functions

from flowerexp import workload
from flowerexp.workload.engine.spark_metrics import recorded
from tests.composing import composed

SCRIPT = Path(__file__).parents[2] / "spark_entry" / "aggregate.py"

pytestmark = pytest.mark.spark


@pytest.fixture
def aggregate(spark, monkeypatch):
    monkeypatch.setattr(workload, "main", None, raising=False)
    spec = importlib.util.spec_from_file_location("aggregate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for setting in ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled"):
        spark.conf.unset(setting)


@pytest.fixture
def made(tmp_path):
    def made(skew=0.0, keys=50, rows=(4000,)):
        settings = {"skew": skew, "keys": keys}
        return {
            "entrypoint": {"settings": settings},
            "grid": {"rows": list(rows)},
            "storage": {"generated": str(tmp_path / "generated")},
        }

    return made


def cell(shape="group_by", partitions=3, adaptive=False, rows=4000):
    return {"shape": shape, "rows": rows, "shuffle_partitions": partitions, "adaptive": adaptive}


def content(table):
    return table.agg(functions.count("id"), functions.sum(functions.xxhash64("*").cast("decimal(30)"))).first()


def folders(tmp_path):
    return sorted(path.name for path in (tmp_path / "generated").iterdir())


def test_the_script_is_short_and_imports_only_main_of_flowerexp():
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) < 60
    ours = [line for line in lines if "flowerexp" in line and "import" in line]
    assert ours == ["from flowerexp.workload import main"]


def test_rows_are_generated_once_and_the_same_again(spark, aggregate, made, tmp_path):
    tables = aggregate.prepare(spark, made(rows=(4000, 500)))["tables"]
    assert {rows: table.count() for rows, table in tables.items()} == {4000: 4000, 500: 500}
    assert folders(tmp_path) == ["aggregate-v1-4000-skew0-keys50", "aggregate-v1-500-skew0-keys50"]
    first = content(tables[4000])
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert content(aggregate.prepare(spark, made())["tables"][4000]) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == written
    shutil.rmtree(tmp_path / "generated")
    assert content(aggregate.prepare(spark, made())["tables"][4000]) == first


def test_a_table_that_is_there_in_part_is_made_again(spark, aggregate, made, tmp_path):
    first = content(aggregate.prepare(spark, made())["tables"][4000])
    next(tmp_path.rglob("*.parquet")).unlink()
    assert content(aggregate.prepare(spark, made())["tables"][4000]) == first
    assert len(folders(tmp_path)) == 1


@pytest.mark.parametrize(
    ("skew", "share"), [(0.0, 0.02), (0.5, 0.068), (1.0, 0.176), (1.5, 0.339), (2.0, 0.51), (10.0, 0.998)]
)
def test_keys_are_as_frequent_as_the_law_says(spark, aggregate, made, skew, share):
    table = aggregate.prepare(spark, made(skew=skew, rows=(20_000,)))["tables"][20_000]
    counts = {row["key"]: row["count"] for row in table.groupBy("key").count().collect()}
    assert counts[1] / 20_000 == pytest.approx(share, rel=0.08, abs=0.002)
    assert min(counts) == 1
    assert max(counts) <= 50
    if skew < 1:
        assert len(counts) == 50  # all of them


@pytest.mark.parametrize("shape", ["group_by", "join"])
def test_a_measurement_shuffles_into_as_many_partitions_as_asked(spark, aggregate, made, shape):
    prepared = aggregate.prepare(spark, made())
    tasks = {}
    for partitions in (3, 7):
        with recorded(spark.sparkContext, f"{shape}-{partitions}") as numbers:
            assert aggregate.measure(prepared, cell(shape, partitions)) == {"rows": 4000}
        assert numbers["shuffle_read_bytes"] == numbers["shuffle_write_bytes"] > 0
        tasks[partitions] = numbers["spark_tasks"]
    assert tasks[7] - tasks[3] == 4  # the others read the files and, for a join, the keys


def test_adaptive_execution_joins_small_partitions(spark, aggregate, made):
    prepared = aggregate.prepare(spark, made())
    tasks = {}
    for adaptive in (False, True):
        with recorded(spark.sparkContext, f"adaptive-{adaptive}") as numbers:
            aggregate.measure(prepared, cell("join", 40, adaptive))
        tasks[adaptive] = numbers["spark_tasks"]
    assert tasks[True] < 20 < 40 < tasks[False]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("entrypoint.settings.skew=-1", "skew"),
        ("entrypoint.settings.skwe=1", "did you mean .entrypoint.settings.skew."),
        ("grid.shape=sort", "group_by, join"),
        ("grid.rows=0", "grid.rows"),
    ],
)
def test_its_declaration_refuses_what_it_cannot_do(tmp_path, override, message):
    with pytest.raises(Exception, match=message):
        composed([f"home={tmp_path}", "entrypoint=aggregate", override])
