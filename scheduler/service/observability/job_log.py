"""The history of jobs as lines of the service's log."""

from __future__ import annotations

import logging

from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.logs import moment

_log = logging.getLogger(__name__)


def enabled() -> bool:
    """Whether anybody would see these lines: they are of level info."""
    return _log.isEnabledFor(logging.INFO)


class JobEventLog:
    """One line for each event of a job, with its job, attempt, node and project."""

    def told(self, event: Event, job: Job, attempt: Attempt | None) -> None:
        """Log the event."""
        name = f" ({job.spec.name})" if job.spec.name else ""
        reason = f": {event.reason}" if event.reason else ""
        fields = {
            "job": job.id,
            "project": job.spec.project,
            "user": job.spec.user,
            "event": event.name.value,
            "state": event.after.value,
            "actor": event.actor,
            "happened_at": moment(event.time),
        }
        if attempt is not None:
            fields |= {"attempt": attempt.number, "node": ",".join(attempt.nodes)}
            fields |= {"pool": attempt.pool}
        _log.info("job %d%s %s%s", job.id, name, event.name.value, reason, extra=fields)

    def close(self) -> None:
        """Nothing is kept."""
