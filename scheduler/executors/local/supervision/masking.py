"""Keeps secrets out of a log: a small process reads what the attempt prints, and writes it masked.

A secret that a job encodes or splits before it prints it is not found.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Collection

MASK = b"***"
LEAST = 4
"""Shorter secrets are not masked: half of a log would be stars."""
_HELD_S = 0.2
"""So long the end of the output is held back if a secret may begin there."""
_DRAIN_S = 2.0
_BLOCK = 65536


def masked(text: bytes, secrets: Collection[bytes]) -> bytes:
    """The text with stars in place of each secret, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def begun(text: bytes, secrets: Collection[bytes]) -> int:
    """How many bytes at the end may be the beginning of a secret."""
    longest = max(map(len, secrets), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(secret.startswith(text[-size:]) for secret in secrets):
            return size
    return 0


class Masker:
    """A process between what an attempt prints and its log."""

    def __init__(self, log: int, secrets: Collection[str]) -> None:
        """`log`: where it writes, a file descriptor."""
        self._secrets = {
            line
            for secret in secrets
            for line in (secret.encode(), *secret.encode().splitlines())
            if len(line) >= LEAST
        }
        source, self.sink = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(self.sink)
                for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(signum, signal.SIG_IGN)  # what is printed until the end counts
                self._copy(source, log)
            finally:
                os._exit(0)
        os.close(source)

    def finish(self) -> None:
        """Wait until all that was printed is written; at most 2 s if others still print."""
        until = time.monotonic() + _DRAIN_S
        while time.monotonic() < until and not os.waitpid(self._pid, os.WNOHANG)[0]:
            time.sleep(0.01)

    def _copy(self, source: int, log: int) -> None:
        held = b""
        while True:
            ready, _, _ = select.select([source], [], [], _HELD_S if held else None)
            text = os.read(source, _BLOCK) if ready else b""
            if ready and not text:
                break
            text = masked(held + text, self._secrets)
            keep = begun(text, self._secrets) if ready else 0
            held = text[len(text) - keep :]
            _write(log, text[: len(text) - keep])
        _write(log, masked(held, self._secrets))


def _write(log: int, text: bytes) -> None:
    while text:
        try:
            text = text[os.write(log, text) :]
        except OSError:  # a full disk: the job must not hang because of its log
            return
