"""Sweeps and their trials in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.groups.sweeps import Sweep, SweepSpec, SweepState, SweepTrial, TrialState
from scheduler.domain.jobs import fresh_nonce
from scheduler.store import sweep_codec
from scheduler.store.codec import LARGEST_INT
from scheduler.store.sql.database import Database
from scheduler.store.sql.statements import upsert
from scheduler.store.sql.tables import sweeps, trials
from scheduler.store.sweeps import SweepQuery


class SqlSweepStore:
    """A `SweepStore` in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self, spec: SweepSpec, *, now: float, actor: str, key: str | None = None, digest: str = ""
    ) -> tuple[Sweep, bool]:
        """See `SweepStore.submit`."""
        spec = sweep_codec.stored(spec)
        with self._database.write() as connection:
            first = (
                key
                and connection.execute(
                    select(sweeps).where(sweeps.c.actor == actor, sweeps.c.key == key)
                ).one_or_none()
            )
            if first:
                return _same(first, digest), True
            number = (connection.scalar(select(func.max(sweeps.c.id))) or 0) + 1
            made = Sweep(number, spec, SweepState.RUNNING, "", now, fresh_nonce())
            values = _values(made) | {"actor": actor, "key": key, "digest": digest}
            connection.execute(insert(sweeps).values(values))
        return made, False

    def sweep(self, number: int) -> Sweep:
        """See `SweepStore.sweep`."""
        with self._database.read() as connection:
            return _found(connection, number)

    def sweeps(
        self, query: SweepQuery, *, before: int | None = None, limit: int = 100
    ) -> list[Sweep]:
        """See `SweepStore.sweeps`."""
        found = select(sweeps).order_by(sweeps.c.id.desc()).limit(_number(limit))
        if query.states:
            found = found.where(sweeps.c.state.in_(query.states))
        if query.user is not None:
            found = found.where(sweeps.c.user_name == query.user)
        if query.project is not None:
            found = found.where(sweeps.c.project == query.project)
        if before is not None:
            found = found.where(sweeps.c.id < _number(before))
        with self._database.read() as connection:
            return [_sweep(row) for row in connection.execute(found)]

    def move(
        self,
        number: int,
        origin: Collection[SweepState],
        state: SweepState,
        reason: str,
        now: float,
    ) -> Sweep:
        """See `SweepStore.move`."""
        change = (
            update(sweeps)
            .where(sweeps.c.id == _number(number), sweeps.c.state.in_(origin))
            .values(state=state, reason=reason, finished_at=now if state.final else None)
        )
        with self._database.write() as connection:
            connection.execute(change)
            return _found(connection, number)

    def trials(self, sweep: int) -> list[SweepTrial]:
        """See `SweepStore.trials`."""
        found = select(trials).where(trials.c.sweep == _number(sweep)).order_by(trials.c.number)
        with self._database.read() as connection:
            return [_trial(row) for row in connection.execute(found)]

    def record(self, changed: Sequence[SweepTrial]) -> None:
        """See `SweepStore.record`."""
        if not changed:
            return
        values = [_trial_values(trial) for trial in changed]
        with self._database.write() as connection:
            connection.execute(upsert(connection.dialect.name, trials), values)


def _found(connection: Connection, number: int) -> Sweep:
    row = connection.execute(select(sweeps).where(sweeps.c.id == _number(number))).one_or_none()
    if row is None:
        raise MissingError(f"there is no sweep {number}")
    return _sweep(row)


def _same(row: Row[Any], digest: str) -> Sweep:
    if row.digest != digest:
        raise StateError(
            f"the key {row.key!r} was used for another request",
            {"Idempotency-Key": "a new key, or the same request again"},
        )
    return _sweep(row)


def _values(sweep: Sweep) -> dict[str, Any]:
    return {
        "id": sweep.id,
        "user_name": sweep.spec.job.user,
        "project": sweep.spec.job.project,
        "state": sweep.state,
        "reason": sweep.reason,
        "submitted_at": sweep.submitted_at,
        "finished_at": sweep.finished_at,
        "spec": sweep_codec.sweep_spec_json(sweep.spec),
        "nonce": sweep.nonce,
    }


def _sweep(row: Row[Any]) -> Sweep:
    return Sweep(
        id=row.id,
        spec=sweep_codec.sweep_spec(row.spec),
        state=SweepState(row.state),
        reason=row.reason,
        submitted_at=row.submitted_at,
        nonce=row.nonce,
        finished_at=row.finished_at,
    )


def _trial_values(trial: SweepTrial) -> dict[str, Any]:
    return {
        "sweep": trial.sweep,
        "number": trial.number,
        "parameters": dict(trial.parameters),
        "state": trial.state,
        "reason": trial.reason,
        "job": trial.job,
        "reports": sweep_codec.reports_json(trial.reports),
        "epochs": trial.epochs,
        "value": trial.value,
    }


def _trial(row: Row[Any]) -> SweepTrial:
    return SweepTrial(
        sweep=row.sweep,
        number=row.number,
        parameters=row.parameters,
        state=TrialState(row.state),
        reason=row.reason,
        job=row.job,
        reports=sweep_codec.reports(row.reports),
        epochs=row.epochs,
        value=row.value,
    )


def _number(value: int) -> int:
    return min(max(int(value), 0), LARGEST_INT)
