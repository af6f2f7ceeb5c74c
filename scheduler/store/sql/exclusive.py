"""One service per database: two would run the same attempt twice."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, exc

from scheduler.domain.errors import FulcrumError, OutageError, StateError
from scheduler.locks import ServiceLock

SERVICE_LOCK = 0x46756C6372756E
"""The PostgreSQL lock that a service holds in a session of its own for as long as it runs."""

_LEGAL = {"database_url": "a database that no running service uses, or stop that service first"}

_HOLDER = """
SELECT coalesce(a.application_name, '') || ' from ' || coalesce(host(a.client_addr), 'its host')
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %(key)s
"""


class ExclusiveLock(Protocol):
    """A hold on a database; others are refused until it is released or the process ends."""

    def doubt(self) -> None:
        """The database failed: the hold may be gone."""

    def lost(self) -> str | None:
        """A sentence if the hold is gone and cannot be had again."""

    def release(self) -> None:
        """Let another service have it; again: no effect."""


class FileLock(ServiceLock):
    """A lock on a file beside a SQLite file: two data folders may name the same database."""

    def __init__(self, file: Path) -> None:
        """Raises `StateError` if a service holds the database."""
        super().__init__(file.with_name(f"{file.name}.service"), f"the database {file}", _LEGAL)

    def doubt(self) -> None:
        """A failure of the database does not end a lock of the kernel's."""

    def lost(self) -> None:
        """A lock of the kernel's is never lost."""


class PostgresLock:
    """An advisory lock of a session that stays open; it ends with the session."""

    def __init__(self, engine: Engine) -> None:
        """Raises `StateError` naming the service that holds the database."""
        self._engine = engine
        self._lock = threading.Lock()
        self._doubted = False
        self._session = self._take()

    def doubt(self) -> None:
        """See `ExclusiveLock.doubt`."""
        self._doubted = True

    def lost(self) -> str | None:
        """See `ExclusiveLock.lost`; a lock lost by a failure is taken again if it is free."""
        if not self._doubted:
            return None
        with self._lock:
            try:
                self._session.exec_driver_sql("SELECT 1")
            except exc.SQLAlchemyError:  # the session is gone, or was already closed here
                self.release()
                try:
                    self._session = self._take()
                except FulcrumError as error:
                    return f"this service no longer has the database to itself: {error}"
            self._doubted = False
        return None

    def release(self) -> None:
        """See `ExclusiveLock.release`."""
        if not self._session.closed:
            self._session.invalidate()
            self._session.close()

    def _take(self) -> Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        name = f"fulcrum on {socket.gethostname()}, process {os.getpid()}"[:63]
        try:
            session.exec_driver_sql(
                "SELECT set_config('application_name', %(name)s, false)", {"name": name}
            )
            held = session.exec_driver_sql(
                "SELECT pg_try_advisory_lock(%(key)s)", {"key": SERVICE_LOCK}
            ).scalar()
            if held:
                return session
            holder = session.exec_driver_sql(_HOLDER, {"key": SERVICE_LOCK}).scalar()
        except exc.DBAPIError as error:
            session.close()
            raise OutageError(f"the store does not answer: {error.orig}") from error
        session.close()
        raise StateError(
            f"a service already uses this database: {holder or 'one that is just leaving'}", _LEGAL
        )
