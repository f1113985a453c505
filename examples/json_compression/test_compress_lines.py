"""Does the experiment run, and does it measure what it says?"""

import json
import os
import subprocess
import sys
from pathlib import Path

from json_records import lines_of

PROJECT = Path(__file__).parent


def test_nesting_makes_lines_longer_and_nothing_else():
    assert [json.loads(line)["order"] for line in lines_of(3, 0).splitlines()] == [0, 1, 2]
    assert json.loads(lines_of(1, 2))["inner"]["inner"] == json.loads(lines_of(1, 0))


def test_every_codec_makes_them_smaller(tmp_path):
    small = ["grid.lines=500", "grid.level=[1,9]", "measure.repetitions=1", "measure.warm_up_seconds=0"]
    subprocess.run(
        [sys.executable, "-P", "-m", "flowerexp", "--config-dir", "conf", "entrypoint=compress_lines", *small],
        cwd=PROJECT,
        env={**os.environ, "FLOWEREXP_HOME": str(tmp_path)},
        check=True,
    )
    (results,) = tmp_path.glob("outputs/*/*/results/measurements.jsonl")
    measured = [json.loads(line) for line in results.read_text().splitlines()]
    assert len(measured) == 6
    assert {row["megabytes"] for row in measured} == {len(lines_of(500, 1)) / 1e6}
    assert all(row["compressed_share"] < 0.5 for row in measured)
