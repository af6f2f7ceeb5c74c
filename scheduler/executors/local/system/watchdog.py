"""Notices what hangs: a process that is stopped or deadlocked does nothing that it is asked."""

from __future__ import annotations

import logging
import signal
import time

from scheduler.executors.local.system.process import ProcessIdentity
from scheduler.executors.silence import SilenceLimit
from scheduler.logs import of_attempt

PING = signal.SIGURG
"""Supervisors block and take it. Processes that do not know it ignore it."""
_log = logging.getLogger(__name__)


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
            _log.error(
                "the supervisor of attempt %s hangs and is continued",
                self._attempt,
                extra=of_attempt(self._attempt),
            )
            self._supervisor.send(signal.SIGCONT)
        else:
            _log.error(
                "the supervisor of attempt %s hangs and is killed",
                self._attempt,
                extra=of_attempt(self._attempt),
            )
            self._supervisor.send(signal.SIGKILL)
