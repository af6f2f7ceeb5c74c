"""Events on their way to the service."""

from __future__ import annotations

import logging
import threading
from collections import deque

from scheduler.executors.base import AttemptEvent, Sink

_log = logging.getLogger(__name__)


class Outbox:
    """Keeps events until the sink has taken them; any thread may put some in."""

    def __init__(self) -> None:
        self._events: deque[AttemptEvent] = deque()
        self._lock = threading.Lock()

    def put(self, event: AttemptEvent) -> None:
        """To be delivered after those of the same attempt."""
        with self._lock:
            self._events.append(event)

    def deliver(self, sink: Sink) -> None:
        """Hand events over; those the sink fails on are kept, and others overtake them."""
        kept: list[AttemptEvent] = []
        while True:
            with self._lock:
                if not self._events:
                    self._events.extend(kept)
                    return
                event = self._events.popleft()
            if any(event.attempt == other.attempt for other in kept):
                kept.append(event)
                continue
            try:
                sink(event)
            except Exception:
                _log.exception("%s of attempt %s is kept", type(event).__name__, event.attempt)
                kept.append(event)
