"""A call whose answer nobody waits for longer than agreed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

Answer = TypeVar("Answer")

_Call = Callable[[], None]


class LateError(Exception):
    """There is no answer in time."""


class TimedCall:
    """Carries calls out in a thread of its own, one at a time.

    Python cannot break off a call, so a late one runs on; until it has ended, further calls are
    late at once. For one caller at a time.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._inbox: SimpleQueue[_Call | None] | None = None
        self._done = threading.Semaphore(0)
        self._overdue = False

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` returns or raises; `LateError` if that takes too long."""
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
            except BaseException as error:  # `sys.exit` ends neither this thread nor its caller
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
            # The thread holds the inbox alone, so that it ends with whoever made the calls.
            weakref.finalize(self, self._inbox.put, None)
            threading.Thread(target=_serve, args=(self._inbox,), name="policy", daemon=True).start()
        return self._inbox


def _serve(inbox: SimpleQueue[_Call | None]) -> None:
    while (call := inbox.get()) is not None:
        call()
        del call
