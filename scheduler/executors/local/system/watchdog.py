"""Notices what hangs: a process that is stopped or deadlocked does nothing that it is asked.

Time is counted in short steps of the monotonic clock. While this process or the whole machine
stands still, nothing else can answer, so that time does not count.
"""

from __future__ import annotations

import logging
import signal
import time

from scheduler.executors.local.system.process import ProcessIdentity

PING = signal.SIGURG
"""Supervisors block and take it. Processes that do not know it ignore it."""
_STEP_S = 2.0
_log = logging.getLogger(__name__)


class SilenceLimit:
    """Time spent waiting for one answer; `exhausted` must be called at least every two seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._waited_s = 0.0
        self._looked_at = time.monotonic()

    def renew(self) -> None:
        """The answer came: begin again."""
        self._waited_s = 0.0
        self._looked_at = time.monotonic()

    def exhausted(self) -> bool:
        """Whether the wait has lasted too long."""
        now = time.monotonic()
        self._waited_s += min(now - self._looked_at, _STEP_S)
        self._looked_at = now
        return self._waited_s >= self.limit_s


class Watchdog:
    """Sends a signal to one supervisor now and then, and sees whether it is taken.

    A signal that stays pending shows that the process hangs. That needs no answer, so a full
    mailbox or disk cannot hide or fake it.
    """

    def __init__(self, supervisor: ProcessIdentity, attempt: str, patience_s: float) -> None:
        self._supervisor = supervisor
        self._attempt = attempt
        self._patience = SilenceLimit(patience_s)
        self._ping_at = 0.0
        self._woken = False

    def look(self) -> str:
        """What is wrong with the supervisor, in words; empty if it takes its signals.

        A stopped one is continued, and killed if that does not help.
        """
        now = time.monotonic()
        if not self._supervisor.pending(PING):
            self._patience.renew()
            self._woken = False
            if now >= self._ping_at:
                self._ping_at = now + self._patience.limit_s / 3
                self._supervisor.send(PING)
            return ""
        if self._patience.exhausted():
            self._act()
        return "its supervisor does not answer" if now >= self._ping_at else ""

    def _act(self) -> None:
        self._patience.renew()
        if not self._woken:
            self._woken = True
            _log.error("the supervisor of attempt %s hangs and is continued", self._attempt)
            self._supervisor.send(signal.SIGCONT)
        else:
            _log.error("the supervisor of attempt %s hangs and is killed", self._attempt)
            self._supervisor.send(signal.SIGKILL)
