"""Submissions that arrive together share a commit.

A durable commit costs a disk flush whatever its size. Submissions that arrive during a commit go
into the next one: group commit (DeWitt et al. 1984).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from scheduler.domain.errors import FulcrumError, OutageError
from scheduler.domain.jobs import Job
from scheduler.store.base import JobQuery, Store, Submission

MOST = 512
"""Submissions in one commit."""

_Answer = Future[tuple[list[Job], bool]]
_Entry = tuple[Submission, _Answer]


class Submissions:
    """A thread that stores what many callers submit."""

    def __init__(
        self, store: Store, stored: Callable[[Sequence[Job]], None], *, alone: bool = True
    ) -> None:
        """`stored` is called with the jobs of each commit; `alone`: nobody else stores jobs."""
        self._store = store
        self._stored = stored
        self._alone = alone
        self._inbox: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="submissions", daemon=True)
        self._gate = threading.Lock()
        self._open = False
        self._newest = 0
        self.waiting = 0
        """Submissions that are accepted and not yet answered."""
        self.commits = 0
        """Transactions made."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to accept."""
        self._newest = self._highest()
        self._open = True
        self._thread.start()

    def stop(self) -> None:
        """Store what has been accepted, then end."""
        with self._gate:
            was_open, self._open = self._open, False
        if was_open:
            self._inbox.put(None)
            self._thread.join()

    def submit(self, submission: Submission) -> tuple[list[Job], bool]:
        """Block until the jobs are durable; they, and whether an earlier submission made them.

        Raises what the store answers, and `OutageError` when the service is stopping.
        """
        answer: _Answer = Future()
        with self._gate:
            if not self._open:
                raise OutageError("the service is stopping; submit again later")
            self.waiting += 1
            self._inbox.put((submission, answer))
        try:
            return answer.result()
        finally:
            with self._gate:
                self.waiting -= 1

    def _highest(self) -> int:
        jobs = self._store.jobs(JobQuery(), limit=1)
        return jobs[0].id if jobs else 0

    def _run(self) -> None:
        while (entry := self._inbox.get()) is not None:
            batch = [entry]
            last = False
            while len(batch) < MOST and not self._inbox.empty():
                more = self._inbox.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: Sequence[_Entry]) -> None:
        try:
            if not self._alone:
                self._newest = self._highest()
            answers = self._store.submit([submission for submission, _ in batch])
        except Exception as error:
            for _, answer in batch:
                answer.set_exception(error)
            return
        self.commits += 1
        self._stored([job for jobs in answers if isinstance(jobs, list) for job in jobs])
        for (_, answer), jobs in zip(batch, answers, strict=True):
            if isinstance(jobs, FulcrumError):
                answer.set_exception(jobs)
                continue
            # Numbers rise, so new jobs have greater ones than all that were known before.
            last = max((job.id for job in jobs), default=0)
            replayed, self._newest = last <= self._newest, max(self._newest, last)
            answer.set_result((jobs, replayed))
