"""New events of all jobs, for those who tell them elsewhere: a log, a trace.

It reads the store in a thread of its own, so no decision waits for it. Without a listener it does
nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

from scheduler.domain.errors import FulcrumError
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.store.base import Store

PAGE = 1000
"""Events read at once."""
PAUSE_S = 1.0
"""Between two looks."""
_log = logging.getLogger(__name__)


class EventListener(Protocol):
    """Is told of each event once, in order."""

    def told(self, event: Event, job: Job, attempt: Attempt | None) -> None:
        """An event, its job as it is now, and the attempt that it names."""

    def close(self) -> None:
        """Send what is left; nothing follows."""


class EventFeed:
    """Tells listeners the events from its start on."""

    def __init__(self, store: Store, listeners: Sequence[EventListener]) -> None:
        self._store, self._listeners = store, listeners
        self._seen = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event-feed", daemon=True)

    def start(self) -> None:
        """Begin with the next event; earlier ones are not told."""
        if self._listeners:
            self._seen = self._store.last_event()
            self._thread.start()

    def stop(self) -> None:
        """Tell what has happened until now, then end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
            for listener in self._listeners:
                listener.close()

    def _run(self) -> None:
        while True:
            last = self._stopping.wait(PAUSE_S)
            try:
                self.tell()
            except FulcrumError as error:
                _log.warning("new events cannot be told yet: %s", error)
            except Exception:
                _log.exception("telling new events failed; it is tried again")
            if last:
                return

    def tell(self) -> None:
        """Tell what is new; returns when nothing is left."""
        while page := self._store.events(after=self._seen, limit=PAGE):
            jobs: dict[int, Job] = {}
            attempts: dict[int, Sequence[Attempt]] = {}
            for event in page:
                number = event.job
                if number not in jobs:
                    jobs[number] = self._store.job(number)
                if event.attempt is not None and number not in attempts:
                    attempts[number] = self._store.attempts(number)
                found = (one for one in attempts.get(number, ()) if one.number == event.attempt)
                for listener in self._listeners:
                    listener.told(event, jobs[number], next(found, None))
                self._seen = event.seq
