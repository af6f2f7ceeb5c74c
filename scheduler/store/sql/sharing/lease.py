"""Leadership of a PostgreSQL database: a lock that a session holds, and a lease with an epoch.

The lock is freed the moment its session ends, so a leader that died is replaced at once. The lease
ends if the leader does not renew it, so one that hangs is replaced too: its sessions are ended, and
with them its lock and whatever it had begun to write (leases: Gray and Cheriton 1989). Every
transaction of a leader compares its epoch with the row, so one that wakes up later writes nothing.
The database's clock alone decides; clocks of machines may differ.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, exc

from scheduler.domain.errors import LostLeadershipError, OutageError
from scheduler.store.sharing import Leader

LEADER_LOCK = 0x46756C6372756E
"""The PostgreSQL lock that the leader holds in a session of its own."""
LEADERS_CHANNEL, FOLLOWERS_CHANNEL = "fulcrum_leader", "fulcrum_followers"
"""Where the leader hears of writes by others, and others of writes by the leader."""
TTL_S = 3.0
"""Seconds after its last renewal at which a lease ends."""
RENEW_S = 0.75
"""Seconds between two renewals."""
END_S = 1.0
"""Seconds for sessions to end that were told to."""

_LEADER = """
SELECT holder, address, epoch, until - extract(epoch FROM clock_timestamp())
FROM leader WHERE one = 1
"""
_BECOME = f"""
INSERT INTO leader (one, holder, address, epoch, until)
VALUES (1, %(holder)s, %(address)s, 1, extract(epoch FROM clock_timestamp()) + {TTL_S})
ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, address = excluded.address,
  epoch = leader.epoch + 1, until = excluded.until
RETURNING epoch
"""
_RENEW = f"""
UPDATE leader SET until = extract(epoch FROM clock_timestamp()) + {TTL_S}, address = %(address)s
WHERE one = 1 AND epoch = %(epoch)s
"""
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = %(holder)s AND datname = current_database()
"""
_LOCK_HOLDER = """
SELECT coalesce(a.application_name, '') || ' from ' || coalesce(host(a.client_addr), 'its host')
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %(key)s
"""

_log = logging.getLogger(__name__)


def leader(connection: Connection) -> Leader | None:
    """The leader in the row; None: there has never been one."""
    row = connection.exec_driver_sql(_LEADER).one_or_none()
    return None if row is None else Leader(*row)


