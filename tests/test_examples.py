"""The projects in `examples/`, which know flowerexp only as it is installed: their own tests pass."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
PROJECTS = sorted(path.parent for path in EXAMPLES.glob("*/conf"))


@pytest.mark.spark
@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_its_own_tests_pass(project):
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_each_is_listed():
    assert PROJECTS
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PROJECTS if f"({path.name}/README.md)" not in table] == []
