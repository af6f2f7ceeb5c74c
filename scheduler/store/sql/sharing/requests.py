"""Requests of followers and the leader's answers, in a table."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from scheduler.domain import errors
from scheduler.domain.errors import FulcrumError
from scheduler.store.codec import exact
from scheduler.store.sharing import ChangeRequest
from scheduler.store.sql.tables import requests

KEPT_S = 3600.0
"""Seconds for which an answered request stays."""
_KINDS: Mapping[str, type[FulcrumError]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, FulcrumError)
}


def ask(connection: Connection, asked: Sequence[ChangeRequest]) -> list[int]:
    """See `SharedStore.ask`. Raises `InputError` for data that is not JSON."""
    now = time.time()
    rows = [
        {
            "name": one.name,
            "job": one.job,
            "actor": one.actor,
            "data": exact(dict(one.data), "data"),
            "time": now,
        }
        for one in asked
    ]
    if not rows:
        return []
    inserted = insert(requests).returning(requests.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(inserted, rows))


def asked(connection: Connection) -> dict[int, ChangeRequest]:
    """See `SharedStore.asked`."""
    waiting = select(requests).where(requests.c.answered_at.is_(None)).order_by(requests.c.id)
    return {
        row.id: ChangeRequest(row.name, row.job, row.actor, row.data)
        for row in connection.execute(waiting)
    }


def answer(connection: Connection, answers: Mapping[int, FulcrumError | None]) -> None:
    """See `SharedStore.answer`; removes requests that were answered long ago."""
    now = time.time()
    done = [number for number, error in answers.items() if error is None]
    row = requests.c.id
    if done:
        connection.execute(update(requests).where(row.in_(done)).values(answered_at=now))
    for number, error in answers.items():
        if error is not None:
            refused = {"answered_at": now, "error": _encoded(error)}
            connection.execute(update(requests).where(row == number).values(refused))
    connection.execute(delete(requests).where(requests.c.answered_at < now - KEPT_S))


def answered(connection: Connection, ids: Collection[int]) -> dict[int, FulcrumError | None]:
    """See `SharedStore.answered`."""
    columns = requests.c
    found = select(columns.id, columns.error).where(
        columns.id.in_(ids), columns.answered_at.is_not(None)
    )
    return {row.id: _decoded(row.error) for row in connection.execute(found)}


def _encoded(error: FulcrumError) -> dict[str, Any]:
    kind = type(error).__name__
    return {"kind": kind, "message": error.message, "fields": error.fields}


def _decoded(value: Mapping[str, Any] | None) -> FulcrumError | None:
    if value is None:
        return None
    kind = _KINDS.get(value["kind"], FulcrumError)
    return kind(value["message"], value["fields"])
