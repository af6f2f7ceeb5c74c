"""Calls with a time limit."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

Answer = TypeVar("Answer")

_Call = Callable[[], None]


class LateError(Exception):
    """The call has not answered in time."""


class TimedCall:
    """Makes calls in a separate thread, one at a time.

    Python cannot stop a call, so a late one runs on. Until it has ended, further calls are late at
    once. Only one caller at a time may use it.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._inbox: SimpleQueue[_Call | None] | None = None
        self._done = threading.Semaphore(0)
        self._overdue = False

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """Return or raise what `ask` does; raise `LateError` if that takes too long."""
        if self._overdue and not self._done.acquire(blocking=False):
            raise LateError
        self._overdue = False
        answers: list[Answer] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                answers.append(ask())
            except Exception as error:
                errors.append(error)
            except BaseException as error:  # `sys.exit` must end neither this thread nor its caller
                errors.append(RuntimeError(repr(error)))
            finally:
                self._done.release()

        self._started().put(run)
        if not self._done.acquire(timeout=self._limit_s):
            self._overdue = True
            raise LateError
        if errors:
            raise errors[0]
        return answers[0]

    def _started(self) -> SimpleQueue[_Call | None]:
        if self._inbox is None:
            self._inbox = SimpleQueue()
            # The thread refers to the inbox alone, so it ends once this object is gone.
            weakref.finalize(self, self._inbox.put, None)
            threading.Thread(target=_serve, args=(self._inbox,), name="policy", daemon=True).start()
        return self._inbox


def _serve(inbox: SimpleQueue[_Call | None]) -> None:
    while (call := inbox.get()) is not None:
        call()
        del call
