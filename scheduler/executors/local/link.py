"""The service's end of the fork server: starts it, connects to it, replaces it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scheduler.executors.local import server, sockets

FAILURES = 3
"""Fork servers in a row that end before their hello until launches are given up."""
_RETRY_S = 0.05
_RETRY_MAX_S = 30.0
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from scheduler.executors.local.server import main; main()"
)
_SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Asking for devices through NVML leaves CUDA untouched, which does not survive a fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
_log = logging.getLogger(__name__)


class Link:
    """A connection that restores itself whenever `step` is called.

    `step` and `receive` belong to one thread; `send` may be called by any.
    """

    def __init__(self, setup: server.Setup) -> None:
        self.ready = threading.Event()
        """Set while a warm fork server of this code is connected."""
        self.problem = ""
        """Why there is none, if its start has failed."""
        self.failures = 0
        """Starts in a row that came to nothing."""
        self._setup = setup
        self._folder = Path(setup.folder)
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._spawned: int | None = None
        self._greeted = False
        self._next_try = 0.0

    @property
    def connection(self) -> socket.socket | None:
        """To be watched for messages; None while there is none."""
        return self._connection

    def step(self) -> float | None:
        """Do what is due to be connected; seconds until it wants to be called again."""
        self._bury()
        if self._connection is not None:
            return None
        wait = self._next_try - time.monotonic()
        if wait > 0:
            return wait
        try:
            self._connection = sockets.connect(self._folder)
        except OSError:
            if self._spawned is None:
                self._spawn()
            self._next_try = time.monotonic() + _RETRY_S
            return _RETRY_S
        return None

    def receive(self) -> list[dict[str, Any]]:
        """Messages that came, hellos apart; a lost connection is noted and restored by `step`."""
        messages = []
        while self._connection is not None:
            try:
                message = sockets.receive(self._connection)
            except BlockingIOError:
                break
            if message is None:
                self._disconnect()
            elif "hello" in message:
                self._greet(message["hello"])
            else:
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
        with self._lock:
            self.ready.clear()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _spawn(self) -> None:
        path = [str(Path(entry).resolve()) for entry in sys.path]
        log = str(self._folder / server.LOG)
        self._greeted = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._spawned = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-c", _BOOT, json.dumps(path), self._setup.encode()],
            os.environ | _SINGLE_THREADED,
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
        if self._greeted or not status:
            return
        self.failures += 1
        self.problem = self._last_words() or f"the fork server ended with status {status}"
        delay = min(_RETRY_MAX_S, _RETRY_S * 4**self.failures)
        self._next_try = time.monotonic() + delay
        _log.error("the fork server could not start: %s", self.problem)

    def _last_words(self) -> str:
        try:
            lines = (self._folder / server.LOG).read_text(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
