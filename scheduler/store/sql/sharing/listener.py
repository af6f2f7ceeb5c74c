"""Listens for notices of PostgreSQL (LISTEN), and looks now and then in case one was lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, exc

from scheduler.domain.errors import FulcrumError

POLL_S = 2.0
"""Seconds between two calls without a notice."""
_SLICE_S = 0.25
"""How often a listener that waits looks whether it is closed."""
_RETRY_S = 0.5
_log = logging.getLogger(__name__)


class Listener:
    """A thread that calls `act` after each notice on a channel, and every `POLL_S` seconds."""

    def __init__(self, engine: Engine, channel: str, act: Callable[[], None]) -> None:
        self._engine = engine
        self._channel = channel
        self._act = act
        self._closing = threading.Event()
        self._complained = False
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """See `Listening.close`."""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        import psycopg

        while not self._closing.is_set():
            try:
                with self._listening() as connection:
                    while not self._closing.is_set():
                        self._call()
                        self._wait(connection)
            except (exc.SQLAlchemyError, psycopg.Error) as error:
                why = getattr(error, "orig", None) or error
                self._complain(f"the database tells nothing now: {why}")
                self._closing.wait(_RETRY_S)

    @contextmanager
    def _listening(self) -> Iterator[Any]:
        """A session of its own that listens; yields the driver's connection."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            session.exec_driver_sql(f"LISTEN {self._channel}")
            try:
                yield session.connection.driver_connection
            finally:
                session.invalidate()  # nobody else shall get a session that listens

    def _wait(self, connection: Any) -> None:
        """Return after a notice, after `POLL_S` seconds, or when it is closed."""
        until = time.monotonic() + POLL_S
        while not self._closing.is_set() and time.monotonic() < until:
            if list(connection.notifies(timeout=_SLICE_S, stop_after=1)):
                return

    def _call(self) -> None:
        try:
            self._act()
        except FulcrumError as error:
            self._complain(f"what other services wrote is read again: {error}")
        except Exception:
            _log.exception("what other services wrote is read again")
        else:
            self._complained = False

    def _complain(self, text: str) -> None:
        """Log it, once while it lasts."""
        if not self._complained:
            _log.warning("%s", text)
        self._complained = True
