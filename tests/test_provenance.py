"""What a result was made with."""

import subprocess
import tomllib
from pathlib import Path

import pytest

import flowerexp
from flowerexp.provenance import provenance


def test_the_version_has_one_source():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "flowerexp/__init__.py"}
    assert provenance()["version.flowerexp"] == flowerexp.__version__


@pytest.fixture
def script(tmp_path):
    """A committed script, in a folder of a repository."""
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "one.py"
    path.write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return path


def git(folder, *words):
    who = ("-c", "user.name=Me", "-c", "user.email=me@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_scripts_own_repository(script):
    facts = provenance(script)
    assert facts["git_commit"] == git(script.parent, "rev-parse", "HEAD")
    assert facts["git_dirty"] is False


def test_a_change_anywhere_in_the_repository_counts(script):
    (script.parents[1] / "other.txt").write_text("new")
    assert provenance(script)["git_dirty"] is True


def test_a_repository_that_ignores_the_script_says_nothing_of_it(script):
    (script.parents[1] / ".gitignore").write_text("venv/\n")
    installed = script.parents[1] / "venv" / "one.py"
    installed.parent.mkdir()
    installed.write_text("1\n")
    assert "git_commit" not in provenance(installed)


def test_without_a_repository_there_is_no_commit(tmp_path):
    assert "git_commit" not in provenance(tmp_path / "one.py")
