"""What users, projects, days and pools have cost, summed by the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from scheduler.domain.records import Cost, CostGroup
from scheduler.store.sql.tables import attempts, jobs

DAY = 86_400.0
"""Seconds; Unix time knows no leap seconds, so UTC days divide it evenly."""


def costs(
    connection: Connection,
    by: CostGroup,
    since: float | None,
    until: float | None,
) -> list[Cost]:
    """See `Store.costs`."""
    end = attempts.c.finished_at
    group: ColumnElement[Any] = {
        "user": jobs.c.user_name,
        "project": jobs.c.project,
        "day": func.floor(end / DAY),
        "pool": attempts.c.pool,
    }[by]
    run = func.coalesce(end - attempts.c.started_at, 0.0)
    sums = (
        select(
            group.label("cost_group"),
            func.count(attempts.c.job.distinct()).label("jobs"),
            func.count().label("attempts"),
            func.sum(case((run > 0.0, run), else_=0.0) * attempts.c.width).label("device_seconds"),
            func.coalesce(func.sum(attempts.c.dollars), 0.0).label("dollars"),
            func.coalesce(func.sum(attempts.c.joules), 0.0).label("joules"),
            func.sum(attempts.c.lost_s * attempts.c.width).label("lost"),
        )
        .join_from(attempts, jobs)
        .where(end.is_not(None))
        .group_by("cost_group")
    )
    if since is not None:
        sums = sums.where(end >= since)
    if until is not None:
        sums = sums.where(end < until)
    found = [
        Cost(
            group=_day(row.cost_group) if by == "day" else row.cost_group,
            jobs=row.jobs,
            attempts=row.attempts,
            device_seconds=row.device_seconds,
            dollars=row.dollars,
            joules=row.joules,
            lost_device_seconds=row.lost,
        )
        for row in connection.execute(sums)
    ]
    found.sort(key=lambda cost: cost.group)
    return found if by == "day" else sorted(found, key=lambda cost: -cost.dollars)


def _day(number: float) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).date().isoformat()
