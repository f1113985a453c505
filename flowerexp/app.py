"""flowerexp as a Hydra application: compose once, check before anything happens, then let Hydra run it.

Hydra's own `hydra.main` composes a single run twice, creates the output folder before a config can be refused, and
prints several lines, or a traceback, for a mistyped key.
"""

from __future__ import annotations

import functools
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.errors import CompactHydraException
from hydra.plugins.completion_plugin import CompletionPlugin
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config import Config, Origin, check
from flowerexp.config.answers import answer
from flowerexp.config.explain import explain, explain_setup
from flowerexp.config.hydra_private import Callbacks, Hydra, create_config_search_path
from flowerexp.config.loader import Loader
from flowerexp.config.omegaconf_private import parsed_once
from flowerexp.config.overrides import SPARK, Parser, forced
from flowerexp.config.places import PROVIDER, config_folder, own_folder
from flowerexp.errors import ConfigError

Task = Callable[[DictConfig], Any]
Before = Callable[[Config, Origin], None]

_FORCED = ("grid.", "entrypoint.settings.", SPARK)
"""Keys whose overrides are shown as they were typed, though Hydra was given them in another form."""

OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(2), use_cache=True, replace=True)
OmegaConf.register_new_resolver("unless", lambda other, value: value if other is None else None, replace=True)


