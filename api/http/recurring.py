"""Series of trainings: when a job of a series has ended, the next one is submitted for its time.

All that is known of a series is its jobs: one whose command has `--every` belongs to the series of
that command. So a series survives a restart, and cancelling its waiting job ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from api.policy_jobs import NAME_PREFIX, PolicyJob
from scheduler.clock import Clock
from scheduler.domain.errors import FulcrumError
from scheduler.domain.jobs import Job, JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.service.holder import ServiceHolder
from scheduler.store.base import JobQuery

LOOK_S = 15.0
"""Seconds between two looks."""
_PAGE = 500
_KEY = "next-after-{}"
"""Idempotency key of the job that follows, so that it is submitted only once."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recurrence:
    """Submits the next job of each series that has no live one."""

    services: ServiceHolder
    clock: Clock
    _newest: int = field(default=0, init=False)
    """The newest job that has been seen."""
    _series: dict[tuple[str, ...], list[int]] = field(default_factory=dict, init=False)
    """Command → its jobs that were live at the last look, or the newest one."""

    def look(self) -> None:
        """Submit what is due to be submitted. After an error the next look does it.

        A service that follows leaves it to its leader.
        """
        if not self.services.leads:
            return
        found = list(self._submitted())
        for job in reversed(found):
            self._series.setdefault(_command(job), []).append(job.id)
            self._newest = max(self._newest, job.id)
        for command, numbers in list(self._series.items()):
            jobs = [self.services.current.store.job(number) for number in numbers]
            live = [job.id for job in jobs if not job.state.final]
            self._series[command] = live or [jobs[-1].id]
            if live:
                continue
            if jobs[-1].state is JobState.CANCELLED:
                _log.info(
                    "job %d was cancelled: its series ends", jobs[-1].id, extra=_fields(jobs[-1])
                )
                del self._series[command]
                continue
            try:
                self._continue(jobs[-1])
            except FulcrumError as error:
                _log.warning(
                    "no job can follow job %d yet: %s", jobs[-1].id, error, extra=_fields(jobs[-1])
                )

    def _continue(self, job: Job) -> None:
        work = PolicyJob.of(_command(job))
        assert work is not None
        assert work.every_s is not None
        begun = job.eligible_at if job.eligible_at > job.submitted_at else job.submitted_at
        due = max(begun + work.every_s, self.clock.now())
        deadline = job.spec.deadline
        spec = replace(
            job.spec, after=(), deadline=None if deadline is None else deadline + due - begun
        )
        (following,), _ = self.services.current.jobs.submit(
            [spec], actor=job.spec.user, key=_KEY.format(job.id), eligible_at=due
        )
        _log.info(
            "job %d follows job %d, which is %s",
            following.id,
            job.id,
            job.state,
            extra=_fields(following),
        )
        # The next look finds it.

    def _submitted(self) -> Iterator[Job]:
        """Jobs of series that have not been seen, newest first."""
        query, before = JobQuery(kinds=[JobKind.COMMAND], name=NAME_PREFIX), None
        while page := self.services.current.store.jobs(query, before=before, limit=_PAGE):
            for job in page:
                if job.id <= self._newest:
                    return
                work = PolicyJob.of(_command(job))
                if work is not None and work.every_s is not None:
                    yield job
            before = page[-1].id


def _command(job: Job) -> tuple[str, ...]:
    return tuple(job.spec.work.get("argv", ()))


def _fields(job: Job) -> dict[str, int | str]:
    return {"job": job.id, "project": job.spec.project}
