"""Where runs are logged: the MLflow store that a config names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flowerexp.config.schema import Tracking

SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Store:
    """Where runs are logged. Paths become absolute, so that a store is the same in every folder.

    Attributes:
        uri: MLflow's tracking URI: ``sqlite:///PATH``, ``http(s)://HOST`` or another that MLflow knows.
        artifacts: a folder or URI for the artifacts of a new experiment; by default ``artifacts`` beside a database. A
            server decides where it keeps artifacts: a local folder means nothing to it, and is ignored.
        experiment: the name of the MLflow experiment.
    """

    uri: str
    artifacts: str | None = None
    experiment: str = "flowerexp"

    @classmethod
    def of(cls, tracking: Tracking) -> Store:
        """The store that a config names."""
        return cls(tracking.uri, tracking.artifacts, tracking.experiment)

    def __post_init__(self) -> None:
        artifacts = self.artifacts
        if self.uri.startswith(SQLITE):
            database = Path(self.uri.removeprefix(SQLITE)).expanduser().absolute()
            object.__setattr__(self, "uri", f"{SQLITE}{database}")
            artifacts = artifacts or str(database.parent / "artifacts")
        if artifacts and "://" not in artifacts:
            artifacts = None if self.is_server else str(Path(artifacts).expanduser().absolute())
        object.__setattr__(self, "artifacts", artifacts)

    @property
    def database(self) -> Path | None:
        """The file that holds the runs, if it is a database."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def is_server(self) -> bool:
        """Whether an MLflow server keeps the runs."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def artifact_uri(self) -> str | None:
        """Where a new experiment keeps its artifacts, as a URI: a folder's name may have any characters."""
        local = self.artifacts is not None and "://" not in self.artifacts
        return Path(self.artifacts or "").as_uri() if local else self.artifacts

    @property
    def address(self) -> str:
        """The URI without secrets and without a user's name, for messages and files."""
        from flowerexp.config.redact import HIDDEN, redacted  # whose package imports what composing needs

        return str(redacted(self.uri)).replace(f"{HIDDEN}@", "", 1)


def default_store(home: Path) -> Store:
    """The store in ``mlruns/`` under `home`: a database, and a folder for artifacts beside it."""
    folder = home.absolute() / "mlruns"
    return Store(f"{SQLITE}{folder / 'mlflow.db'}", str(folder / "artifacts"))
