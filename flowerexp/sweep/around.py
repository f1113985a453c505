"""What Hydra does around a run of a sweep, for a result that is there: its folder, its log, callbacks, a JobReturn."""

from __future__ import annotations

import copy
import functools
import logging
import pickle
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, flag_override

from flowerexp.config import Origin, plain
from flowerexp.config.answers import answering
from flowerexp.config.omegaconf_private import to_yaml, values_to_yaml
from flowerexp.config.redact import hide_in, redacted_override
from flowerexp.sweep.compose import Composed
from flowerexp.sweep.folders import BY_NUMBER, KEY

if TYPE_CHECKING:
    from flowerexp.orchestrate import Result

log = logging.getLogger(__name__)

_OF_A_RUN = ("job", "overrides", "runtime", "sweep")
"""The keys of Hydra's node that differ between the runs of a sweep, see `Around.run`."""


class Packed:
    """A config as bytes: its nodes take fifty times the memory, and a sweep keeps those of all its runs.

    Args:
        config: the config; the bytes never leave this process.
    """

    def __init__(self, config: DictConfig) -> None:
        self._bytes = zlib.compress(pickle.dumps(config), 1)

    def config(self) -> DictConfig:
        """The config, as a new one whenever it is asked for."""
        return pickle.loads(zlib.decompress(self._bytes))  # type: ignore[no-any-return]


class Around:
    """Gives the configs with which Hydra runs the jobs of a sweep: each run's own, with the sweep's Hydra node.

    What `ConfigLoader.load_sweep_config` gives, at a twentieth of its time.

    Args:
        config: the sweep's own config.
        folder: the sweep's.
    """

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.folder = folder
        self._master = OmegaConf.masked_copy(config, "hydra")
        # What is done around a result needs no folder, and other threads share ours.
        self._master.hydra.job.chdir = False
        self._by_number = OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"] == BY_NUMBER  # type: ignore
        self._by_choices: dict[tuple[tuple[str, str | None], ...], bytes] = {}

    def run(
        self, job: DictConfig, origin: Origin, number: int, overrides: Sequence[str], name: str | None = None
    ) -> DictConfig:
        """The config of one run, with Hydra's node, which is added to the run's own.

        Args:
            job: the run's own.
            origin: how it was composed.
            number: of the run in the sweep.
            overrides: of the run, Hydra's own included.
            name: of its folder, where that is decided already.
        """
        hydra = pickle.loads(self._node_for(origin)).hydra
        hydra.job.id, hydra.job.num = number, number
        hydra.overrides.task = [override for override in overrides if not override.lstrip("+~").startswith("hydra.")]
        hydra.job.override_dirname = ",".join(map(redacted_override, hydra.overrides.task))  # it names folders
        hydra.sweep.dir = str(self.folder)
        if name is not None:
            hydra.sweep.subdir = name
        with flag_override(job, ["struct", "no_deepcopy_set_nodes"], [False, True]):
            job["hydra"] = hydra
        return job

    @functools.cached_property
    def same(self) -> dict[str, str]:
        """The parts of `hydra.yaml` that are the same for all runs, by the keys of Hydra's node."""
        return {key: _part(key, value) for key, value in _values(self._master.hydra).items() if key not in _OF_A_RUN}

    def _node_for(self, origin: Origin) -> bytes:
        """Hydra's node with a run's choices, which most runs share.

        As in `compose`: a copy by way of pickle takes a fifth of the time of `deepcopy`. It stays in this process.
        """
        choices = tuple(origin.choices.items())
        if choices not in self._by_choices:
            node = copy.deepcopy(self._master)
            node.hydra.runtime.choices.update(origin.choices)
            self._by_choices[choices] = pickle.dumps(node)
        return self._by_choices[choices]

    def folder_name(self, composed: Composed, number: int) -> str:
        """The name of a run's folder, by `hydra.sweep.subdir` and the run's own config."""
        if self._by_number:
            return str(number)
        job = self.run(composed.config, composed.origin, number, composed.overrides)
        with answering(job):
            name = str(OmegaConf.select(job, KEY))
        _take_out(job)
        return name


class _Kept(JobReturn):
    """What Hydra was told of a run, with the run's configs as bytes until somebody asks for them."""

    def __init__(self, told: JobReturn, whole: Packed) -> None:
        self.overrides, self.working_dir, self.task_name = told.overrides, told.working_dir, told.task_name
        self.status, self._return_value = told.status, told._return_value
        self._whole = whole

    @property
    def cfg(self) -> DictConfig:  # type: ignore[override]
        """See Hydra's `JobReturn.cfg`."""
        return _apart(self._whole)[0]

    @property
    def hydra_cfg(self) -> DictConfig:  # type: ignore[override]
        """See Hydra's `JobReturn.hydra_cfg`."""
        return _apart(self._whole)[1]


def as_job(context: HydraContext, config: DictConfig, result: Result, same: Mapping[str, str]) -> JobReturn:
    """Do what Hydra's `run_job` does, in less time: that copies the config four times and writes YAML in Python.

    A test compares both: what they write, what callbacks are told, and what they return.

    Args:
        context: Hydra's callbacks.
        config: the run's, as `Around.run` gives it.
        result: the run's.
        same: see `Around.same`.

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
        whole = Packed(config)
        own, hydra = _apart(whole)
        folder.mkdir(parents=True, exist_ok=True)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
        _write(own, hydra, folder, same)
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
    return _Kept(returned, whole)


def _apart(whole: Packed) -> tuple[DictConfig, DictConfig]:
    """Copies of a run's own config, and of Hydra's node alone."""
    own, hydra = whole.config(), DictConfig({})
    with flag_override(hydra, "no_deepcopy_set_nodes", True):
        hydra["hydra"] = own._get_node("hydra")
    _take_out(own)
    return own, hydra


def _take_out(config: DictConfig) -> None:
    """Take Hydra's node out of a config."""
    with flag_override(config, ["readonly", "struct"], [False, False]):
        del config["hydra"]


def _write(own: DictConfig, hydra: DictConfig, folder: Path, same: Mapping[str, str]) -> None:
    """Write the folder `.hydra` of a run's folder."""
    node: Any = hydra.hydra
    if node.output_subdir is None:
        return
    place = folder / node.output_subdir
    place.mkdir(parents=True, exist_ok=True)
    parts = [same[key] if key in same else _part(key, _values(node._get_node(key))) for key in node]
    texts = {"config": to_yaml(own), "hydra": "hydra:\n" + "".join(parts), "overrides": to_yaml(node.overrides.task)}
    for name, text in texts.items():
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")


def _values(node: DictConfig) -> Any:
    return OmegaConf.to_container(node, resolve=False, enum_to_str=True)


def _part(key: str, values: Any) -> str:
    """The lines of one key in `hydra.yaml`, which are written alone as among the others."""
    return values_to_yaml({"hydra": {key: values}}).removeprefix("hydra:\n")
