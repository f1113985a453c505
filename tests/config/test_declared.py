"""What an experiment declares is checked, and its parameters and settings against it."""

from collections.abc import Callable
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from flowerexp import app
from flowerexp.config import check, plain, recorded
from flowerexp.errors import ConfigError
from flowerexp.plan import PlannedRun, run_key

pytestmark = pytest.mark.slow

WORDS = """
defaults: [{/grid@_global_.grid: words}, _self_]
name: words
question: How fast are words counted?
script: words.py
unit: words
parameters:
  how: {choices: [sort, hash]}
  partitions: {min: 1, max: 64, label: number of partitions}
  share: {above: 0, max: 1}
  adaptive: {type: bool}
products: [[partitions, share]]
settings: {text: english, lines: 100}
limits: {text: {type: text}, lines: {min: 1}}
"""
GRID = "{how: [sort, hash], partitions: [2, 4], share: 0.5, adaptive: [true, false]}"

Checked = Callable[..., Any]


@pytest.fixture
def words(tmp_path) -> Checked:
    """`words("KEY=VALUE", ..., declaration=YAML)` is the checked config of an experiment of the user's own."""
    for group in ("entrypoint", "grid"):
        (tmp_path / group).mkdir()

    def made(*overrides: str, declaration: str = WORDS, grid: str = GRID) -> Any:
        (tmp_path / "entrypoint" / "words.yaml").write_text(declaration)
        (tmp_path / "grid" / "words.yaml").write_text(grid)
        try:
            chosen = ["entrypoint=words", f"home={tmp_path}", *overrides]
            config = app.create(str(tmp_path)).compose_config("config", chosen, RunMode.RUN)
            return check(app.without_hydra(config), app.origin_of(config))
        finally:
            GlobalHydra.instance().clear()

    return made


def refusal(words: Checked, *overrides: str, **more: str) -> str:
    with pytest.raises(ConfigError) as caught:
        words(*overrides, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_types_follow_from_limits(words):
    experiment = words().entrypoint
    types = {name: one.type for name, one in experiment.parameters.items()}
    assert types == {"how": "text", "partitions": "int", "share": "float", "adaptive": "bool"}
    assert experiment.numeric == ("partitions", "share")
    assert experiment.categorical == ("how", "adaptive")
    assert (experiment.count, experiment.rate, experiment.rate_unit) == ("words", "words_per_second", "words/s")
    assert experiment.label_of("partitions") == "number of partitions"


def test_a_grid_holds_lists_in_declared_order(words):
    grid = words("grid.share=1", "grid.adaptive=true").grid
    assert grid == {"how": ["sort", "hash"], "partitions": [2, 4], "share": [1.0], "adaptive": [True]}
    assert [*grid] == ["how", "partitions", "share", "adaptive"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid.partitions=[2,0]", "command line: grid.partitions=0 must be 1 or more"),
        ("grid.partitions=65", "grid.partitions=65 must be at most 64"),
        ("grid.partitions=2.5", "grid.partitions=2.5 must be a whole number"),
        ("grid.how=merge", "grid.how=merge must be one of sort, hash"),
        ("grid.share=0", "grid.share=0.0 must be more than 0"),
        ("grid.adaptive=yes", "grid.adaptive=yes must be true or false"),
        ("grid.how=[]", "grid.how=[] must be a list of at least one"),
        ("grid.partitions=[2,2]", "grid.partitions=[2, 2] must be a list without repetitions"),
        ("+grid.partitoins=2", "unknown key grid.partitoins; did you mean 'grid.partitions'?"),
        ("grid.partitoins=2", "unknown key grid.partitoins; did you mean 'grid.partitions'?"),
        ("~grid.how", "grid.how has no value"),
        ("entrypoint.settings.lines=0", "command line: entrypoint.settings.lines=0 must be 1 or more"),
        ("entrypoint.settings.linse=5", "did you mean 'entrypoint.settings.lines'?"),
        ("+entrypoint.settings.linse=5", "did you mean 'entrypoint.settings.lines'?"),
        ("entrypoint.settings.text=2024_10", "entrypoint.settings.text=202410 must be text; put it into quotes"),
        ("measure.concurrency=2", "measure.concurrency=2 is not for words"),
        ("dataset.images=5", "dataset.images=5 has no effect: words does not use dataset; leave it out"),
        ("dataset=flowers", "dataset=flowers has no effect: words does not use dataset"),
    ],
)
def test_a_wrong_value_names_the_key(words, override, said):
    assert said in refusal(words, override)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "  seconds: {min: 1}",
            "parameters.seconds cannot have this name: flowerexp has a column of this name",
        ),
        ("  two words: {min: 1}", "entrypoint.parameters.two words is not a name of letters, digits and _"),
        ("  more: {}", "entrypoint.parameters.more has no type; add type: int, float, bool, text"),
        ("  more: 3", "entrypoint.parameters.more=3 must be a group of keys; write more: {min: 1}"),
        ("  more: {type: number}", "entrypoint.parameters.more.type=number must be one of int, float, bool, text"),
        ("  more: {min: 1, maximum: 2}", "unknown key entrypoint.parameters.more.maximum; did you mean"),
        ("products: [[how, share]]", "entrypoint.products: how is not a numeric parameter of words"),
        ("uses: [data]", "entrypoint.uses=data must be one of dataset, sampling, preprocess"),
        ("where: cluster", "entrypoint.where=cluster must be one of driver, executor"),
        ("value: {better: more}", "entrypoint.value.better=more must be one of higher, lower"),
        ("unit: null", "entrypoint.unit=null must be a word"),
    ],
)
def test_a_wrong_declaration_names_the_key(words, line, said):
    lines = WORDS.replace("  adaptive:", f"{line}\n  adaptive:") if line.startswith("  ") else f"{WORDS}{line}\n"
    key = line.partition(":")[0]
    if not line.startswith(" "):
        lines = "\n".join(one for one in WORDS.split("\n") if not one.startswith(f"{key}:")) + f"\n{line}\n"
    assert said in refusal(words, declaration=lines)


