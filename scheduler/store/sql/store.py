"""`SqlStore`: the `Store` on a SQL database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select

from scheduler.domain.errors import FulcrumError, MissingError
from scheduler.domain.events import Event, Transition
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import AttemptState
from scheduler.domain.nodes import Node, NodeEvent
from scheduler.domain.records import Cost, CostGroup, Decision, Measurement
from scheduler.store.base import JobQuery, Submission
from scheduler.store.codec import LARGEST_INT, exact
from scheduler.store.sharing import ChangeRequest, Leader, Listening
from scheduler.store.sql import recording, rows, schema, submitting
from scheduler.store.sql.database import Database
from scheduler.store.sql.live_jobs import UnfinishedJobs
from scheduler.store.sql.records import costs, nodes
from scheduler.store.sql.records.sweeps import SqlSweepStore
from scheduler.store.sql.sharing import lease
from scheduler.store.sql.sharing import requests as requesting
from scheduler.store.sql.sharing.lease import Lease
from scheduler.store.sql.statements import upsert
from scheduler.store.sql.tables import attempts, decisions, events, jobs, measurements, settings

UNENDED = [state for state in AttemptState if not state.final]


class SqlStore:
    """A `Store` in SQLite or PostgreSQL; opening one brings its schema up to date.

    `url` is SQLAlchemy's: `sqlite:////var/lib/fulcrum/fulcrum.sqlite` (folder and file are made
    if absent, for this user alone) or `postgresql://user@host/database`. A transaction waits
    `busy_timeout_s` seconds for another process's.

    `service`: this process is the only one that runs jobs of the database, and a SQLite file is
    read through for damage first. On PostgreSQL it leads from then on (see `SharedStore`).

    Raises `InputError` for a URL or file that cannot be a store (also a damaged one, and one
    that a newer Fulcrum made), `StateError` if another service has the database,
    `OutageError` for a database that does not answer.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = 10.0, service: bool = False) -> None:
        self._database = Database(url, busy_timeout_s=busy_timeout_s)
        self._live = UnfinishedJobs()
        self.sweeps = SqlSweepStore(self._database)
        """See `Store.sweeps`."""
        try:
            schema.prepare(self._database)
            if service:
                schema.verify(self._database)
            self._database.watch(exclusive=service)
        except BaseException:
            self._database.close()
            raise

    def submit(self, submissions: Sequence[Submission]) -> list[list[Job] | FulcrumError]:
        """See `Store.submit`."""
        with self._database.write() as connection:
            return submitting.submit(connection, submissions)

    def record(
        self, transitions: Sequence[Transition], decisions: Sequence[Decision] = ()
    ) -> list[bool]:
        """See `Store.record`."""
        if not transitions and not decisions:
            return []
        with self._database.write() as connection:
            return recording.record(connection, transitions, decisions)

    def job(self, job_id: int) -> Job:
        """See `Store.job`."""
        with self._database.read() as connection:
            found = select(jobs).where(jobs.c.id == _number(job_id))
            row = connection.execute(found).one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        return rows.job(row)

    def jobs(self, query: JobQuery, *, before: int | None = None, limit: int = 100) -> list[Job]:
        """See `Store.jobs`."""
        found = _filtered(select(jobs), query).order_by(jobs.c.id.desc()).limit(_number(limit))
        if before is not None:
            found = found.where(jobs.c.id < _number(before))
        with self._database.read() as connection:
            return [rows.job(row) for row in connection.execute(found)]

    def count(self, query: JobQuery) -> int:
        """See `Store.count`."""
        number = _filtered(select(func.count()).select_from(jobs), query)
        with self._database.read() as connection:
            return int(connection.execute(number).scalar_one())

    def live(self) -> tuple[list[Job], list[Attempt]]:
        """See `Store.live`."""
        running = (
            select(attempts)
            .where(attempts.c.state.in_(UNENDED))
            .order_by(attempts.c.job, attempts.c.number)
        )
        with self._database.read() as connection:
            return (
                self._live.read(connection),
                [rows.attempt(row) for row in connection.execute(running)],
            )

    def attempts(self, job_id: int) -> list[Attempt]:
        """See `Store.attempts`."""
        found = (
            select(attempts).where(attempts.c.job == _number(job_id)).order_by(attempts.c.number)
        )
        with self._database.read() as connection:
            return [rows.attempt(row) for row in connection.execute(found)]

    def find_attempts(
        self,
        *,
        jobs: Collection[int] | None = None,
        since: float | None = None,
        limit: int = 1000,
    ) -> list[Attempt]:
        """See `Store.find_attempts`."""
        found = select(attempts).order_by(
            attempts.c.placed_at.desc(), attempts.c.job.desc(), attempts.c.number.desc()
        )
        if jobs is not None:
            found = found.where(attempts.c.job.in_([_number(job) for job in jobs]))
        if since is not None:
            ended_at = attempts.c.finished_at
            found = found.where(or_(ended_at.is_(None), ended_at >= since))
        with self._database.read() as connection:
            result = connection.execute(found.limit(_number(limit)))
            return [rows.attempt(row) for row in result]

    def events(
        self, job_id: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[Event]:
        """See `Store.events`."""
        found = (
            select(events)
            .where(events.c.seq > _number(after))
            .order_by(events.c.seq)
            .limit(_number(limit))
        )
        if job_id is not None:
            found = found.where(events.c.job == _number(job_id))
        with self._database.read() as connection:
            return [rows.event(row) for row in connection.execute(found)]

    def last_event(self) -> int:
        """See `Store.last_event`."""
        with self._database.read() as connection:
            return connection.scalar(select(func.max(events.c.seq))) or 0

    def decisions(self, job_id: int, *, limit: int = 20) -> list[Decision]:
        """See `Store.decisions`."""
        found = (
            select(decisions)
            .where(decisions.c.job == _number(job_id))
            .order_by(decisions.c.id.desc())
            .limit(_number(limit))
        )
        with self._database.read() as connection:
            return [rows.decision(row) for row in connection.execute(found)]

    def measure(self, measurement: Measurement) -> None:
        """See `Store.measure`."""
        with self._database.write() as connection:
            connection.execute(
                upsert(connection.dialect.name, measurements), rows.measurement_values(measurement)
            )

    def measurements(self, *, limit: int = 10_000) -> list[Measurement]:
        """See `Store.measurements`."""
        columns = measurements.c
        newest = (
            select(measurements)
            .order_by(columns.time.desc(), columns.job.desc(), columns.attempt.desc())
            .limit(_number(limit))
        )
        with self._database.read() as connection:
            return [rows.measurement(row) for row in connection.execute(newest)][::-1]

    def costs(
        self,
        by: CostGroup,
        *,
        since: float | None = None,
        until: float | None = None,
    ) -> list[Cost]:
        """See `Store.costs`."""
        with self._database.read() as connection:
            return costs.costs(connection, by, since, until)

    def setting(self, name: str) -> Any:
        """See `Store.setting`."""
        with self._database.read() as connection:
            return connection.scalar(select(settings.c.value).where(settings.c.name == name))

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """See `Store.set_settings`. Raises `InputError` for a value that is not JSON."""
        changed = [{"name": name, "value": exact(value, name)} for name, value in values.items()]
        if not changed:
            return
        with self._database.write() as connection:
            connection.execute(upsert(connection.dialect.name, settings), changed)

    def nodes(self) -> list[Node]:
        """See `Store.nodes`."""
        with self._database.read() as connection:
            return nodes.read(connection)

    def record_nodes(
        self,
        changed: Sequence[Node] = (),
        events: Sequence[NodeEvent] = (),
        retired: Sequence[str] = (),
    ) -> None:
        """See `Store.record_nodes`."""
        if changed or events or retired:
            with self._database.write() as connection:
                nodes.record(connection, changed, events, retired)

    def node_events(
        self, node: str | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[NodeEvent]:
        """See `Store.node_events`."""
        with self._database.read() as connection:
            return nodes.history(connection, node, _number(after), _number(limit))

    def leader(self) -> Leader | None:
        """See `SharedStore.leader`."""
        with self._database.read() as connection:
            return lease.leader(connection)

    def lead(self) -> bool:
        """See `SharedStore.lead`."""
        return self._lease.take()

    @property
    def epoch(self) -> int | None:
        """See `SharedStore.epoch`."""
        return self._lease.epoch

    @property
    def displaced(self) -> bool:
        """See `SharedStore.displaced`."""
        return self._lease.displaced

    def announce(self, address: str) -> None:
        """See `SharedStore.announce`."""
        self._lease.announce(address)

    def when_deposed(self, act: Callable[[str], None]) -> None:
        """See `SharedStore.when_deposed`."""
        self._lease.when_deposed(act)

    def resign(self) -> None:
        """See `SharedStore.resign`."""
        self._lease.release()

    def listen(self, act: Callable[[], None]) -> Listening:
        """See `SharedStore.listen`."""
        return self._database.listen(act)

    def ask(self, requests: Sequence[ChangeRequest]) -> list[int]:
        """See `SharedStore.ask`. Raises `InputError` for data that is not JSON."""
        with self._database.write() as connection:
            return requesting.ask(connection, requests)

    def asked(self) -> Mapping[int, ChangeRequest]:
        """See `SharedStore.asked`."""
        with self._database.read() as connection:
            return requesting.asked(connection)

    def answer(self, answers: Mapping[int, FulcrumError | None]) -> None:
        """See `SharedStore.answer`."""
        with self._database.write() as connection:
            requesting.answer(connection, answers)

    def answered(self, ids: Collection[int]) -> Mapping[int, FulcrumError | None]:
        """See `SharedStore.answered`."""
        with self._database.read() as connection:
            return requesting.answered(connection, ids)

    @property
    def shared(self) -> bool:
        """Whether several services can share it: whether it is PostgreSQL."""
        return self._database.lease is not None

    @property
    def _lease(self) -> Lease:
        assert self._database.lease is not None, "a SQLite file has one service"
        return self._database.lease

    def health(self) -> tuple[str, ...]:
        """See `Store.health`."""
        return self._database.health()

    def check(self) -> None:
        """See `Store.check`."""
        self._database.check()

    def close(self) -> None:
        """See `Store.close`."""
        self._database.close()


def _filtered(statement: Select[Any], query: JobQuery) -> Select[Any]:
    columns = jobs.c
    if query.states:
        statement = statement.where(columns.state.in_(query.states))
    if query.kinds:
        statement = statement.where(columns.kind.in_(query.kinds))
    if query.user is not None:
        statement = statement.where(columns.user_name == query.user)
    if query.project is not None:
        statement = statement.where(columns.project == query.project)
    if query.name is not None:
        part = query.name.casefold()
        statement = statement.where(columns.name_folded.contains(part, autoescape=True))
    if query.exact_name is not None:
        statement = statement.where(columns.name_folded == query.exact_name.casefold())
    if query.submitted_from is not None:
        statement = statement.where(columns.submitted_at >= query.submitted_from)
    if query.submitted_to is not None:
        statement = statement.where(columns.submitted_at < query.submitted_to)
    if query.array is not None:
        statement = statement.where(columns.array_number == _number(query.array))
    if query.sweep is not None:
        statement = statement.where(columns.sweep == _number(query.sweep))
    return statement


def _number(value: int) -> int:
    """`value` inside what a column holds: no row is numbered 0 or like the largest."""
    return min(max(int(value), 0), LARGEST_INT)
