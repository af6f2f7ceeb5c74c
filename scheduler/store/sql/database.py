"""The database itself: its file, its connections, its two kinds of transaction."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from scheduler.domain.errors import (
    FulcrumError,
    InputError,
    LostLeadershipError,
    OutageError,
    StateError,
)
from scheduler.store import codec
from scheduler.store.sql.exclusive import LEGAL, ExclusiveLock, FileLock
from scheduler.store.sql.sharing.lease import FOLLOWERS_CHANNEL, LEADERS_CHANNEL, Lease
from scheduler.store.sql.sharing.listener import Listener
from scheduler.store.sql.storefile import StoreFile

WRITE = "fulcrum_write"
"""Execution option of a connection that is going to write."""

ADVISORY_LOCK = 0x46756C6372756D
"""`Fulcrum` in ASCII: the PostgreSQL lock that every writer takes."""

TWO_SERVICES = {
    **LEGAL,
    "standby": "true, to follow that service and to take over when it ends",
}
"""What somebody may do who starts a second service on a PostgreSQL database."""

ADVICE = "stop the service and restore a backup"
"""For who has a damaged database."""


class Database:
    """Read and write transactions on one database, with errors in the domain's words.

    Writers take turns, in this process by a lock and among processes by the database: SQLite by
    `BEGIN IMMEDIATE`, PostgreSQL by an advisory lock. So what a writer reads stays true until it
    commits, and sequence numbers become visible in their order (PostgreSQL's sequences alone do
    not promise that). A reader sees one instant and blocks nobody.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = 10.0) -> None:
        self.url = _parse(url)
        self.file: Path | None = None
        """The SQLite file; None for PostgreSQL."""
        self._closed = False
        self._writing = threading.Lock()
        self._damage: str | None = None
        self._watched: StoreFile | None = None
        self._service_lock: ExclusiveLock | None = None
        self.lease: Lease | None = None
        """The leadership of a PostgreSQL database; None for SQLite, and before `watch`."""
        if self.url.get_backend_name() == "sqlite":
            self.file = _create(self.url)
            self._watched = StoreFile(self.file)
            self._engine = _sqlite(self.url, busy_timeout_s)
            self._reader = self._engine
        else:
            self._session_name = _session_name()
            self._engine = _postgresql(self.url, self._session_name)
            self._reader = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writer = self._engine.execution_options(**{WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one instant of the database."""
        with self._errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and gone if it raises.

        If the database's file is no longer where it was, `OutageError` is raised, even where
        the transaction took effect in what was that file.
        """
        with self._writing, self._errors():
            self._require_whole()
            with self._writer.begin() as connection:
                if self.lease is not None:
                    self.lease.begin(connection)
                yield connection
            self._require_whole()

    def watch(self, *, exclusive: bool = False) -> None:
        """Keep an eye on the file from now on; with `exclusive`, refuse a second service.

        Raises `StateError` naming the service that holds the database.
        """
        if self._watched is not None:
            self._watched.pin()
        if self.file is None:
            self._service_lock = self.lease = Lease(self._engine, self._session_name, ADVISORY_LOCK)
            if exclusive and not self.lease.take():
                holder = self.lease.holder()
                raise StateError(f"a service already uses this database: {holder}", TWO_SERVICES)
        elif exclusive:
            self._service_lock = FileLock(self.file)

    def listen(self, act: Callable[[], None]) -> Listener:
        """See `SharedStore.listen`; for PostgreSQL."""
        leads = self.lease is not None and self.lease.epoch is not None
        return Listener(self._engine, LEADERS_CHANNEL if leads else FOLLOWERS_CHANNEL, act)

    def health(self) -> tuple[str, ...]:
        """Sentences on what keeps this database from being written or trusted; empty: nothing."""
        if self._watched is not None and self._damage is None and not self._watched.moved():
            found = self._watched.damaged()
            self._damage = found and f"{found}: {ADVICE}"
        try:
            with self.write() as connection:
                connection.exec_driver_sql("SELECT 1 FROM alembic_version")
        except FulcrumError as error:
            return (error.message,)
        except exc.ProgrammingError as error:
            return (f"the store lacks its tables: {error.orig}",)
        return ()

    @property
    def damaged(self) -> bool:
        """Whether damage has been found since it was opened."""
        return self._damage is not None

    def check(self) -> None:
        """Raise `OutageError` unless a write transaction can begin now."""
        for problem in self.health():
            raise OutageError(problem)

    def close(self) -> None:
        """Close all connections once the running write has ended."""
        with self._writing:
            self._closed = True
            if self._service_lock is not None:
                self._service_lock.release()
            self._engine.dispose()
            if self._watched is not None:
                self._watched.close()

    def _require_whole(self) -> None:
        """Raise `OutageError` for what the database itself does not notice."""
        problem = self._damage
        if problem is None and self._watched is not None:
            problem = self._watched.moved()
            problem = problem and f"{problem}; put it back, or restart the service"
        if problem is not None:
            raise OutageError(problem)
        lost = self._service_lock and self._service_lock.lost()
        if lost:
            raise LostLeadershipError(lost)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._closed:
            raise OutageError("the store is closed")
        try:
            yield
        except exc.IntegrityError as error:
            raise StateError(f"the store refused a change: {error.orig}") from error
        except (exc.DataError, exc.ProgrammingError):
            raise  # a defect of the statement, not of the database's health
        except (exc.DBAPIError, exc.TimeoutError, sqlite3.DatabaseError) as error:
            raise OutageError(self._told(getattr(error, "orig", None) or error)) from error

    def _told(self, cause: BaseException) -> str:
        """What failed, in words; damage is remembered, for pages in memory may hide it."""
        match getattr(cause, "sqlite_errorname", "") or "":
            case "SQLITE_FULL":
                return f"the disk of {self.file} is full; nothing is stored until there is space"
            case name if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                self._damage = f"the store's file {self.file} is damaged ({cause}): {ADVICE}"
                return self._damage
        if self._service_lock is not None:
            self._service_lock.doubt()
        return f"the store does not answer: {cause}"


def _parse(text: str) -> URL:
    legal = {"store.url": "sqlite:////absolute/path.sqlite or postgresql://user@host/database"}
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise InputError("the store's address is not a URL", legal) from None
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InputError(f"{backend} is not a database that Fulcrum works on", legal)
    if url.database in {None, "", ":memory:"} or url.query:
        raise InputError("the SQLite database must be a plain file", legal)
    return url


def _create(url: URL) -> Path:
    """Make folder (0700) and file (0600) if they are not there: jobs may name secrets."""
    file = Path(str(url.database))
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise InputError(
            f"cannot open {file}: {error.strerror}",
            {"store.url": "a file that this user may write, or may create"},
        ) from error
    return file


def _sqlite(url: URL, busy_timeout_s: float) -> Engine:
    # The driver must not begin transactions by itself: it would leave out BEGIN before reads and
    # schema changes. The names are those of Python 3.11 and of 3.12 and later.
    legacy = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", None)
    arguments: dict[str, Any] = {"timeout": busy_timeout_s, "isolation_level": None}
    if legacy is not None:
        arguments["autocommit"] = legacy
    engine = create_engine(
        url, connect_args=arguments, json_serializer=codec.dumps, pool_size=8, max_overflow=24
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        _use_write_ahead_log(connection, busy_timeout_s)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _use_write_ahead_log(connection: sqlite3.Connection, timeout_s: float) -> None:
    # Changing the mode of a new file needs it alone, and SQLite does not wait for that by itself.
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


_OPTIONS = "-c idle_in_transaction_session_timeout=60s"
"""A process that was stopped inside a transaction must not keep others from writing for ever."""


def _session_name() -> str:
    """A name for the sessions of one store, unlike that of any other store."""
    token = secrets.token_hex(4)
    return f"fulcrum on {socket.gethostname()[:24]}, process {os.getpid()}, {token}"


def _postgresql(url: URL, session_name: str) -> Engine:
    try:
        engine = create_engine(
            url,
            json_serializer=codec.dumps,
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=True,
            connect_args={"application_name": session_name, "options": _OPTIONS},
        )
    except ModuleNotFoundError as error:
        raise InputError(
            f"PostgreSQL needs the package {error.name}",
            {"store.url": "install fulcrum-scheduler[postgres], or use sqlite:////path"},
        ) from error

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITE):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")

    return engine
