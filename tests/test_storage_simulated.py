"""A simulated bucket: it has the disk's files and a bucket's pace, and ends with the process that wants it."""

import itertools
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flowerexp import storage
from flowerexp.storage import simulated
from flowerexp.storage.pacing import Pacer
from flowerexp.storage.simulated import Bucket, Pace

FILES = 8


class TestPacer:
    def test_latency_is_that_of_each_request(self):
        pacer = Pacer(Pace(latency_ms=30))
        assert [pacer.latency() for _ in range(3)] == [0.03] * 3

    def test_jitter_is_log_normal_around_the_median_and_the_same_for_a_seed(self):
        pace = Pace(latency_ms=30, jitter=0.4, seed=7)
        drawn = [pacer.latency() for pacer in [Pacer(pace)] for _ in range(4000)]
        assert statistics.median(drawn) == pytest.approx(0.03, rel=0.03)
        assert statistics.stdev(map(math.log, drawn)) == pytest.approx(0.4, rel=0.05)
        assert sum(each * 1000 > pace.latency_ms_of_99 for each in drawn) / 4000 == pytest.approx(0.01, abs=0.005)
        assert drawn[:5] == [pacer.latency() for pacer in [Pacer(pace)] for _ in range(5)]

    def test_a_connection_transfers_so_much_a_second(self):
        pacer = Pacer(Pace(connection_mb_s=10))
        first = pacer.sent(5.0, 1_000_000)
        assert first == pytest.approx(5.1)
        assert pacer.sent(first, 500_000) == pytest.approx(5.15)
        assert pacer.sent(5.0, 1_000_000) == pytest.approx(5.1), "another connection at the same time"

    def test_connections_share_what_all_transfer_together(self):
        pacer = Pacer(Pace(connection_mb_s=10, bandwidth_mb_s=15))
        ends = [pacer.sent(0.0, 1_000_000) for _ in range(3)]
        assert ends == pytest.approx([0.1, 2 / 15, 3 / 15])
        assert pacer.sent(9.0, 1_000_000) == pytest.approx(9.1), "what was not used is not saved up"

    def test_without_limits_everything_is_sent_at_once(self):
        assert Pacer(Pace()).sent(3.0, 10**9) == 3.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for number in range(FILES):
        (tmp_path / "data" / f"{number} ü%#.bin").write_bytes(os.urandom(5000 + number))
    (tmp_path / "data" / "empty.bin").touch()
    (tmp_path / "secret.txt").write_text("not in the bucket")
    return tmp_path / "data"


@pytest.fixture
def serve(folder: Path) -> Iterator[Any]:
    """`serve(Pace(...))` is a bucket with the files of the folder."""
    buckets = []

    def serve(pace: Pace) -> Bucket:
        buckets.append(Bucket(pace, [str(folder)]))
        return buckets[-1]

    yield serve
    for bucket in buckets:
        bucket.stop()


def answered(bucket: Bucket) -> dict[str, float]:
    """What the server says that it has answered."""
    place = simulated.endpoint_of(bucket.name)
    with urllib.request.urlopen(f"{place}/{bucket.name.rpartition('-')[2]}") as answer:
        found: dict[str, float] = json.loads(answer.read())
    return found


