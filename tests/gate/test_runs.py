"""The processes that make a gate's runs: whose code they import, what becomes of their failures, and of Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowerexp.errors import FlowerexpError
from flowerexp.gate.runs import NothingMeasuredError, make
from flowerexp.gate.sides import Side


@pytest.fixture
def side(tmp_path, monkeypatch):
    """A side whose `flowerexp` is a made-up module; the current folder has another one, which is never meant."""
    (tmp_path / "here" / "flowerexp").mkdir(parents=True)
    (tmp_path / "here" / "flowerexp" / "__init__.py").touch()
    (tmp_path / "here" / "flowerexp" / "__main__.py").write_text("raise SystemExit('the one of the current folder')")
    monkeypatch.chdir(tmp_path / "here")

    def side(text):
        (tmp_path / "code" / "flowerexp").mkdir(parents=True)
        (tmp_path / "code" / "flowerexp" / "__init__.py").touch()
        (tmp_path / "code" / "flowerexp" / "__main__.py").write_text(text)
        return Side("candidate", "made up", ("caching=true",), tmp_path / "code")

    return side


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('note: x\\nflowerexp: no Java; install one\\nsee the log')", "no Java; install one"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(1)", "it said nothing"),
        ("import sys; sys.exit(' '.join(sys.argv[1:]))", "caching=true"),
    ],
)
def test_a_failure_is_no_measurement_and_gives_its_reason(side, text, said):
    with pytest.raises(NothingMeasuredError, match=f"^a run of the candidate failed: {said}$"):
        make(side(text))


def test_a_run_that_leaves_no_folder_is_an_error(side):
    with pytest.raises(FlowerexpError, match="did not say where its folder is"):
        make(side("print('all is well')"))


def test_a_folder_that_holds_no_run_is_an_error(side):
    with pytest.raises(FlowerexpError, match=r"run\.json is missing"):
        make(side("print('folder    .')"))


STOPPING = """
import signal, sys, time
from pathlib import Path

try:
    Path("started").write_text("")
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    Path("stopped").write_text("")
"""
GATING = """
import sys
from pathlib import Path
from flowerexp.gate.runs import make
from flowerexp.gate.sides import Side

make(Side("candidate", "", (), Path(sys.argv[1])))
"""


def test_after_ctrl_c_it_waits_until_the_run_has_ended(side):
    made_up = side(STOPPING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(name).resolve()) for name in sys.path if name)}
    gate = subprocess.Popen(
        [sys.executable, "-P", "-c", GATING, made_up.code], env=environment, stderr=subprocess.PIPE, text=True
    )
    while not Path("started").exists():
        assert gate.poll() is None
        time.sleep(0.05)
    gate.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in gate.communicate(timeout=60)[1]
    assert Path("stopped").exists()
