"""Logs of attempts: the end of one, and following them as they grow, across attempts."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi.sse import format_sse_event

from api.client.lines import MOST, text, whole
from api.http import log_tail
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import Job
from scheduler.files import regular

CHUNK = MOST
"""Bytes of one event at most."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 0.5
"""Between two looks at a log: doubles while nothing comes."""
PING_S = 15.0
"""A silent stream says that it lives."""

_ID = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a job's logs; as text the id of an event: `2:1024`."""

    attempt: int
    offset: int
    """Bytes before it in the attempt's log."""

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that an event id names. Raises `InputError`."""
        match = _ID.fullmatch(text)
        if match is None:
            raise InputError(
                f"{text!r} is no event id",
                {"Last-Event-ID": "ATTEMPT:OFFSET as received, such as 1:2048"},
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.attempt}:{self.offset}"


def tail_place(path: Path, lines: int) -> int:
    """Bytes before the last `lines` lines of a file; 0 if it has no more, or does not exist.

    At most `CHUNK` bytes a line: a bar that rewrites its line for hours is joined at its end.
    """
    pieces = log_tail.tail(path, lines)
    if not pieces:
        return 0
    return max(pieces[0].start, pieces[-1].end - lines * CHUNK)


class Follow:
    """Server-sent events of a job's logs: one a line, and an `end` event after the last.

    The id of each event is the place behind its line (attempt and byte), so a client that sends
    the last one back as `Last-Event-ID` misses nothing and sees nothing twice. `read` tells the
    job as it is now, `log` where an attempt's log lies.
    """

    def __init__(
        self,
        place: Place,
        read: Callable[[], Job],
        log: Callable[[int], Path],
        closing: threading.Event,
        limiter: anyio.CapacityLimiter,
    ) -> None:
        self._place = place
        self._read = read
        self._log = log
        self._closing = closing
        self._limiter = limiter

    async def events(self) -> AsyncIterator[bytes]:
        """All events until the job is final and its log is complete, or the server closes."""
        pause, spoken = FIRST_PAUSE_S, time.monotonic()
        yield _comment(f"attempt {self._place.attempt}")
        while not self._closing.is_set():
            found, ended = await anyio.to_thread.run_sync(self._look, limiter=self._limiter)
            if found:
                yield found
            if ended:
                return
            now = time.monotonic()
            if found:
                pause, spoken = FIRST_PAUSE_S, now
                continue
            if now - spoken > PING_S:
                yield _comment("still here")
                spoken = now
            await anyio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)

    def _look(self) -> tuple[bytes, bool]:
        """The events of what is new, and whether the last is among them."""
        # The job is read first: what its attempt wrote before it ended is in the file then.
        job = self._read()
        if job.attempts < self._place.attempt:
            return (self._end(job), True) if job.state.final else (b"", False)
        over = job.state.final or job.attempts > self._place.attempt
        lines = self._lines(over)
        if lines:
            return lines, False
        if job.attempts > self._place.attempt:
            self._place = Place(self._place.attempt + 1, 0)
            return _comment(f"attempt {self._place.attempt}"), False
        return (self._end(job), True) if over else (b"", False)

    def _lines(self, over: bool) -> bytes:
        """One event a line of the next block; half a line waits for its rest, while there is any.

        Lines end as server-sent events have it: a carriage return ends one too, so that a
        progress bar that rewrites its line is seen. A line above `CHUNK` bytes comes in pieces.
        """
        attempt, offset = self._place.attempt, self._place.offset
        try:
            with regular(self._log(attempt)) as file:
                # A log that reached its limit was cut: what follows is at its end.
                offset = min(offset, file.seek(0, os.SEEK_END))
                self._place = Place(attempt, offset)
                file.seek(offset)
                block = file.read(CHUNK + 1)
        except FileNotFoundError:
            return b""
        more, events = len(block) > CHUNK, []
        for found in _LINE.findall(block[:CHUNK]):
            line: bytes = found
            ended, full = line.endswith((b"\n", b"\r")), len(line) == CHUNK
            if not ended and not full and (more or not over):
                break
            if full and not ended:
                line = block[: whole(block, CHUNK)]
            offset += len(line)
            self._place = Place(attempt, offset)
            data = text(line.rstrip(b"\r\n"))
            events.append(format_sse_event(data_str=data, id=str(self._place)))
        return b"".join(events)

    def _end(self, job: Job) -> bytes:
        data = json.dumps({"state": job.state.value, "reason": job.reason})
        return format_sse_event(event="end", data_str=data, id=str(self._place))


def _comment(text: str) -> bytes:
    """A comment, without the blank line that ends an event: some clients count an empty event."""
    return f": {text}\n".encode()
