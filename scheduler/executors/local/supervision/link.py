"""The service's end of a fork server: starts it, connects to it, replaces it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scheduler.executors.local.supervision.setup import Setup
from scheduler.executors.local.system import process, sockets
from scheduler.executors.silence import SilenceLimit

FAILURES = 3
"""Fork servers in a row that end before their hello until launches are given up."""
_RETRY_S = 0.05
_RETRY_MAX_S = 30.0
_TAKEN_S = 0.5
"""Pause after a fork server that found another one in its place."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from scheduler.executors.local.supervision.server import main; main()"
)
_log = logging.getLogger(__name__)


class Link:
    """A connection that restores itself whenever `step` is called.

    `step` and `receive` belong to one thread; `send` may be called by any. A fork server that
    answers nothing for `patience_s` seconds is killed, and another one takes its place. It is
    started with the variables `environment`, which jobs get; `serves` says in a sentence of what
    kind they are.
    """

    def __init__(
        self,
        setup: Setup,
        environment: Mapping[str, str],
        *,
        patience_s: float = 30.0,
        serves: str = "job",
    ) -> None:
        self.ready = threading.Event()
        """Set while a warm fork server of this code is connected."""
        self.problem = ""
        """Why there is none, if its start has failed."""
        self.failures = 0
        """Starts in a row that came to nothing."""
        self._setup = setup
        self._serves = serves
        self._environment = environment
        # Resolved now: the folder that the service was started in may be removed later.
        self._path = _search_path()
        self._patience = SilenceLimit(patience_s)
        self._turned_away = SilenceLimit(patience_s)
        self._taken = False
        self._ended = False
        """Whether the one started last was ended from here, which is no failure of its own."""
        self._worked = 0
        self._asked = False
        self._ask_at = 0.0
        self._silent = False
        self._server: process.ProcessIdentity | None = None
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._spawned: int | None = None
        self._greeted = False
        self._next_try = 0.0

    @property
    def connection(self) -> socket.socket | None:
        """To be watched for messages; None while there is none."""
        return self._connection

    @property
    def child(self) -> int | None:
        """Pid of the fork server if this process has started it and not yet collected its end."""
        return self._spawned

    def step(self) -> float | None:
        """Do what is due to be connected; seconds until it wants to be called again."""
        self._bury()
        if self._connection is not None:
            self._watch()
            return None
        wait = self._next_try - time.monotonic()
        if wait > 0:
            return wait
        try:
            self._connection = sockets.connect(self._setup.socket)
        except OSError:
            self._start()
            self._next_try = time.monotonic() + _RETRY_S
            return _RETRY_S
        self._server = process.ProcessIdentity.of(sockets.peer(self._connection))
        self._patience.renew()
        self._turned_away.renew()
        return None

    def health(self) -> tuple[str, ...]:
        """What is wrong, in words; empty while launches start or the server warms up in time."""
        if self.problem:
            return (f"the fork server does not start, so no {self._serves} does: {self.problem}",)
        if self._silent:
            does_not = f"the fork server does not answer, so no {self._serves} starts"
            return (f"{does_not}; it will be replaced",)
        return ()

    def receive(self) -> list[dict[str, Any]]:
        """Messages that came, hellos apart; a lost connection is noted and restored by `step`."""
        messages = []
        while self._connection is not None:
            try:
                message = sockets.receive(self._connection)
            except BlockingIOError:
                break
            self._asked = self._silent = False
            if message is None:
                self._disconnect()
            elif "hello" in message:
                self._greet(message["hello"])
            elif "pong" not in message:
                messages.append(message)
        return messages

    def send(self, message: Mapping[str, Any]) -> bool:
        """Whether the message went to a warm fork server."""
        with self._lock:
            if self._connection is None or not self.ready.is_set():
                return False
            try:
                self._connection.send(sockets.encode(message))
            except OSError:
                return False
            return True

    def close(self) -> None:
        """Leave the fork server to itself."""
        self._disconnect()
        self._bury()

    def _watch(self) -> None:
        """Ask a warm fork server now and then; replace one that does not answer."""
        now = time.monotonic()
        if not self.ready.is_set():
            if self._idle(0 if self._server is None else self._server.pid):
                self._replace()
            return
        if not self._asked and now < self._ask_at:
            return
        if not self._asked:
            self._asked = True
            self._patience.renew()
            self._ask_at = now + self._patience.limit_s / 3
            self.send({"ping": True})  # if it does not fit, no answer comes either
        elif self._patience.exhausted():
            self._replace()
        else:
            self._silent = now >= self._ask_at

    def _replace(self) -> None:
        _log.error("the fork server hangs and is replaced; its attempts go on")
        self._ended = True
        if self._server is not None:
            self._server.send(signal.SIGKILL)
        self._disconnect()

    def _start(self) -> None:
        """Start a fork server unless one is about to come; end what hangs in its way."""
        stuck = self._turned_away.exhausted()
        if self._spawned is not None:
            if self._idle(self._spawned):
                _log.error("the fork server hangs while it starts and is replaced")
                self._ended = True
                process.kill([self._spawned])
            return
        if stuck and self._taken:
            self._turned_away.renew()
            holders = process.holders(self._setup.lock)
            _log.error("processes %s hang in the fork server's place and are killed", holders)
            process.kill(holders)
        self._spawn()

    def _idle(self, pid: int) -> bool:
        """Whether a server that should be importing has done nothing for too long.

        The imports may take minutes on a busy machine, so their duration says nothing. It does
        something if it has used processor time, or waits for a processor or a disk.
        """
        stat, worked = process.Stat.of(pid), process.processor_ticks(pid)
        if worked == self._worked and (stat is None or stat.state not in "RD"):
            return self._patience.exhausted()
        self._worked = worked
        self._patience.renew()
        return False

    def _greet(self, digest: str) -> None:
        if digest == self._setup.digest:
            self.failures = 0
            self.problem = ""
            self._greeted = True
            self.ready.set()
            return
        _log.info("the fork server runs other code and is replaced; its attempts go on")
        if self._connection is not None:
            with contextlib.suppress(OSError):  # it may be leaving already
                self._connection.send(sockets.encode({"retire": True}))
        self._disconnect()

    def _disconnect(self) -> None:
        self._asked = self._silent = False
        self._patience.renew()
        self._turned_away.renew()
        with self._lock:
            self.ready.clear()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _spawn(self) -> None:
        log = str(self._setup.log)
        self._greeted = self._ended = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._spawned = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-c", _BOOT, json.dumps(self._path), self._setup.encode()],
            self._environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _bury(self) -> None:
        """Collect a fork server that has ended; note it if it never was ready."""
        if self._spawned is None:
            return
        pid, status = os.waitpid(self._spawned, os.WNOHANG)
        if not pid:
            return
        self._spawned = None
        if self._greeted or self._ended or not status:
            self._taken = not (self._greeted or self._ended)
            self._next_try = time.monotonic() + (_TAKEN_S if self._taken else 0.0)
            return
        self.failures += 1
        self.problem = self._last_words() or f"the fork server ended with status {status}"
        delay = min(_RETRY_MAX_S, _RETRY_S * 4**self.failures)
        self._next_try = time.monotonic() + delay
        _log.error("the fork server could not start: %s", self.problem)

    def _last_words(self) -> str:
        try:
            lines = self._setup.log.read_text(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _search_path() -> list[str]:
    """Where modules are found, as absolute names; without those that no longer mean anything."""
    found = []
    for entry in sys.path:
        with contextlib.suppress(FileNotFoundError):  # relative to a folder that was removed
            found.append(str(Path(entry).resolve()))
    return found
