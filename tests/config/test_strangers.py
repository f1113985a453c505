"""Whatever a stranger types: each key has the value that was typed, or one line says what is wrong with which key."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from flowerexp import app
from flowerexp.config import check, check_plugins, plain
from flowerexp.config.answers import answer
from flowerexp.config.text import holds_text
from flowerexp.errors import FlowerexpError

pytestmark = pytest.mark.slow

PLACES = (
    (),
    ("dataset=folder", "dataset.path=photographs"),
    ("cluster=four_nodes", "gcp.project=mine", "quota=none"),
    ("cluster=serverless", "gcp.project=mine"),
    ("cluster=spark_master", "cluster.master=yarn"),
    ("experiment=caching",),
)
ODD = [
    "", "null", "NULL", "~", "true", "False", "yes", "2024_10", "1e3", "007", "0x10", "inf", "nan", "-0",
    "1e400", "-1", "0", "1.5", "1" * 25, "9" * 5000, "[]", "{}", "[1,2]", "[[1],2]", "{a:1}", "{a:{b:[1,null]}}",
    "[a,'b c',null]", "a,b", "1,2", "range(1,4)", "choice(a,b)", "glob(*)", "interval(0,1)", "sort(2,1)",
    "int(3.5)", "str(1_0)", "${home}", "${nope}", "${hydra:runtime.cwd}", "${hydra:runtime.output_dir}",
    "${hydra:}", "${oc.env:NO_SUCH}", "${oc.env:HOME}", "${", "${}", "${a", "${home", "${now:%Y}", "${unique:}",
    "${no_resolver:1}", "${.path}", "${..grid}", "${grid}", "${grid.batch_size}", "???", "a=b", "a#b", "a&b",
    "~/a", "'~nobody-here'", "a b", "'a b'", "\"a\"", "'", "\"", "\\", "\\\\", "a\\,b", "a:b", "(", ")", "[",
    "]", "}", "{", "<x>", "é", "日本", "\u202e", "\n", "'\n'", "\t", "'\t'", "a\u0301", "gs://b", "gs://", "gs:/b",
    "s3://b/c", "file:///x", "://", "http://u:p@h/x", "sqlite:///x.db", "x" * 300, "'" + "x/" * 3000 + "'", "..",
    "/", ".", "''", "'***'", "'%s%n'", "'$(id)'", "quick", "local",
]  # fmt: skip
KEYED = st.sampled_from(["", "+", "++", "~"])
TEXTS = st.sampled_from(ODD) | st.text(max_size=12) | st.text(string.printable, max_size=12) | st.integers().map(str)
TEXTS |= st.floats().map(str)


@pytest.fixture(scope="module")
def application():
    yield app.create()
    GlobalHydra.instance().clear()


def leaves(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [prefix.removesuffix(".")]
    return [prefix.removesuffix("."), *(key for name in node for key in leaves(node[name], f"{prefix}{name}."))]


@pytest.fixture(scope="module")
def keys(application):
    """Every key of every kind of cluster and data set, some of Hydra's, and some that there are not."""
    found = {"nope", "grid.nope", "cluster.spark.x.y", "cluster.labels.x", "entrypoint.settings.x.y", "sweep.axes.home",
             "hydra.run.dir", "hydra.job.name", "hydra.job.chdir", "hydra.launcher.max_clusters", "hydra.nope",
             "hydra.launcher.max_failures", "hydra.output_subdir", "hydra.verbose", "hydra.mode", "experiment",
             "cluster", "dataset", "grid"}  # fmt: skip
    for place in PLACES:
        config = application.compose_config("config", list(place), RunMode.RUN)
        found.update(leaves(OmegaConf.to_container(app.without_hydra(config))))
    return sorted(found - {""})


def outcome(application, overrides):
    """The checked config, or the line that says why there is none."""
    try:
        config = application.compose_config("config", list(overrides), RunMode.RUN)
        check_plugins(config.hydra)
        answer(config)
        return check(app.without_hydra(config), app.origin_of(config))
    except FlowerexpError as error:
        return str(error)


def value_at(config: Any, key: str) -> Any:
    value: Any = plain(config)
    for part in key.split("."):
        value = value[part]
    return value


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_value_is_taken_as_typed_or_one_line_names_the_key(application, keys, data):
    place = data.draw(st.sampled_from(PLACES))
    key, sign, text = data.draw(st.sampled_from(keys)), data.draw(KEYED), data.draw(TEXTS)
    found = outcome(application, [*place, f"{sign}{key}={text}"])
    if isinstance(found, str):
        assert "\n" not in found
        assert "HydraConfig was not set" not in found
        last = key.rpartition(".")[2]
        assert last in found or " ".join(text.split()) in found or re.search(r"[a-z_]+\.[a-z_]+", found), found
    elif sign in ("", "++") and holds_text(key) and key.count(".") == 1 and re.fullmatch(r"[\w.+-]*\w", text, re.ASCII):
        value = value_at(found, key) if key.partition(".")[0] != "hydra" else text
        if value is not None or text.lower() != "null":
            shown = value[0] if isinstance(value, list) else value
            assert str(shown).rpartition("/")[2] == text
