"""What a call leaves as it found it: Hydra's global state, the logging of the process, and its warnings' filters."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig


@contextmanager
def left_alone() -> Iterator[None]:
    """Within it Hydra may be set up anew and log where it likes; afterwards all is as before.

    A notebook may use Hydra itself, and has its own handlers of log messages. Handlers that were added are closed.
    """
    hydra, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm, which MLflow imports, in a notebook
            yield
    finally:
        GlobalHydra.instance().hydra = hydra
        HydraConfig.instance().cfg = config
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
