"""The jobs that are not final, read again and again by the dispatcher."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import FINAL, JobState
from scheduler.store.sql import rows
from scheduler.store.sql.statements import chunks
from scheduler.store.sql.tables import jobs

LIVE = [state for state in JobState if state not in FINAL]


class UnfinishedJobs:
    """Reads them, and builds only those again that changed since the last time.

    A job never changes without its version, so id and version identify its value. Only the jobs
    of the last answer are kept.
    """

    def __init__(self) -> None:
        self._last: Mapping[int, Job] = {}

    def read(self, connection: Connection) -> list[Job]:
        """Oldest first, as they are in the connection's transaction."""
        statement = select(jobs.c.id, jobs.c.version).where(jobs.c.state.in_(LIVE))
        versions = {row.id: row.version for row in connection.execute(statement)}
        last = self._last
        now = {
            job_id: last[job_id]
            for job_id, version in versions.items()
            if job_id in last and last[job_id].version == version
        }
        for part in chunks([job_id for job_id in versions if job_id not in now]):
            changed = connection.execute(select(jobs).where(jobs.c.id.in_(part)))
            now.update((row.id, rows.job(row)) for row in changed)
        self._last = now
        return [now[job_id] for job_id in sorted(now)]
