"""What is got ready while Spark starts: MLflow's store and the libraries that the analysis needs."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

from flowerexp import analysis, tracking
from flowerexp.errors import FlowerexpError
from flowerexp.plan import PlannedRun


class Preparation:
    """Get MLflow and the analysis libraries ready while Spark starts: importing them takes seconds.

    That is work on this machine, so the slots are held meanwhile: nothing is measured beside it.
    """

    def __init__(self, runs: Sequence[PlannedRun], slots_held: AbstractContextManager[None]) -> None:
        self._stores = {tracking.Store.of(run.config.tracking) for run in runs}
        self._grid = any(run.measurements for run in runs)
        self._held = ExitStack()
        self._held.enter_context(slots_held)
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            for store in self._stores:
                if store.database:
                    tracking.ensure(store)
                else:  # asking a server takes as long as that likes, and measuring does not wait for it
                    tracking.load()
            analysis.load_libraries(self._grid)
            if self._grid:
                tracking.load_model_libraries()
        except FlowerexpError:
            pass  # logging will meet it again, when there are results to keep
        finally:
            # A million objects that live as long as the process: each full collection would look at them for 0.25 s.
            gc.freeze()
            self._held.close()

    def finish(self) -> None:
        """Wait until it is done."""
        self._thread.join()
