"""What Hydra does around a run of a sweep, for a result that is there: its folder, its log, callbacks, a JobReturn."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, flag_override

from flowerexp.config import plain
from flowerexp.config.answers import answering
from flowerexp.config.omegaconf_private import to_yaml
from flowerexp.config.redact import hide_in, redacted_override
from flowerexp.sweep.compose import Composed
from flowerexp.sweep.folders import BY_NUMBER, KEY

if TYPE_CHECKING:
    from flowerexp.orchestrate import Result

log = logging.getLogger(__name__)


class Around:
    """Gives the configs with which Hydra runs the jobs of a sweep: each run's own, with the sweep's Hydra node.

    What `ConfigLoader.load_sweep_config` gives, at a twentieth of its time.

    Args:
        config: the sweep's own config.
        folder: the sweep's.
    """

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.folder = folder
        # As in `compose`: a copy by way of pickle takes a fifth of the time of `deepcopy`. It stays in this process.
        hydra = OmegaConf.masked_copy(config, "hydra")
        hydra.hydra.job.chdir = False  # what is done around a result needs no folder, and other threads share ours
        self._hydra = pickle.dumps(hydra)
        self._by_number = OmegaConf.to_container(hydra.hydra.sweep, resolve=False)["subdir"] == BY_NUMBER  # type: ignore

    def run(self, composed: Composed, number: int, overrides: Sequence[str], name: str | None = None) -> DictConfig:
        """The config of one run, which becomes that of `composed`: no copy is made.

        Args:
            composed: the run's.
            number: of the run in the sweep.
            overrides: of the run, Hydra's own included.
            name: of its folder, where that is decided already.
        """
        job = composed.config
        hydra = pickle.loads(self._hydra).hydra
        hydra.job.id, hydra.job.num = number, number
        hydra.overrides.task = [override for override in overrides if not override.lstrip("+~").startswith("hydra.")]
        hydra.runtime.choices.update(composed.origin.choices)
        hydra.job.override_dirname = ",".join(map(redacted_override, hydra.overrides.task))  # it names folders
        hydra.sweep.dir = str(self.folder)
        if name is not None:
            hydra.sweep.subdir = name
        with flag_override(job, ["struct", "no_deepcopy_set_nodes"], [False, True]):
            job["hydra"] = hydra
        return job

    def folder_name(self, composed: Composed, number: int) -> str:
        """The name of a run's folder, by `hydra.sweep.subdir` and the run's own config."""
        if self._by_number:
            return str(number)
        job = self.run(composed, number, composed.overrides)
        with answering(job):
            return str(OmegaConf.select(job, KEY))


def as_job(context: HydraContext, config: DictConfig, result: Result) -> JobReturn:
    """Do what Hydra's `run_job` does, in less time: that copies the config four times and writes YAML in Python.

    A test compares both: what they write, what callbacks are told, and what they return.

    Args:
        context: Hydra's callbacks.
        config: the run's, as `Around.run` gives it.
        result: the run's.

    Returns:
        What Hydra is told; of a failed run, its `return_value` raises the error.
    """

    def task(_: DictConfig) -> str | None:
        hide_in(result.run.folder.glob(f"{config.hydra.output_subdir}/*.yaml"), plain(result.run.config))
        how = f"failed: {result.error}" if result.error else "finished"
        log.info("run %s %s", result.run.run_key, how)  # not an error, which the screen would show a second time
        if result.error:
            raise result.error
        return result.run_id

    sweep = config.hydra.sweep
    with answering(config):
        folder = Path(str(sweep.dir), str(sweep.subdir))
        with flag_override(config.hydra, ["readonly", "struct"], [False, False]):
            config.hydra.runtime.output_dir = str(folder.absolute())
        own, hydra = _apart(config)
        folder.mkdir(parents=True, exist_ok=True)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
        _write(own, hydra, folder)
        task_name = JobRuntime.instance().get("name")
        returned = JobReturn(list(hydra.hydra.overrides.task), own, hydra, str(Path.cwd()), task_name)
        with env_override(hydra.hydra.job.env_set):
            context.callbacks.on_job_start(config=config, task_function=task)
            try:
                returned.return_value = task(own)
                returned.status = JobStatus.COMPLETED
            except Exception as error:  # the sweep goes on, as under Hydra
                returned.return_value = error
                returned.status = JobStatus.FAILED
        context.callbacks.on_job_end(config=config, job_return=returned)
    return returned


def _apart(config: DictConfig) -> tuple[DictConfig, DictConfig]:
    """Copies of a run's own config, and of Hydra's node alone."""
    own: DictConfig = pickle.loads(pickle.dumps(config))
    hydra = DictConfig({})
    with flag_override(hydra, "no_deepcopy_set_nodes", True):
        hydra["hydra"] = own._get_node("hydra")
    with flag_override(own, ["readonly", "struct"], [False, False]):
        del own["hydra"]
    return own, hydra


def _write(own: DictConfig, hydra: DictConfig, folder: Path) -> None:
    """Write the folder `.hydra` of a run's folder."""
    node: Any = hydra.hydra
    if node.output_subdir is None:
        return
    place = folder / node.output_subdir
    place.mkdir(parents=True, exist_ok=True)
    for name, part in (("config", own), ("hydra", hydra), ("overrides", node.overrides.task)):
        (place / f"{name}.yaml").write_text(to_yaml(part), encoding="utf-8")
