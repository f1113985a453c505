"""A folder's ``mlflow.json``: to which MLflow stores its run was logged, and as which run.

A random token is noted before a run is created in MLflow, and the run carries it as a tag. So a run that was left half
logged is found again, even if the answer that held its id was lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.errors import DataError
from flowerexp.tracking.store import Store

FILE = "mlflow.json"
TOKEN_TAG = "flowerexp.log_token"

Json = dict[str, Any]


class Note:
    """What a folder's `FILE` says about one store.

    Args:
        folder: a run's folder.
        store: the store that its run was logged to, or will be.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.path = folder / FILE
        self._store = {"uri": store.address, "experiment": store.experiment}

    def read(self) -> Json | None:
        """The token, and the run_id once everything is logged; None where nothing was logged to this store.

        Raises:
            DataError: the file is damaged.
        """
        return next((note for note in self._all() if self._is_ours(note)), None)

    def write(self, token: str, run_id: str | None = None) -> None:
        """Note the token, and the run_id once everything is logged; what is noted about other stores stays."""
        others = [note for note in self._all() if not self._is_ours(note)]
        records.write(self.path, {"stores": [*others, {**self._store, "token": token, "run_id": run_id}]})

    def find_run(self, client: Any, experiment: str) -> Any:
        """The folder's run in MLflow, as MLflow's `Run`; None where it is not there.

        Args:
            client: MLflow's, of this store.
            experiment: the id of the MLflow experiment.
        """
        note = self.read()
        if note is None:
            return None
        runs = client.search_runs([experiment], f"tags.`{TOKEN_TAG}` = '{note['token']}'", max_results=1)
        return runs[0] if runs else None

    def _all(self) -> list[Json]:
        try:
            content = records.find(self.path, records.NOTE)
        except DataError as error:
            hint = "remove that file to log the run again; check first whether MLflow has it already"
            raise DataError(error.problem, hint=hint) from error
        return list(content["stores"]) if content else []

    def _is_ours(self, note: Json) -> bool:
        return self._store.items() <= note.items()
