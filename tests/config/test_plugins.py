"""The settings of our launcher and sweepers have ranges, too."""

from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from flowerexp import app
from flowerexp.config import check_plugins
from flowerexp.errors import ConfigError


@pytest.fixture
def said():
    def said(*overrides):
        config = app.create().compose_config("config", list(overrides), RunMode.MULTIRUN)
        try:
            check_plugins(config.hydra)
        except ConfigError as error:
            return str(error)
        return None

    yield said
    GlobalHydra.instance().clear()


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("launcher.max_clusters=0", "1 or more"),
        ("launcher.max_clusters=-1", "1 or more"),
        ("launcher.max_clusters=101", "at most 100"),
        ("launcher.max_failures=0", "1 or more"),
        ("launcher.max_failures=1000000000", "at most 100,000"),
    ],
)
def test_the_launcher_s(said, override, wanted):
    assert said(f"hydra.{override}") == f"command line: hydra.{override} must be {wanted}"


@pytest.mark.parametrize(
    ("override", "wanted"),
    [("max_runs=0", "1 or more"), ("min_runs=0", "1 or more"), ("expected_runs=0", "more than 0"),
     ("max_usd=nan", "more than 0"), ("max_seconds=inf", "at most"), ("seed=-1", "0 or more"), ("rule=savin", "one of"),
     ("objective=money", "one of cost, time"), ("usd_per_vcpu_hour=-2", "more than 0")],
)  # fmt: skip
def test_those_of_a_search(said, override, wanted):
    message = said("hydra/sweeper=cluster_search", f"hydra.sweeper.{override}")
    assert message
    assert message.startswith(f"command line: hydra.sweeper.{override.partition('=')[0]}=")
    assert f"must be {wanted}" in message


def test_what_is_right_passes_and_other_plugins_are_their_own_business(said):
    assert said("hydra.launcher.max_failures=null", "hydra.launcher.max_clusters=3") is None
    assert said("hydra/sweeper=cluster_search", "hydra.sweeper.max_usd=2") is None
    assert said("hydra/launcher=basic", "hydra/sweeper=basic", "hydra.sweeper.max_batch_size=0") is None


def test_every_setting_of_the_plugins_is_described():
    from dataclasses import fields

    from flowerexp.config.plugins import PLUGINS
    from hydra_plugins.flowerexp.launcher import FlowerexpLauncherConf
    from hydra_plugins.flowerexp.sweeper import ClusterSearchConf

    for conf in (FlowerexpLauncherConf, ClusterSearchConf):
        defaults: dict[str, Any] = {spec.name: spec.default for spec in fields(conf)}
        schema = PLUGINS[defaults.pop("_target_").rpartition(".")[2]]
        assert {spec.name: spec.default for spec in fields(schema)} == defaults
