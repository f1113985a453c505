"""The workflow file of docs/gate.md: it is what the page shows, and its steps do what they say."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.gate.experiment import change, make

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "gate-workflow.yml"
WORKFLOW = yaml.safe_load(FILE.read_text(encoding="utf-8"))


def step(name):
    """The step of that name."""
    (found,) = [one for one in WORKFLOW["jobs"]["gate"]["steps"] if one.get("name") == name]
    return found


def test_the_page_shows_the_file():
    assert f"```yaml\n{FILE.read_text(encoding='utf-8')}```" in (DOCS / "gate.md").read_text(encoding="utf-8")


def test_it_is_a_workflow_that_has_the_baselines_commit():
    assert WORKFLOW[True] == "pull_request"  # in YAML 1.1, which PyYAML reads, `on` is true
    (checkout,) = [
        one for one in WORKFLOW["jobs"]["gate"]["steps"] if one.get("uses", "").startswith("actions/checkout")
    ]
    assert checkout["with"]["fetch-depth"] == 0
    assert all(("uses" in one) != ("run" in one) for one in WORKFLOW["jobs"]["gate"]["steps"])
    assert step("Gate")["env"] == {"BASELINE": "origin/${{ github.base_ref }}"}


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "repository")


@pytest.fixture
def act(folder, tmp_path):
    """Run the step as GitHub's runner does, with a script for `flowerexp`; gives the code, the output, the summary."""
    (tmp_path / "bin").mkdir()

    def act(script):
        tool = tmp_path / "bin" / "flowerexp"
        tool.write_text(script)
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        summary = tmp_path / "summary.md"
        summary.touch()
        environment = {
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "BASELINE": "main",
            "GITHUB_STEP_SUMMARY": str(summary),
            "FLOWEREXP_HOME": str(folder / "home"),
        }
        text = step("Gate")["run"].replace("entrypoint=word_split", "entrypoint=steps gate.repeats=2")
        done = subprocess.run(
            ["bash", "-e", "-c", text],  # as GitHub runs a step that names no shell
            cwd=folder, env=environment, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        return done.returncode, done.stdout, summary.read_text()

    return act


@pytest.mark.parametrize(
    ("code", "ends", "said"),
    [
        (0, 0, ""),
        (1, 1, "::error::slower than main"),
        (2, 0, "::warning::inconclusive"),
        (3, 3, "::error::nothing was measured (exit code 3)"),
        (127, 127, "::error::nothing was measured (exit code 127)"),
    ],
)
def test_each_exit_code_has_its_consequence(act, code, ends, said):
    ended, out, summary = act(f"#!/bin/sh\nmkdir gate; echo '### Said' > gate/gate.md; exit {code}\n")
    assert ended == ends
    assert (said in out) if said else ("::" not in out)
    assert summary == "### Said\n"


def test_without_a_summary_it_still_says_what_happened(act):
    assert act("#!/bin/sh\nexit 3\n")[0] == 3


@pytest.mark.spark
@pytest.mark.long
def test_it_runs_on_a_repository(act, folder):
    change(folder, "SECONDS = 0.01", "SECONDS = 0.012")
    code, out, summary = act(f'#!/bin/sh\nexec {sys.executable} -m flowerexp "$@"\n')
    assert (code, "::error::slower than main" in out) == (1, True)
    assert summary.startswith("### Slower: steps\n")
    assert (folder / "gate" / "gate.xml").is_file()