class Lease:
    """This process's hold on the leadership, or its wish for it. Thread-safe."""

    def __init__(self, engine: Engine, name: str, writer_lock: int) -> None:
        """`name`: the application name of all sessions of `engine`, unlike that of any other.

        `writer_lock`: the PostgreSQL lock that every writing transaction takes.
        """
        self.epoch: int | None = None
        """The epoch while this one leads; None: it does not."""
        self.displaced = False
        """Whether the leader before hung when this one took its place."""
        self._address = ""
        self._engine = engine
        self._name = name
        self._writer_lock = writer_lock
        self._lock = threading.RLock()
        self._session: Connection | None = None
        self._locked = False
        """Whether the session holds the lock."""
        self._doubted = False
        self._deposed: str | None = None
        self._telling = threading.Lock()
        self._act: Callable[[str], None] | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        """Lead if nobody does or the lease of who does has ended. Raises `OutageError`."""
        with self._lock:
            if self.epoch is not None:
                return True
            try:
                session, self.displaced = self._opened(), False
                if not self._locks(session):
                    self.displaced = True
                    found = leader(session)
                    if found is None or found.left_s > 0 or not self._end(session, found):
                        return False
                self.epoch = self._become(session)
            except exc.SQLAlchemyError as error:
                self._drop()
                why = getattr(error, "orig", None) or error
                raise OutageError(f"the store does not answer: {why}") from error
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
            self._thread.start()
            return True

    def holder(self) -> str:
        """Who holds the lock, for a person."""
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql(_LOCK_HOLDER, {"key": LEADER_LOCK}).scalar()
        return str(found or "one that is just leaving")

    def announce(self, address: str) -> None:
        """See `SharedStore.announce`."""
        with self._lock:
            self._address = address
            if self.epoch is not None:
                self._renew()

    def when_deposed(self, act: Callable[[str], None]) -> None:
        """See `SharedStore.when_deposed`."""
        self._act = act
        self._tell()

    def begin(self, connection: Connection) -> None:
        """Begin a writing transaction: the other role hears of it once it is committed.

        Raises `LostLeadershipError` if this one led and another leads now. Called with the lock
        of writers held, so the epoch of a new leader is either seen here or written later.
        """
        channel = LEADERS_CHANNEL if self.epoch is None else FOLLOWERS_CHANNEL
        _, epoch = connection.exec_driver_sql(
            f"SELECT pg_notify('{channel}', ''), (SELECT epoch FROM leader WHERE one = 1)"
        ).one()
        if self.epoch is not None and epoch != self.epoch:
            raise LostLeadershipError(self._depose())

    def doubt(self) -> None:
        """See `ExclusiveLock.doubt`."""
        self._doubted = True

    def lost(self) -> str | None:
        """See `ExclusiveLock.lost`; a lock lost by a failure is taken again if it is free."""
        if self._doubted and self._deposed is None and self.epoch is not None:
            with self._lock:
                self._renew()
        return self._deposed

    def release(self) -> None:
        """See `ExclusiveLock.release`."""
        self._ended.set()
        if self._thread not in (None, threading.current_thread()):
            assert self._thread is not None
            self._thread.join()
        with self._lock:
            self.epoch = None
            self._drop()

    def _run(self) -> None:
        while not self._ended.wait(RENEW_S) and self._deposed is None:
            with self._lock:
                self._renew()

    def _renew(self) -> None:
        """Renew the lease. If the session is gone, its lock is taken again if it is free."""
        try:
            session = self._opened()
            renewed = session.exec_driver_sql(
                _RENEW, {"address": self._address, "epoch": self.epoch}
            ).rowcount
            if not renewed:
                self._depose()
            elif self._locks(session):
                self._doubted = False
            else:
                self._depose()
        except exc.SQLAlchemyError as error:
            if not self._doubted:
                why = getattr(error, "orig", None) or error
                _log.warning("the lease of the leader could not be renewed: %s", why)
            self._doubted = True
            self._drop()

    def _depose(self) -> str:
        sentence = (
            f"this service no longer has the database to itself: its epoch {self.epoch} is over, "
            "another service leads"
        )
        with self._telling:
            first, self._deposed = self._deposed is None, sentence
        if first:
            _log.error("%s", sentence)
        self._tell()
        return sentence

    def _tell(self) -> None:
        with self._telling:
            act = self._act if self._deposed is not None else None
            self._act = None if act is not None else self._act
        if act is not None:
            act(str(self._deposed))

    def _opened(self) -> Connection:
        """The session that holds the lock; a new one if there is none."""
        if self._session is None:
            self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # A renewal that a crash of the database undoes does no harm.
            self._session.exec_driver_sql("SET synchronous_commit = off")
        return self._session

    def _locks(self, session: Connection) -> bool:
        """Whether the session holds the lock, now or already."""
        if not self._locked:
            query = "SELECT pg_try_advisory_lock(%(key)s)"
            self._locked = bool(session.exec_driver_sql(query, {"key": LEADER_LOCK}).scalar())
        return self._locked

    def _end(self, session: Connection, found: Leader) -> bool:
        """End the sessions of a leader whose lease has ended; whether that freed the lock."""
        _log.warning("the lease of %s has ended; its sessions are ended", found.holder)
        session.exec_driver_sql(_END_SESSIONS, {"holder": found.holder})
        until = time.monotonic() + END_S
        while not self._locks(session):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _become(self, session: Connection) -> int:
        """Write the next epoch, after the last transaction of the leader before."""
        found = leader(session)
        if found is not None and found.holder != self._name:
            session.exec_driver_sql(_END_SESSIONS, {"holder": found.holder})
        session.exec_driver_sql("BEGIN")
        session.exec_driver_sql("SET LOCAL synchronous_commit = on")
        session.exec_driver_sql(f"SELECT pg_advisory_xact_lock({self._writer_lock})")
        epoch = session.exec_driver_sql(
            _BECOME, {"holder": self._name, "address": self._address}
        ).scalar_one()
        session.exec_driver_sql("COMMIT")
        return int(epoch)

    def _drop(self) -> None:
        """Close the session, and with it free the lock."""
        session, self._session, self._locked = self._session, None, False
        if session is not None and not session.closed:
            session.invalidate()
            session.close()
