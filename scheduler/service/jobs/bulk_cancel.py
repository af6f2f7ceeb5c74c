"""Cancellation of many jobs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from scheduler.domain.errors import FulcrumError, OutageError
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState
from scheduler.service.dispatch.messages import Cancel
from scheduler.store.base import JobQuery, Store

TOGETHER = 2000
"""Jobs in one batch, mostly one transaction; between batches the dispatcher does other work."""
ANSWER_S = 60.0
"""Seconds that a caller waits for one batch."""


@dataclass(frozen=True, slots=True)
class BulkCancel:
    """Finds live jobs and cancels them."""

    store: Store
    post: Callable[..., None]
    """Takes requests; see `Service.post`."""

    def live(self, query: JobQuery, ids: Collection[int] = ()) -> list[Job]:
        """Jobs that match and have not ended (of `ids`, if any), in the order to cancel them.

        Waiting jobs come first, so that none of them starts on a device that is freed.
        """
        found = [
            job for job in self.store.live()[0] if query.matches(job) and (not ids or job.id in ids)
        ]
        return sorted(found, key=lambda job: (job.state is not JobState.QUEUED, -job.id))

    def cancel(self, jobs: Sequence[Job], *, actor: str, reason: str = "") -> list[int]:
        """Cancel the jobs; returns the numbers of those that had not ended before.

        Raises `OutageError` if a cancellation is not confirmed; it may take effect later.
        """
        done: list[int] = []
        for first in range(0, len(jobs), TOGETHER):
            requests = [Cancel(job.id, actor, reason) for job in jobs[first : first + TOGETHER]]
            self.post(*requests)
            end = time.monotonic() + ANSWER_S
            done += [one.job for one in requests if _confirmed(one, end)]
        return done


def _confirmed(request: Cancel, end: float) -> bool:
    try:
        request.answer.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        raise OutageError("not every cancellation is confirmed yet; list the jobs") from None
    except OutageError:
        raise
    except FulcrumError:  # it has ended meanwhile
        return False
    return True