class TestReading:
    def test_objects_are_the_files_whole_and_in_part(self, folder, serve):
        bucket = serve(Pace())
        for file in sorted(folder.iterdir()):
            uri, content = bucket.uri(str(file)), file.read_bytes()
            assert storage.read_bytes(uri) == content
            assert storage.exists(uri)
            with storage.open_read(uri) as stream:
                assert stream.read(7) == content[:7]
                stream.seek(4990)
                assert stream.read() == content[4990:]
            assert simulated.local_path(uri) == str(file)
        assert simulated.local_path("gs://real/a") is simulated.local_path("/a") is None

    def test_other_files_and_missing_ones_are_not_there(self, folder, serve):
        bucket = serve(Pace())
        for path in (folder / "none", folder.parent / "secret.txt", f"{folder}/../secret.txt", "/etc/hostname"):
            with pytest.raises(FileNotFoundError):
                storage.read_bytes(bucket.uri(str(path)))

    def test_nobody_reads_without_the_secret_in_the_name(self, folder, serve):
        bucket = serve(Pace())
        other = f"{bucket.name[:-1]}{'1' if bucket.name.endswith('0') else '0'}"
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(f"gs://{other}{next(folder.iterdir())}")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{simulated.endpoint_of(bucket.name)}/")

    def test_it_cannot_be_written_to(self, folder, serve):
        with pytest.raises(OSError, match="can only be read"):
            storage.write_bytes(serve(Pace()).uri(f"{folder}/new"), b"content")

    def test_messages_name_the_files(self):
        text = "gs://flowerexp-simulated-41235-0a1b/data/a.jpg: cut off, gs://flowerexp-simulated-41235-0a1b/b and gs://c/d"
        assert simulated.plain(text) == "/data/a.jpg: cut off, /b and gs://c/d"


class TestPaceOfAnswers:
    def test_latency_is_applied_to_each_request(self, folder, serve):
        files = [str(file) for file in sorted(folder.iterdir())]
        seconds = {}
        for latency in (0, 60):
            bucket = serve(Pace(latency_ms=latency))
            storage.read_bytes(bucket.uri(files[0]))  # opens the connection
            before, started = answered(bucket), time.perf_counter()
            moments = [started]
            for file in files:
                storage.read_bytes(bucket.uri(file))
                moments.append(time.perf_counter())
            seconds[latency] = [end - begin for begin, end in itertools.pairwise(moments)]
            after = answered(bucket)
            assert after["requests"] - before["requests"] == len(files)
            applied = after["latency_seconds"] - before["latency_seconds"]
            assert applied == pytest.approx(len(files) * latency / 1000)
        assert min(seconds[60]) >= 0.06, "no answer begins before"
        assert min(seconds[0]) < 0.06, "a busy machine does not delay each of them"

    def test_requests_wait_at_the_same_time(self, folder, serve):
        bucket = serve(Pace(latency_ms=150))
        uris = [bucket.uri(str(file)) for file in sorted(folder.iterdir())]

        def together() -> bool:
            before, started = answered(bucket)["latency_seconds"], time.perf_counter()
            assert all(len(content) >= 5000 or not content for content in pool.map(storage.read_bytes, uris))
            seconds = time.perf_counter() - started
            return bool(seconds < (answered(bucket)["latency_seconds"] - before) / 2)

        with ThreadPoolExecutor(len(uris)) as pool:
            assert any(together() for _ in range(5)), "a machine that is busy each time"

    def test_bandwidth_limits_what_is_transferred(self, folder, serve):
        (folder / "large.bin").write_bytes(bytes(3_000_000))
        limited, free = serve(Pace(connection_mb_s=10)), serve(Pace())

        def seconds(bucket: Any) -> float:
            started = time.perf_counter()
            assert len(storage.read_bytes(bucket.uri(f"{folder}/large.bin"))) == 3_000_000
            return time.perf_counter() - started

        assert seconds(limited) >= 0.3
        assert any(seconds(free) < 0.2 for _ in range(5)), "a machine that is busy each time"
        assert answered(limited)["bytes"] == 3_000_000


def gone(pid: int) -> bool:
    """Waits until a process has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


class TestItsEnd:
    SCRIPT = """
import sys, time
from flowerexp.storage.simulated import Pace, serve
print(serve(Pace(1), ["/nowhere"]).pid, serve(Pace(2), ["/nowhere"]).pid, flush=True)
if sys.argv[1] == "stay":
    time.sleep(600)
"""

    @pytest.mark.parametrize("how", [signal.SIGKILL, None])
    def test_comes_with_that_of_the_process_that_wants_it_or_with_the_next_bucket(self, how):
        script = [sys.executable, "-c", self.SCRIPT, "stay" if how else "end"]
        process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        first, second = map(int, process.stdout.readline().split())
        assert gone(first), "there is one at a time"
        if how:
            assert Path(f"/proc/{second}").exists()
            process.send_signal(how)
        process.stdout.close()
        process.wait()
        assert gone(second)
