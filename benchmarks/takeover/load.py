"""A client that submits steadily while services are felled, to whichever of two answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.takeover.pair import StandbyProcess

RATE_PER_S = 20.0
TIMEOUT_S = 1.0
"""Seconds for an answer; then the same submission, with the same key, goes to the other one."""


@dataclass(slots=True)
class Load:
    """Submits `RATE_PER_S` jobs a second to the services in turn, until it is stopped."""

    services: list[StandbyProcess]
    """Changed by the rounds when services come and go."""
    work: dict[str, Any]
    accepted: dict[str, int] = field(default_factory=dict)
    """Idempotency key → the job that was answered."""
    longest_s: float = 0.0
    """The longest time from a submission's first request to its answer."""
    refused: int = 0
    """Answers other than 200 and 201."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _flowing: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Begin, paused."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Submit inside the block."""
        self._flowing.set()
        try:
            yield
        finally:
            self._flowing.clear()

    def stop(self) -> None:
        """End; every submission has been answered then."""
        self._stopping.set()
        self._flowing.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        turn = 0
        while self._flowing.wait() and not self._stopping.is_set():
            turn += 1
            self._submit(turn)
            due = max(due + 1 / RATE_PER_S, time.monotonic() - 1.0)
            time.sleep(max(0.0, due - time.monotonic()))

    def _submit(self, turn: int) -> None:
        key = uuid4().hex
        begun = time.monotonic()
        while True:
            turn += 1
            service = self.services[turn % len(self.services)]
            try:
                answer = service.http.post(
                    "/v1/jobs",
                    json={"kind": "command", "work": self.work},
                    headers={"Idempotency-Key": key},
                    timeout=TIMEOUT_S,
                )
            except (httpx.HTTPError, RuntimeError):  # it is gone, or stopped, or was closed here
                continue
            if answer.status_code in {200, 201}:
                self.accepted[key] = answer.json()["id"]
                self.longest_s = max(self.longest_s, time.monotonic() - begun)
                return
            self.refused += 1
            time.sleep(0.02)
