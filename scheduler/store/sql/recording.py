"""Writing transitions: those that still hold, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, tuple_, update

from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import EventName
from scheduler.domain.records import Decision
from scheduler.store.sql import rows
from scheduler.store.sql.statements import chunks, upsert
from scheduler.store.sql.tables import attempts, decisions, events, held_devices, jobs

Device = tuple[str, int]
"""Pool and index."""
Holder = tuple[int, int]
"""Job and attempt number."""


def record(
    connection: Connection, transitions: Sequence[Transition], choices: Sequence[Decision]
) -> list[bool]:
    """See `Store.record`; in the connection's write transaction.

    Everything is checked against what was read at the beginning, which stays true because
    writers take turns; then each table is written by one statement.
    """
    versions = _versions(connection, transitions)
    before = _holders(connection, transitions)
    held = dict(before)
    done = [_admit(transition, versions, held) for transition in transitions]
    written = [one for one, effective in zip(transitions, done, strict=True) if effective]
    _write(connection, written)
    _hold(connection, before, held)
    skipped = {
        one.job.id for one, effective in zip(transitions, done, strict=True) if not effective
    }
    kept = [rows.decision_values(one) for one in choices if one.job not in skipped]
    if kept:
        connection.execute(insert(decisions), kept)
    return done


def _admit(transition: Transition, versions: dict[int, int], held: dict[Device, Holder]) -> bool:
    """Whether the transition takes effect; if so, its version and devices are noted."""
    job = transition.job
    if versions.get(job.id) != job.version - 1:
        return False
    if transition.attempt is not None and not _claim(transition.attempt, held):
        return False
    versions[job.id] = job.version
    return True


def _claim(attempt: Attempt, held: dict[Device, Holder]) -> bool:
    mine = (int(attempt.job), int(attempt.number))
    devices = _devices(attempt)
    if attempt.state.final:
        for device in devices:
            if held.get(device) == mine:
                del held[device]
        return True
    if len(devices) < attempt.width or any(held.get(device, mine) != mine for device in devices):
        return False
    held.update(dict.fromkeys(devices, mine))
    return True


def _devices(attempt: Attempt) -> set[Device]:
    return {(attempt.pool, int(device)) for device in attempt.devices}


def _versions(connection: Connection, transitions: Sequence[Transition]) -> dict[int, int]:
    ids = list({int(transition.job.id) for transition in transitions})
    return {
        row.id: row.version
        for part in chunks(ids)
        for row in connection.execute(select(jobs.c.id, jobs.c.version).where(jobs.c.id.in_(part)))
    }


def _holders(connection: Connection, transitions: Sequence[Transition]) -> dict[Device, Holder]:
    """Who holds the devices that the transitions touch."""
    touched = {
        device for one in transitions if one.attempt is not None for device in _devices(one.attempt)
    }
    columns = held_devices.c
    return {
        (row.pool, row.device): (row.job, row.attempt)
        for part in chunks(list(touched))
        for row in connection.execute(
            select(held_devices).where(tuple_(columns.pool, columns.device).in_(part))
        )
    }


def _write(connection: Connection, transitions: Sequence[Transition]) -> None:
    """The last word on every job and attempt, and every event."""
    if not transitions:
        return
    changed: dict[int, Job] = {one.job.id: one.job for one in transitions}
    tried: dict[Holder, Attempt] = {
        (one.attempt.job, one.attempt.number): one.attempt
        for one in transitions
        if one.attempt is not None
    }
    connection.execute(
        update(jobs).where(jobs.c.id == bindparam("row_id")),
        [{"row_id": job_id, **rows.job_changes(job)} for job_id, job in changed.items()],
    )
    wished = [one.job for one in transitions if one.event.name is EventName.UPDATED]
    if wished:
        connection.execute(
            update(jobs).where(jobs.c.id == bindparam("row_id")),
            [{"row_id": job.id, **rows.job_wishes(job)} for job in wished],
        )
    if tried:
        connection.execute(
            upsert(connection.dialect.name, attempts),
            [rows.attempt_values(attempt) for attempt in tried.values()],
        )
    connection.execute(insert(events), [rows.event_values(one.event) for one in transitions])


def _hold(
    connection: Connection, before: Mapping[Device, Holder], after: Mapping[Device, Holder]
) -> None:
    """Freed devices first, so that one changes hands within a transaction."""
    freed = [device for device, holder in before.items() if after.get(device) != holder]
    taken = [device for device, holder in after.items() if before.get(device) != holder]
    columns = held_devices.c
    if freed:
        connection.execute(
            delete(held_devices).where(
                and_(columns.pool == bindparam("at"), columns.device == bindparam("index"))
            ),
            [{"at": pool, "index": device} for pool, device in freed],
        )
    if taken:
        connection.execute(
            insert(held_devices),
            [_held_values(device, after[device]) for device in taken],
        )


def _held_values(device: Device, holder: Holder) -> dict[str, Any]:
    return {"pool": device[0], "device": device[1], "job": holder[0], "attempt": holder[1]}
