"""What a result was made with."""

import tomllib
from pathlib import Path

import flowerexp
from flowerexp.provenance import provenance


def test_the_version_has_one_source():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "flowerexp/__init__.py"}
    assert provenance()["version.flowerexp"] == flowerexp.__version__
