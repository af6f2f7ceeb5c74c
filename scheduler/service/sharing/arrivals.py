"""New jobs on their way to the dispatcher, whichever service stored them.

The live jobs take jobs in the order of their ids. Ids have no gaps, so a gap shows that another
service has stored jobs: they are read from the store and handed over first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from scheduler.domain.errors import FulcrumError
from scheduler.domain.jobs import Job
from scheduler.service.dispatch.messages import Admitted
from scheduler.store.base import JobQuery, Store

PAGE = 500
_log = logging.getLogger(__name__)


class JobArrivals:
    """Hands jobs to `post` without gaps. Thread-safe."""

    def __init__(self, store: Store, post: Callable[[Admitted], None]) -> None:
        self._store = store
        self._post = post
        self._lock = threading.Lock()
        self._newest = 0
        """All jobs up to it are known to the dispatcher."""

    def start(self) -> None:
        """Begin with the newest job; called before the dispatcher's jobs are read."""
        newest = self._store.jobs(JobQuery(), limit=1)
        self._newest = newest[0].id if newest else 0

    def stored(self, jobs: Sequence[Job]) -> None:
        """Hand over jobs that this service has stored, some of them perhaps long ago."""
        with self._lock:
            highest = max((job.id for job in jobs), default=0)
            fresh = sum(job.id > self._newest for job in jobs)
            if highest - self._newest > fresh:
                try:
                    self._read(highest)
                except FulcrumError as error:
                    # They would leave a gap; `look` finds them all later.
                    _log.warning("new jobs are not known yet: %s", error)
                    return
            self._newest = max(self._newest, highest)
            self._post(Admitted(jobs))

    def look(self) -> None:
        """Hand over what others have stored since the last look. Raises `OutageError`."""
        with self._lock:
            self._read(None)

    def require(self, job_id: int) -> None:
        """Make sure that the dispatcher knows the job if it is stored. Raises `OutageError`."""
        if job_id > self._newest:
            self.look()

    def _read(self, highest: int | None) -> None:
        """Hand over the unknown jobs up to `highest`, oldest first."""
        found: list[Job] = []
        before = None if highest is None else highest + 1
        while page := self._store.jobs(JobQuery(), before=before, limit=PAGE):
            found += [job for job in page if job.id > self._newest]
            before = page[-1].id
            if before <= self._newest + 1:
                break
        if found:
            self._newest = found[0].id
            self._post(Admitted(found[::-1]))
