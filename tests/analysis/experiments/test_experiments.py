from dataclasses import replace

import pytest

from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.experiments.extras import Extras
from tests.analysis.rows import READ_SPEED, WRITE_SHARDS


def test_an_experiment_says_what_its_module_says():
    assert extras_of(WRITE_SHARDS).data({"images": 1200, "bytes": 3_000_000}) == "1,200 photographs (3 MB)"
    assert "grid.reader" in extras_of(READ_SPEED).questions


@pytest.mark.parametrize("name", ["count_words", "no-module", "__init__", "read_speed.limits", ""])
def test_any_other_says_nothing(name):
    found = extras_of(replace(READ_SPEED, name=name))
    assert type(found) is Extras
    assert found.data({"images": 3}) is None
