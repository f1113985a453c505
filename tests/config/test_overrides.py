"""Overrides that Hydra cannot read come with the way to write them."""

import shlex

import pytest

from flowerexp.app import composed
from flowerexp.config.overrides import Parser, unreadable
from flowerexp.errors import ConfigError


@pytest.mark.parametrize(
    "value", ["a=b", "a#b", "a&b", "~/a", "a,b=c", "a!b", "it's", 'a"b', "a;b", "a(b", "x<y>", "a:", "é"]
)
def test_the_hint_is_the_override_as_it_can_be_typed(value):
    typed = f"dataset.path={value}"
    (written,) = shlex.split(str(unreadable(typed)).partition("~ : ! ;: ")[2])
    assert Parser.create().parse_override(written).value() == value
    path = composed(["dataset=folder", written.replace('"~/', '"/~/')])["dataset"]["path"]
    assert path.endswith(value)


@pytest.mark.parametrize("typed", ["grid.batch_size=[1", "a b=c", "=", "dataset={path:1", "dataset.path='a", "é=1"])
def test_what_no_quotes_mend_gets_an_example(typed):
    with pytest.raises(ConfigError) as caught:
        composed([typed])
    assert str(caught.value).endswith("'key=\"a b\"'")
    assert typed in str(caught.value)