class App(Hydra):
    """Hydra, with one composition a run, our checks before the first side effect, and errors of one line.

    Attributes:
        at_end: what is left to be done when a sweep is over that a sweeper launched in several batches.
        detach: whether a sweep ends as soon as its jobs are submitted.
    """

    at_end: Callable[[], None] | None = None
    detach: bool = False

    def compose_config(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        with_log_configuration: bool = False,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose as Hydra does; what is wrong becomes a ConfigError."""
        typed = overrides
        overrides = [forced(override) for override in overrides]
        try:
            sweeping = run_mode == RunMode.MULTIRUN or not validate_sweep_overrides
            first = self._first_choices(overrides) if sweeping else {}
            with parsed_once():
                config = super().compose_config(
                    config_name,
                    [first.get(override, override) for override in overrides],
                    run_mode,
                    with_log_configuration,
                    from_shell,
                    validate_sweep_overrides,
                )
            whole = {chosen: one for one, chosen in first.items()}
            whole |= {forced(override): override for override in typed if override.lstrip("+").startswith(_FORCED)}
            task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
            config.hydra.overrides.task = [whole.get(override, override) for override in task]
            return config
        except (CompactHydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
            raise self.explained(error, typed) from error
        except (KeyError, AssertionError, TypeError) as error:
            if any(override.startswith(("hydra.verbose=", "hydra.job.env_copy=")) for override in overrides):
                raise explain_setup(error) from error
            raise

    def explained(self, error: Exception, overrides: Sequence[str]) -> ConfigError:
        """Say in one line what Hydra says in several; see `explain`."""
        return explain(error, overrides, self.config_loader)

    def _first_choices(self, overrides: Sequence[str]) -> dict[str, str]:
        """Sweeps over a config group, each with the override that chooses its first option.

        Hydra composes a sweep's own config without the sweep's choices, and so refuses `cluster=a,b cluster.key=1`
        where the default cluster knows no such key.
        """
        first = {}
        for override in Parser.create().parse_overrides(list(overrides)):
            group = override.key_or_group
            # An experiment may bring sweep axes, which are those of its own runs.
            if override.is_choice_sweep() and group != "experiment" and self.config_loader.get_group_options(group):
                value = next(iter(override.sweep_string_iterator()))
                first[str(override.input_line)] = f"{override.get_key_element()}={value}"
        return first

    @staticmethod
    def get_shell_to_plugin_map(config_loader: ConfigLoader) -> defaultdict[str, list[CompletionPlugin]]:
        """See Hydra's; what its plugins offer is ours."""
        from flowerexp.config.completion import completions

        found: defaultdict[str, list[CompletionPlugin]] = Hydra.get_shell_to_plugin_map(config_loader)
        for plugins in found.values():
            for plugin in plugins:
                asked = getattr(plugin, "delegate", plugin)  # zsh's asks that of bash
                setattr(asked, "_query", functools.partial(completions, asked))  # noqa: B010 - mypy takes no method
        return found

    def run_checked(self, config: DictConfig, config_name: str, task: Task, before: Before) -> JobReturn:
        """Run one composed config: what `Hydra.run` does after composing, with our checks first.

        Raises:
            FlowerexpError: the config is wrong, or `before` found something; nothing was written.
        """
        answer(config)
        config.hydra.mode = RunMode.RUN
        config.hydra.job.chdir = False  # paths are meant from the folder in which they were typed
        HydraConfig.instance().set_config(config)  # a folder's name may be made of what Hydra knows
        try:
            folder = Path(str(OmegaConf.select(config, "hydra.run.dir"))).absolute()
        except OmegaConfBaseException as error:
            raise self.explained(error, []) from error
        from flowerexp.journal.journal import refuse_taken  # commands that run nothing do without it

        refuse_taken(folder, "hydra.run.dir")
        before(check(without_hydra(config), origin_of(config)), origin_of(config))
        callbacks = Callbacks(config)
        callbacks.on_run_start(config=config, config_name=config_name)
        try:
            result = run_job(
                hydra_context=HydraContext(config_loader=self.config_loader, callbacks=callbacks),
                task_function=task,
                config=config,
                job_dir_key="hydra.run.dir",
                job_subdir_key=None,
            )
        except (CompactHydraException, OmegaConfBaseException) as error:
            raise self.explained(error, []) from error
        except ValueError as error:  # of logging; what the task raises is in its result
            raise explain_setup(error) from error
        callbacks.on_run_end(config=config, config_name=config_name, job_return=result)
        if result.status is JobStatus.FAILED:
            raise result._return_value  # `return_value` would print a line of its own first
        return result


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy of a composed config without Hydra's own node."""
    copy = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(copy, True)
    return copy


def origin_of(config: DictConfig) -> Origin:
    """How a config with its Hydra node was composed."""
    sources = [source.path for source in config.hydra.runtime.config_sources if source.schema == "file"]
    return Origin(
        # as they were typed: to resolve what they hold is the check's business
        overrides=OmegaConf.to_container(config.hydra.overrides.task, resolve=False),  # type: ignore[arg-type]
        choices={str(key): value for key, value in config.hydra.runtime.choices.items()},
        folders=[Path(path) for path in sources],
    )


def create(config_dir: str | Path | None = None) -> App:
    """The Hydra application over `conf/` and, before it, the folder of the user's own configs.

    Args:
        config_dir: that folder, where the caller names one; see `own_folder`.

    Raises:
        ConfigError: it is not a folder.
    """
    search_path = create_config_search_path(f"file://{config_folder()}")
    if (folder := own_folder(config_dir)) is not None:
        search_path.prepend(PROVIDER, f"file://{folder}", SearchPathQuery(provider="main", path=None))
    GlobalHydra.instance().clear()
    app = App(task_name="flowerexp", config_loader=Loader(config_search_path=search_path))
    GlobalHydra.instance().initialize(app)
    return app


def composed(overrides: Sequence[str], config_dir: str | Path | None = None) -> Config:
    """The checked config that a run with these overrides would have; nothing is run.

    Args:
        overrides: those of the command line.
        config_dir: the folder of the user's own configs, where the caller names one; see `own_folder`.

    Raises:
        ConfigError: it is wrong.
    """
    app = create(config_dir)
    try:
        config = app.compose_config("config", list(overrides), RunMode.RUN)
        answer(config)
        return check(without_hydra(config), origin_of(config))
    finally:
        GlobalHydra.instance().clear()
