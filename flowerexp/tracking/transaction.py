"""Several calls of MLflow's client as one transaction of its database: the same rows in less time.

MLflow opens a session for each question that a call has, four times in `log_batch` alone, and commits what each has
written. `ManagedSessionMaker`, which makes them, is no part of its public API: a test compares what is in the database
with what the same calls leave without a transaction, and a store without it, such as a server, does without.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any


@contextmanager
def one_transaction(client: Any) -> Iterator[None]:
    """Let what this thread asks of a client's database be one transaction: all of it is written, or nothing.

    Only for runs that begin within it: MLflow completes what it finds half written by rolling back, which would take
    all with it.

    Args:
        client: MLflow's.
    """
    store = client._tracking_client.store
    if not hasattr(store, "ManagedSessionMaker"):
        yield
        return
    if not isinstance(store.ManagedSessionMaker, _Sessions):
        store.ManagedSessionMaker = _Sessions(store.ManagedSessionMaker)
    with store.ManagedSessionMaker.shared():
        yield


class _Sessions:
    """Makes MLflow's sessions; in a thread that shares one, there is only the first.

    Args:
        make: MLflow's own maker.
    """

    def __init__(self, make: Any) -> None:
        self._make = make
        self._of_thread = threading.local()

    def __call__(self, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        stack: ExitStack | None = getattr(self._of_thread, "stack", None)
        if stack is None:
            own: AbstractContextManager[Any] = self._make(*args, **kwargs)
            return own
        if self._of_thread.session is None:
            self._of_thread.session = session = stack.enter_context(self._make(*args, **kwargs))
            stack.enter_context(_undivided(session))
        return nullcontext(self._of_thread.session)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let this thread have one session, which ends with what is done within."""
        with ExitStack() as self._of_thread.stack:
            self._of_thread.session = None
            try:
                yield
            finally:
                self._of_thread.stack = None


@contextmanager
def _undivided(session: Any) -> Iterator[None]:
    """Let a session commit nothing by itself, and not roll back a part."""

    def refuse() -> None:
        raise RuntimeError("MLflow undid only a part of a transaction")

    session.commit, session.rollback = session.flush, refuse
    try:
        yield
    finally:
        del session.commit, session.rollback
