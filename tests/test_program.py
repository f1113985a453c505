"""What is printed as the next command can be typed as it is printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from flowerexp.program import program


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The console script of an environment that no shell knows; the current folder is the one above."""
    path = tmp_path / ".venv" / "bin" / "flowerexp"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    return path


@pytest.mark.parametrize("typed", [".venv/bin/flowerexp", "{}/.venv/bin/flowerexp"])
def test_a_script_that_no_shell_finds_is_its_path(script, monkeypatch, tmp_path, typed):
    monkeypatch.setattr(sys, "argv", [typed.format(tmp_path)])
    assert program() == ".venv/bin/flowerexp"
    (tmp_path / "else where").mkdir()
    monkeypatch.chdir(tmp_path / "else where")
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == str(script)


def test_one_that_a_shell_finds_is_the_word(script, monkeypatch):
    monkeypatch.setenv("PATH", str(script.parent))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == "flowerexp"


def test_the_module_is_run_by_the_same_python(tmp_path):
    code = "import runpy, sys; sys.argv = ['x']; from flowerexp.program import program; print(program())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "flowerexp\n"
    patched = "from flowerexp import cli, program\ncli._dispatch = lambda _: print(program.program()) or 0\n"
    (tmp_path / "sitecustomize.py").write_text(patched)
    path = f"{tmp_path}:{Path(__file__).parents[1]}"
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "flowerexp"], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.stdout == f"{sys.executable} -m flowerexp\n"
