"""Events on their way to the service."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from typing import TypeVar

from scheduler.executors.base import ExecutorEvent, NodesChanged, Sink

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def drained(inbox: queue.SimpleQueue[_T], wait_s: float) -> list[_T]:
    """All that is in the inbox, as soon as there is something; empty after `wait_s` seconds."""
    found: list[_T] = []
    try:
        found.append(inbox.get(timeout=wait_s))
        while True:
            found.append(inbox.get_nowait())
    except queue.Empty:
        return found


class Outbox:
    """Keeps events until the sink has taken them; any thread may put some in."""

    def __init__(self) -> None:
        self._events: deque[ExecutorEvent] = deque()
        self._lock = threading.Lock()

    def put(self, event: ExecutorEvent) -> None:
        """To be delivered after those of the same attempt."""
        with self._lock:
            self._events.append(event)

    def deliver(self, sink: Sink) -> None:
        """Hand events over; those the sink fails on are kept, and others overtake them."""
        kept: list[ExecutorEvent] = []
        while True:
            with self._lock:
                if not self._events:
                    self._events.extend(kept)
                    return
                event = self._events.popleft()
            if any(_subject(event) == _subject(other) for other in kept):
                kept.append(event)
                continue
            try:
                sink(event)
            except Exception:
                _log.exception("%s of %s is kept", type(event).__name__, _subject(event))
                kept.append(event)


def _subject(event: ExecutorEvent) -> str:
    return "nodes" if isinstance(event, NodesChanged) else f"attempt {event.attempt}"
