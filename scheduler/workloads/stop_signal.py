"""The signal that asks an attempt to stop: at once, or as soon as its work is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """SIGTERM or SIGINT arrived."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.code = 128 + signum
        """The exit code that says so."""


@contextmanager
def held() -> Iterator[None]:
    """The signals wait until this ends; in a child that is forked inside, until it listens."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class StopSignal:
    """Turns SIGTERM and SIGINT into `Stopped`, once; a second one must not break the clean-up.

    While `postponed` is set the signal is only noted, and the work calls `check` as soon as a
    checkpoint is written.
    """

    def __init__(self) -> None:
        self.postponed = False
        self._received: int | None = None

    @property
    def received(self) -> bool:
        """Whether the work should stop."""
        return self._received is not None

    def check(self) -> None:
        """Raise `Stopped` if a signal has arrived."""
        if self._received is not None:
            raise Stopped(self._received)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self._handle) for name in SIGNALS}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # a fork may have begun with them held
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def adopt(self, signum: int) -> None:
        """Another process of the attempt has got the signal, and all of them stop."""
        if self._received is None:
            self._received = signum

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        self._received = signum
        if not self.postponed:
            self.check()
