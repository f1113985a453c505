"""Overrides that Hydra cannot read come with the way to write them."""

import shlex
from typing import Any

import pytest

from flowerexp.config.overrides import Parser, unreadable
from flowerexp.errors import ConfigError
from tests.composing import composed


@pytest.mark.parametrize(
    "value", ["a=b", "a#b", "a&b", "~/a", "a,b=c", "a!b", "it's", 'a"b', "a;b", "a(b", "x<y>", "a:", "é"]
)
def test_the_hint_is_the_override_as_it_can_be_typed(value):
    typed = f"dataset.path={value}"
    (written,) = shlex.split(str(unreadable(typed)).partition("~ : ! ;: ")[2])
    assert Parser.create().parse_override(written).value() == value
    made: Any = composed(["dataset=folder", written.replace('"~/', '"/~/')])
    assert made.dataset.path.endswith(value)


@pytest.mark.parametrize("typed", ["grid.batch_size=[range(1,3)]", "dataset.path=glob(*),a", "grid=[sort(2,1)]",
                                   "+entrypoint.settings={a:{b:[interval(0,1)]}}"])  # fmt: skip
def test_a_sweep_within_a_value_is_refused(typed):
    with pytest.raises(ConfigError) as caught:
        composed([typed])
    assert str(caught.value).startswith(f"command line: {typed} has a sweep within a value")


@pytest.mark.parametrize("typed", ["quota=[a,null]", "grid=[[quick]]", "grid=[{a:1}]", "+grid=[null]"])
def test_options_are_names(typed):
    with pytest.raises(ConfigError, match="does not name an option; name one of the group's options"):
        composed([typed])


@pytest.mark.parametrize("typed", ["grid.batch_size=[1", "a b=c", "=", "dataset={path:1", "dataset.path='a", "é=1"])
def test_what_no_quotes_mend_gets_an_example(typed):
    with pytest.raises(ConfigError) as caught:
        composed([typed])
    assert str(caught.value).endswith("'key=\"a b\"'")
    assert typed in str(caught.value)
