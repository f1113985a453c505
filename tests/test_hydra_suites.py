"""Hydra's own tests of launchers, against ours; a task function without our mark runs as under the basic launcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import version
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite

from hydra_plugins.flowerexp.launcher import FlowerexpLauncher
from hydra_plugins.flowerexp.sweeper import FlowerexpSweeper

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def hydra_as_it_starts() -> Iterator[None]:
    """Hydra remembers in the process which version it shall behave as; the suites want what no caller has chosen."""
    remembered = version.VersionBase.instance()
    chosen = remembered.version_base
    version.setbase("1.1")
    yield
    remembered.version_base = chosen


def test_plugins_are_found() -> None:
    assert FlowerexpLauncher.__name__ in [found.__name__ for found in Plugins.instance().discover(Launcher)]
    assert FlowerexpSweeper.__name__ in [found.__name__ for found in Plugins.instance().discover(Sweeper)]


@pytest.mark.parametrize("launcher_name, overrides", [("flowerexp", [])])  # noqa: PT006  the suite's own names
class TestLauncher(LauncherTestSuite):
    """Hydra's launcher suite."""


@pytest.mark.parametrize("launcher_name, overrides", [("flowerexp", ["hydra/sweeper=flowerexp"])])  # noqa: PT006
class TestLauncherWithOurSweeper(LauncherTestSuite):
    """The same with our sweeper."""


@pytest.mark.long
@pytest.mark.parametrize("task_launcher_cfg, extra_flags", [({}, ["-m", "hydra/launcher=flowerexp"])])  # noqa: PT006
class TestIntegration(IntegrationTestSuite):
    """Hydra's integration suite."""


@pytest.mark.parametrize(
    "task_launcher_cfg, extra_flags",  # noqa: PT006
    [({}, ["-m", "hydra/launcher=flowerexp", "hydra/sweeper=flowerexp"])],
)
class TestIntegrationWithOurSweeper(IntegrationTestSuite):
    """The same with our sweeper."""
