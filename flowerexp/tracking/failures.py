"""Turn what MLflow, its database or the disk raise into one error of a line."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from flowerexp.errors import TrackingError
from flowerexp.tracking.library import load
from flowerexp.tracking.store import Store

MOVE_AWAY = "move it away, and log the folders of its runs again: flowerexp log FOLDER ..."
"""What to do about a damaged database."""
_DAMAGED = re.compile("malformed|not a database|no such table|no such column")


@contextmanager
def explained(store: Store, hint: str, doing: str = "logging to") -> Iterator[None]:
    """Turn what MLflow, its database or the disk raise into one line.

    Args:
        store: whose errors they are.
        hint: what to do about it, unless the database is damaged.
        doing: what was being done, such as ``logging to``.
    """
    load()
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, UnicodeError, OSError) as error:
        why = reason(error, store)
        if store.database and (isinstance(error, UnicodeError) or _DAMAGED.search(why)):
            raise TrackingError(f"{store.database} is damaged: {why}", hint=MOVE_AWAY) from error
        raise TrackingError(f"{doing} {store.address} failed: {why}", hint=hint) from error


def reason(error: BaseException, store: Store) -> str:
    """The cause in one short line: the message of the system or the database, if one of them caused the error."""
    from flowerexp.config.redact import HIDDEN, redacted, secrets

    words, below = str(error), error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError | sqlite3.Error) and below.args:
            words = getattr(below, "strerror", None) or str(below)
        below = below.__cause__ or below.__context__
    plain = words.replace(store.uri.rstrip("/"), store.address.rstrip("/"))
    for secret in secrets(store.uri):
        plain = plain.replace(secret, HIDDEN)
    line = " ".join(str(redacted(plain)).split())
    return line if len(line) <= 200 else f"{line[:197]}..."
