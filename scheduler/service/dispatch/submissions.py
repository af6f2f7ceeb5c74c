"""Submissions that arrive together share a commit.

A durable commit costs a disk flush whatever its size, so whoever arrives while one is under way
joins the next: group commit (DeWitt et al. 1984).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from scheduler.domain.errors import FulcrumError, OutageError
from scheduler.domain.jobs import Job
from scheduler.store.base import Store, Submission

MOST = 512
"""Submissions in one commit."""

_Entry = tuple[Submission, "Future[list[Job]]"]


class Submissions:
    """A thread that stores what many callers submit."""

    def __init__(self, store: Store, stored: Callable[[Sequence[Job]], None]) -> None:
        self._store = store
        self._stored = stored
        self._inbox: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="submissions", daemon=True)
        self._gate = threading.Lock()
        self._open = False
        self.commits = 0
        """Transactions made."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to accept."""
        self._open = True
        self._thread.start()

    def stop(self) -> None:
        """Store what has been accepted, then end."""
        with self._gate:
            was_open, self._open = self._open, False
        if was_open:
            self._inbox.put(None)
            self._thread.join()

    def submit(self, submission: Submission) -> list[Job]:
        """Blocks until the jobs are durable. Raises what the store answers."""
        answer: Future[list[Job]] = Future()
        with self._gate:
            if not self._open:
                raise OutageError("the service is stopping; submit again later")
            self._inbox.put((submission, answer))
        return answer.result()

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
            else:
                answer.set_result(jobs)
