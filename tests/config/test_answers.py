"""What a config asks of Hydra's own node."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from flowerexp import app
from flowerexp.config import check
from flowerexp.config.answers import asks_hydra
from flowerexp.errors import ConfigError
from flowerexp.sweep.compose import Composer
from flowerexp.sweep.grammar import expand

pytestmark = pytest.mark.slow

composed: Callable[..., Any] = app.composed


@pytest.mark.parametrize(
    "value", ["${hydra:runtime.cwd}", "${hydra.runtime.cwd}", "${oc.select:hydra.runtime.cwd}",
              "${hydra:runtime.cwd}/x", "${oc.env:NO_SUCH_VARIABLE,${hydra:runtime.cwd}}"]
)  # fmt: skip
def test_is_answered(value):
    before = HydraConfig.instance().cfg
    path = composed(["dataset=folder", f"dataset.path='{value}'"]).dataset.path
    assert path == str(Path.cwd()) + ("/x" if value.endswith("/x") else "")
    assert HydraConfig.instance().cfg is before


def test_in_lists_and_open_mappings():
    made = composed(["cluster.name='${hydra:runtime.choices.grid}'", "dataset.classes=['${hydra:job.name}']"])
    assert (made.cluster.name, made.dataset.classes) == ("quick", ("flowerexp",))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${hydra:runtime.output_dir}", "dataset.path: ${hydra:runtime.output_dir} has no value before the run starts"),
        ("${hydra:no.such}", "dataset.path: ${hydra:no.such} has no value before the run starts"),
        ("${hydra.no.such}", "dataset.path: ${hydra.no.such} cannot be resolved: "),
        ("${hydra:}", "dataset.path: ${hydra:} cannot be resolved: "),
    ],
)
def test_what_it_cannot_answer_names_the_key(value, said):
    with pytest.raises(ConfigError) as caught:
        composed(["dataset=folder", f"dataset.path='{value}'"])
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert "HydraConfig was not set" not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "dataset.path=${hydra:runtime.cwd}/a,${hydra:runtime.cwd}/b",
        "sweep.axes.dataset.path=['${hydra:runtime.cwd}/a','${hydra:runtime.cwd}/b']",
    ],
)
def test_in_sweeps(typed):
    application = app.create()
    try:
        overrides = ["dataset=folder", "cluster.name=${hydra:runtime.cwd}", typed]
        master = application.compose_config("config", overrides, RunMode.MULTIRUN)
        task: Any = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        composer = Composer(application, "config", master)
        several = [composer.compose(run) for run in expand(task, master.sweep, application.config_loader)]
        made: list[Any] = [check(one.config, one.origin) for one in several]
    finally:
        GlobalHydra.instance().clear()
    assert [config.dataset.path for config in made] == [f"{Path.cwd()}/a", f"{Path.cwd()}/b"]
    assert made[0].cluster.name == str(Path.cwd())


def test_what_asks():
    assert asks_hydra("a ${hydra:job.num} b")
    assert asks_hydra("${ hydra.job.num }")
    assert not asks_hydra("${hydras.x} hydra:x ${x}")
