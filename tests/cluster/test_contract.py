"""What every kind of cluster promises: one job, from its submission by one process to its end under another."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import JobFiles, backend
from flowerexp.job.follow import follow
from flowerexp.job.results import explain
from tests.cluster.dataproc.conftest import BUCKET, SCOPE, Told
from tests.fakes.cloud import Cloud
from tests.fakes.plugin import cloud, cloud_servers

__all__ = ["cloud", "cloud_servers"]

PROGRAM = """
import json, sys, time
from pathlib import Path
print(json.dumps({{"flowerexp": {{"done": 1, "total": 2}}}}), flush=True)
while not Path({flag!r}).exists():
    time.sleep(0.05)
print(json.dumps({{"flowerexp": {{"done": 2, "total": 2}}}}), flush=True)
raise ValueError("as it was told to")
"""


@pytest.fixture(params=["local", "single_node", "serverless"])
def made(request, config, monkeypatch) -> Iterator[Any]:
    """A function that makes the backend, as each process makes its own."""
    overrides = [f"cluster={request.param}"]
    if request.param != "local":
        google: Cloud = request.getfixturevalue("cloud")
        for name, value in google.environment.items():
            monkeypatch.setenv(name, value)
        overrides += [f"gcp.project={google.project}", f"gcp.bucket={BUCKET}", "cluster.packages=image"]
    cluster = config(*overrides).cluster
    yield lambda: backend(cluster)
    backend(cluster).close(SCOPE, Told())


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "job.json").write_text('{"runs": []}')
    (folder / "entry.py").write_text(PROGRAM.format(flag=str(tmp_path / "go")))
    (folder / "flowerexp-0123.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    return JobFiles(folder, folder / "entry.py", folder / "flowerexp-0123.zip", folder / "job.json", SCOPE, {})


@pytest.mark.spark
def test_a_job(made, files, tmp_path):
    first, life = made(), Told()
    first.check()
    assert first.output(tmp_path / "run-7", SCOPE).endswith("run-7/results")
    first.open(SCOPE, {}, life)
    submission = first.submit(files)
    handle = json.loads(json.dumps(submission.handle))
    lines: list[str] = []
    deadline = time.monotonic() + 120
    while not any(line.startswith('{"flowerexp"') for line in lines):
        printed, code = submission.poll()
        lines += printed
        assert code is None, lines
        assert time.monotonic() < deadline

    second = made()  # another process: the first one may have died
    second.open(SCOPE, {}, life)
    assert second.find(files.folder, json.loads(json.dumps(first.handle(files.folder, SCOPE)))) is not None
    assert second.arrived(first.handle(files.folder, SCOPE))
    found = second.find(files.folder, handle)
    (tmp_path / "go").touch()
    messages: list[dict[str, Any]] = []
    _, tail = follow(found, messages.append)
    assert [message["done"] for message in messages] == [1, 2]
    assert explain(tail) == "ValueError: as it was told to"
    found.collect()
    assert "as it was told to" in (files.folder / "driver.log").read_text()
    assert follow(submission, messages.append)[0] == 1

    for one in (submission, found):
        one.stop()  # harmless after the end
    assert second.find(files.folder, handle) is None
    for one in (second, second, first):
        one.close(SCOPE, life)
    assert life.states == [] or life.states[-1] == "deleted"
