"""A follower's line to the leader, through the store they share."""

from __future__ import annotations

import threading

from scheduler.service.dispatch.messages import Request, refuse
from scheduler.service.sharing import conversion
from scheduler.store.sharing import Listening, SharedStore


class Relay:
    """Passes requests on and sets their answers; tells when the leader has written. Thread-safe."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._open: dict[int, Request] = {}
        self._asking = threading.Lock()
        self._listening: Listening | None = None
        self._written = threading.Condition()
        self.writes = 0
        """How often the leader may have written something."""

    def start(self) -> None:
        """Begin to listen."""
        self._listening = self._store.listen(self._look)

    def stop(self) -> None:
        """End; requests without an answer are refused, though they may take effect later."""
        if self._listening is not None:
            self._listening.close()
        with self._asking:
            waiting, self._open = list(self._open.values()), {}
        refuse(waiting)

    def post(self, *requests: Request) -> None:
        """Pass requests on; their answers are set later. Raises `OutageError`."""
        # Under the lock an answer cannot be looked for before its request is known here.
        with self._asking:
            ids = self._store.ask([conversion.stored(one) for one in requests])
            self._open.update(zip(ids, requests, strict=True))

    def wait_written(self, seen: int, timeout_s: float) -> None:
        """Return when `writes` is no longer `seen`, or after `timeout_s` seconds."""
        with self._written:
            self._written.wait_for(lambda: self.writes != seen, timeout_s)

    def _look(self) -> None:
        with self._asking:
            found = self._store.answered(self._open) if self._open else {}
            answered = [(self._open.pop(number), error) for number, error in found.items()]
        for request, error in answered:
            if error is None:
                request.answer.set_result(None)
            else:
                request.answer.set_exception(error)
        with self._written:
            self.writes += 1
            self._written.notify_all()
