"""Learns runtimes from the jobs that have ended, beside the service's decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.compilation.interim import INTERIM
from scheduler.domain.errors import MissingError
from scheduler.domain.jobs import Job, JobKind
from scheduler.domain.records import Measurement
from scheduler.estimates.estimator import Estimator
from scheduler.store.base import JobQuery, Store

LEARN_S = 10.0
"""Seconds between two looks."""
NEWEST = 20_000
"""Commands that are looked at after a start."""
_FIRST_PAGE, _PAGE = 16, 500


@dataclass(slots=True)
class EstimateLearning:
    """Tells the estimator's model of submissions and ends, in their order in time.

    The dispatcher only notes what was measured; reading the store and learning is done here.
    """

    store: Store
    estimator: Estimator
    _newest: int = field(default=0, init=False)
    """The newest command that the model knows."""

    def learn(self) -> None:
        """Learn what is new. After an error everything is tried again in the next call."""
        if INTERIM.lasts:
            return  # plain Python is slow, and would keep it from deciding
        measured = self.estimator.unlearned()
        submitted = list(self._submitted())
        jobs = {job.id: job for job in submitted}
        # At the same instant an end comes first, as it does for decisions.
        events: list[tuple[float, int, Measurement | Job]] = [
            (measurement.time, 0, measurement) for measurement in measured
        ]
        events += [(job.submitted_at, 1, job) for job in submitted]
        for measurement in measured:
            if measurement.job not in jobs and _of_command(measurement):
                jobs.update(self._job(measurement.job))
        for _, _, event in sorted(events, key=lambda event: event[:2]):
            if isinstance(event, Job):
                self.estimator.learned.submitted(event.id, event.spec)
                continue
            ended = jobs.get(event.job)
            self.estimator.learned.ended(event, None if ended is None else ended.spec)
        self._newest = max([self._newest, *(job.id for job in submitted)])
        if measured:
            self.estimator.relearned(len(measured))

    def _submitted(self) -> Iterator[Job]:
        """New commands, newest first."""
        query, before = JobQuery(kinds=(JobKind.COMMAND,)), None
        left, limit = NEWEST, _FIRST_PAGE
        while left > 0:
            page = self.store.jobs(query, before=before, limit=limit)
            for job in page:
                if job.id <= self._newest:
                    return
                yield job
            if len(page) < limit:
                return
            before, left, limit = page[-1].id, left - limit, _PAGE

    def _job(self, number: int) -> dict[int, Job]:
        try:
            return {number: self.store.job(number)}
        except MissingError:
            return {}  # a measurement may outlive its job


def _of_command(measurement: Measurement) -> bool:
    return measurement.key.startswith(f"{JobKind.COMMAND}:")
