"""Periodic tasks of the service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LEAVE_S = 5.0
"""Seconds that `stop` waits for the present task."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PeriodicTask:
    """A task that is done every `every_s` seconds."""

    name: str
    every_s: float
    run: Callable[[], None]
    due: float = field(default=0.0, init=False)
    """Monotonic seconds."""


class Housekeeping:
    """A thread that does the tasks; one that fails is done again when it is due."""

    def __init__(self, tasks: Sequence[PeriodicTask], name: str = "housekeeping") -> None:
        self._tasks = tasks
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; every task is due at once. Without tasks there is nothing to begin."""
        if self._tasks:
            self._thread.start()

    def stop(self) -> None:
        """End after the present task; a task that takes long is left behind."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(LEAVE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for task in self._tasks:
                if time.monotonic() < task.due or self._stopping.is_set():
                    continue
                try:
                    task.run()
                except Exception:
                    _log.exception("%s failed; it is done again in %g s", task.name, task.every_s)
                task.due = time.monotonic() + task.every_s
            next_due = min(task.due for task in self._tasks)
            self._stopping.wait(max(0.0, next_due - time.monotonic()))
