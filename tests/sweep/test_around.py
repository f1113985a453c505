"""What Hydra is told of a sweep's runs is what its own `run_job` would have told, and written."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from flowerexp import app
from flowerexp.config import check
from flowerexp.config.hydra_private import Callbacks
from flowerexp.errors import JobError
from flowerexp.sweep.around import Around, as_job
from flowerexp.sweep.compose import Composer

OVERRIDES = ["caching=false", "preprocess.shards=3", "+cluster.spark.spark.note='é: \"x\" on'"]


class Heard:
    """A callback that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        environment = os.environ.get("OF_THE_JOB")
        self.said.append((_all(config), environment, HydraConfig.get().job.num, HydraConfig.get().runtime.output_dir))

    def on_job_end(self, config: DictConfig, job_return: Any, **_: Any) -> None:
        self.said.append((_all(config), job_return.status, job_return.overrides))


def _all(config: DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=True), OmegaConf.is_readonly(config.hydra)


@pytest.fixture
def made(tmp_path):
    """What a way to run a job does for one run: what it returns, writes, and tells callbacks."""
    application = app.create()

    def made(run, name):
        given = [f"hydra.sweep.dir={tmp_path}/sweep", "hydra.run.dir=one", "+hydra.job.env_set.OF_THE_JOB=here"]
        master = application.compose_config("config", given, RunMode.MULTIRUN)
        composed = Composer(application, "config", master).compose(OVERRIDES)
        around = Around(master, tmp_path / "sweep")
        config = around.run(composed.config, composed.origin, 7, OVERRIDES, "seven")
        callbacks, heard = Callbacks(), Heard()
        callbacks.callbacks = [heard]
        returned = run(HydraContext(application.config_loader, callbacks), config, around)
        written = {path.name: path.read_bytes() for path in (tmp_path / "sweep/seven/.hydra").iterdir()}
        logged = (tmp_path / "sweep/seven/flowerexp.log").read_text()
        (tmp_path / "sweep").rename(tmp_path / name)
        return returned, written, heard.said, logged

    yield made
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("error", [None, JobError("it broke")])
def test_it_is_what_hydra_s_own_would_have_been(made, error):
    def hydra_s(context, config, _):
        def task(_):
            if error:
                raise error
            return "abc"

        return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)

    def ours(context, config, around):
        own = check(app.without_hydra(config))
        run = SimpleNamespace(folder=Path(config.hydra.sweep.dir, "seven"), config=own, run_key="k")
        result: Any = SimpleNamespace(run=run, error=error, run_id="abc")
        return as_job(context, config, result, around.same)

    before = HydraConfig.instance().cfg
    wanted, got = made(hydra_s, "hydra"), made(ours, "ours")
    assert HydraConfig.instance().cfg is before
    for name in ("overrides", "working_dir", "task_name", "status", "_return_value", "cfg", "hydra_cfg"):
        assert getattr(got[0], name) == getattr(wanted[0], name), name
    for name in ("cfg", "hydra_cfg"):
        assert getattr(got[0], name)._metadata.flags == getattr(wanted[0], name)._metadata.flags
    assert got[0].hydra_cfg.hydra.runtime.output_dir.endswith("/sweep/seven")
    assert got[1:3] == wanted[1:3]
    assert len(got[1]) == 3
    assert got[0].status is (JobStatus.FAILED if error else JobStatus.COMPLETED)
    assert got[3].endswith(f"run k {'failed: it broke' if error else 'finished'}\n")
