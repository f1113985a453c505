"""The page "Your own experiment", followed literally, in a folder that has nothing to do with flowerexp's checkout."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import own_page

pytestmark = pytest.mark.slow


class Stranger:
    """Somebody who types what the page says, in a folder of their own; nothing tells flowerexp where that is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: dict[str, str] = {}

    def run(self, *words: str, **environment: str) -> str:
        """Run `flowerexp WORDS`; returns what it printed."""
        known = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "FLOWEREXP_"))}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "flowerexp", *words],
            cwd=self.folder, env=known | environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def type(self, line: str) -> None:
        """Type a command, with names of what is there in the place of RUN and of outputs/DATE/TIME-ID."""
        program, *words = shlex.split(line)
        if program == "cd":
            self.folder /= words[0]
            return
        ids = iter(self.run_ids()) if "RUN" in words else iter(())
        words = [next(ids) if word == "RUN" else word for word in words]
        words = [str(self.sweeps()[-1]) if word == "outputs/DATE/TIME-ID" else word for word in words]
        self.said[line] = self.run(*words)

    def sweeps(self) -> list[Path]:
        """The folders of the sweeps, the oldest first."""
        return sorted(path.parent for path in self.folder.glob("outputs/*/*/plan.json"))

    def run_ids(self) -> list[str]:
        """The first 8 characters of the ids of the newest sweep's runs, as its page shows them."""
        notes = [json.loads(path.read_text()) for path in sorted(self.sweeps()[-1].glob("*/mlflow.json"))]
        return [note["stores"][-1]["run_id"][:8] for note in notes]

    def follow(self, *begin: str) -> None:
        """Do what the page says: write its files, and type those of its commands that begin with one of some words."""
        for what, content in own_page.steps():
            if what != "$":
                (self.folder / what).write_text(content)
            elif content.startswith(begin) and content != "flowerexp ui":  # that serves until it is stopped
                self.type(content)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Who has typed what starts no Spark: new, edit, plan."""
    stranger = Stranger(tmp_path_factory.mktemp("somewhere"))
    stranger.follow("cd", "flowerexp new", "flowerexp plan")
    return stranger


@pytest.fixture(scope="module")
def experimenter(tmp_path_factory):
    """Who has typed the whole page."""
    experimenter = Stranger(tmp_path_factory.mktemp("somewhere"))
    experimenter.follow("cd", "flowerexp")
    return experimenter


def said(stranger, begin):
    return next(text for line, text in stranger.said.items() if line.startswith(f"flowerexp {begin}"))


def test_new_makes_the_files_that_the_page_lists(stranger):
    table = own_page.PAGE.read_text(encoding="utf-8").partition("| file |")[2].partition("\n\n")[0]
    listed = {
        name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.partition("|")[2].partition("|")[0])
    }
    made = set(re.findall(r"word_split/(\S+)$", said(stranger, "new"), re.MULTILINE))
    assert listed == made
    assert not made - {str(path.relative_to(stranger.folder)) for path in stranger.folder.rglob("*")}


def test_plan_says_what_would_be_measured(stranger):
    assert "Does Spark SQL split lines into words faster than Python? (word_split, words/s)" in said(stranger, "plan e")
    assert "2 runs in 1 job on 1 cluster, 24 measurements" in said(stranger, "plan experiment")
    assert "2 runs in 2 jobs on 2 clusters" in said(stranger, "plan -m")


def test_help_and_completion_know_the_experiment(stranger):
    assert re.search(r"^  word_split +Does Spark SQL split", stranger.run("--help"), re.MULTILINE)

    def completed(line):
        return stranger.run("-sc", "query=bash", COMP_LINE=line).split()

    assert completed("flowerexp entrypoint=word") == ["entrypoint=word_split"]
    assert completed("flowerexp plan entrypoint=word_split grid.") == ["grid.how=", "grid.lines="]
    assert completed("flowerexp entrypoint=word_split grid.how=") == ["grid.how=sql", "grid.how=python"]
    assert completed("flowerexp experiment=word") == ["experiment=word_split_caching"]


# Without the page, `test_any_experiment.py` shows that an experiment of a user's own runs and is compared, and
# `job/test_modules.py` that modules beside its script come along.
@pytest.mark.long
@pytest.mark.spark
class TestTheWholePage:
    def test_works_as_written(self, experimenter):
        typed = [line for what, line in own_page.steps() if what == "$" and line.startswith("flowerexp")]
        assert {*experimenter.said} == {*typed} - {"flowerexp ui"}
        # The template's, the page's, and its rerun.
        assert len(list(experimenter.folder.glob("outputs/*/*/run.json"))) == 3
        assert "rerun of" in said(experimenter, "rerun")
        assert (experimenter.sweeps()[-1] / "search.json").exists()

    def test_measures_with_a_module_that_lies_beside_the_script(self, experimenter):
        sweep, _ = experimenter.sweeps()
        rows = [json.loads(line) for path in sweep.glob("*/results/measurements.jsonl") for line in path.open()]
        assert len(rows) == 24
        assert all(row["words"] == 5 * row["lines"] for row in rows)

    def test_reports_on_the_question_of_the_sweeps_file_and_says_how_to_run_it_again(self, experimenter):
        report = (experimenter.sweeps()[0] / "report.md").read_text()
        assert "# Does it pay to cache the lines before they are split?" in report
        assert "`flowerexp --config-dir conf experiment=word_split_caching`" in report

    def test_compares_the_ids_that_the_sweep_left(self, experimenter):
        assert "words/s" in said(experimenter, "compare")
