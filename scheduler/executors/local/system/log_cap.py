"""Keeps an attempt's log below a limit: its beginning and its newest part stay."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

EVERY_S = 0.5
"""Between two looks; a log may pass its limit by what is written meanwhile."""
_TAIL = 1 << 20
"""Newest bytes kept by a cut, at most."""


class LogCap:
    """Cuts the middle out of a log that has grown beyond `limit` bytes.

    Those who write must append (O_APPEND): their next line then follows what was kept. What they
    write at the very moment of a cut may be lost.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._dropped = 0

    def enforce(self) -> None:
        """Cut if it is time; a log that cannot be read or written stays as it is."""
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > self._limit:
                self._cut()

    def _cut(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(file).st_size
            head = self._limit // 2
            newest = min(_TAIL, self._limit // 4)
            tail = os.pread(file, newest, size - newest)
            self._dropped += size - head - len(tail)
            mark = f"\n… {self._dropped} bytes left out, the limit is {self._limit} bytes …\n"
            os.ftruncate(file, head)
            os.write(file, mark.encode() + tail[tail.find(b"\n") + 1 :])
        finally:
            os.close(file)
