"""Secrets that a user has to write somewhere are in nothing that is left behind, and in no list of processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command import Home
from tests.tracking import Server, mlflow_server

__all__ = ["mlflow_server"]

SMALL = ("entrypoint=write_shards", "dataset=synthetic", "dataset.images=20", "preprocess.shards=2")
SPARK = {
    "spark.hadoop.fs.azure.account.key.mine.dfs.core.windows.net": "planted1/key+1==",
    "spark.hadoop.fs.s3a.secret.key": "planted2",
    "spark.hadoop.fs.s3a.access.key": "planted3",
    "spark.hadoop.my.private.key": "planted4 of several words",
    "spark.hadoop.db.pwd": "planted5'quoted",
    "spark.hadoop.http.authorization": "Bearer planted6.abcdefgh",
    "spark.executorEnv.API_TOKEN": "planted7",
    "spark.hadoop.url": "jdbc:postgresql://db/x?user=me&password=planted8",
    "spark.hadoop.another": "https://me:planted9@example.org/",
}


def planted() -> list[str]:
    """The overrides that hold the secrets."""
    return [f"+cluster.spark.{key}={_quoted(value)}" for key, value in SPARK.items()]


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def uri(server: Server, password: str) -> str:
    return _quoted(f"http://me:{password}@127.0.0.1:{server.port}")


def holding(folder: Path) -> list[str]:
    """The files below a folder that hold a secret; those that only their owner can read are left out."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077 and b"planted" in path.read_bytes():
            found.append(str(path.relative_to(folder)))
    return found


@contextmanager
def seen_processes() -> Iterator[list[str]]:
    """The command lines of all Java processes that are there meanwhile, each once."""
    seen: dict[str, None] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if "spark" in line and "flowerexp dataset" not in line and "-m flowerexp" not in line:
                    seen[line] = None

    thread = threading.Thread(target=look)
    thread.start()
    lines: list[str] = []
    try:
        yield lines
    finally:
        over.set()
        thread.join()
        lines.extend(seen)


@pytest.mark.spark
@pytest.mark.parametrize("kind", ["run", pytest.param("sweep", marks=pytest.mark.long)])
def test_no_secret_is_left_anywhere(tmp_path: Path, mlflow_server: Server, kind: str) -> None:
    home = Home(tmp_path)
    place = f"tracking.uri={uri(mlflow_server, 'planted0')}"
    flags = []
    if kind == "sweep":
        place += f",{uri(mlflow_server, 'planted10')}"
        flags = ["-m", "+cluster.spark.spark.hadoop.swept.password=planted11,planted12"]
    arguments = [*flags, *SMALL, place, *planted()]
    plan = home("plan", *arguments)
    as_json = home("plan", "--json", *arguments)
    with seen_processes() as lines:
        answer = home(*arguments)
    assert answer.code == 0, answer.err
    for text in (plan.out, plan.err, as_json.out, answer.out, answer.err):
        assert "planted" not in text
    assert (plan.code, as_json.code) == (0, 0), plan.err
    assert any("SparkSubmit" in line for line in lines)
    assert not [line for line in lines if "planted" in line]
    assert holding(tmp_path) == []
    assert holding(mlflow_server.home) == []
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"planted" in path.read_bytes()]
    assert {path.name for path in left} == ({"plan.json"} if kind == "sweep" else set())
    (record,) = tmp_path.glob("outputs/*/*/plan.json" if kind == "sweep" else "outputs/*/*/run.json")
    report = home("report", record.parent)
    assert report.code == 0, report.err
    assert holding(tmp_path) == []