def test_what_goes_together_is_the_experiment_s_to_say(words):
    declared = WORDS + "refuses: [{when: {grid.how: hash, grid.share: 1}, because: it is slow, hint: sort}]\n"
    assert words(declaration=declared).grid["share"] == [0.5]
    assert refusal(words, "grid.share=1", declaration=declared).endswith(
        "grid.how=hash does not go with grid.share=1: it is slow; sort"
    )


def test_what_is_not_used_is_nowhere(words, tmp_path):
    config = words()
    assert (config.dataset, config.sampling, config.preprocess) == (None, None, None)
    assert not {"dataset", "sampling", "preprocess"} & {*plain(config)}
    assert PlannedRun("", config, tmp_path, "").measurements == 2 * 2 * 1 * 2 * 3


def test_the_run_key_depends_on_what_is_measured_and_not_on_what_it_is_called(words):
    key = run_key(words(), "code")
    assert run_key(words(declaration=WORDS.replace("How fast are", "How quickly are")), "code") == key
    assert run_key(words(declaration=WORDS.replace("max: 64", "max: 128")), "code") == key
    assert run_key(words("entrypoint.settings.lines=7"), "code") != key
    assert run_key(words("grid.share=0.25"), "code") != key
    assert run_key(words("measure.repetitions=4"), "code") != key


def test_a_config_survives_being_written_down(words):
    config = words()
    assert recorded(plain(config)) == config


OPTIONAL = WORDS.replace("adaptive: {type: bool}", "adaptive: {type: bool}\n  ahead: {default: 2, min: 0}").replace(
    "lines: {min: 1}}", "lines: {min: 1}, rounds: {default: 3}}"
)


class TestDefaults:
    def test_a_grid_and_settings_may_leave_them_out(self, words):
        config = words(declaration=OPTIONAL)
        assert (config.grid["ahead"], config.entrypoint.settings["rounds"]) == ([2], 3)
        assert config.entrypoint.parameters["ahead"].type == "int"
        assert words("grid.ahead=[2,4]", declaration=OPTIONAL).grid["ahead"] == [2, 4]

    def test_a_parameter_that_has_nothing_else_is_not_in_play(self, words):
        assert "ahead" not in words(declaration=OPTIONAL).experiment.parameters
        assert "ahead" in words("grid.ahead=[2,4]", declaration=OPTIONAL).experiment.parameters
        assert "ahead" in words("grid.ahead=4", declaration=OPTIONAL).experiment.parameters

    def test_a_run_has_the_key_of_one_that_does_not_know_the_parameter(self, words):
        plain_words = WORDS.replace("lines: {min: 1}}", "lines: {min: 1}, rounds: {default: 3}}")
        before, after, other = (
            run_key(config, "code")
            for config in (
                words(declaration=plain_words),
                words("grid.ahead=2", declaration=OPTIONAL),
                words("grid.ahead=4", declaration=OPTIONAL),
            )
        )
        assert before == after != other

    @pytest.mark.parametrize("default", ["-1", "much"])
    def test_a_default_that_the_limits_refuse_is_refused(self, words, default):
        with pytest.raises(ConfigError, match=r"entrypoint\.parameters\.ahead\.default"):
            words(declaration=OPTIONAL.replace("default: 2", f"default: {default}, type: int"))
