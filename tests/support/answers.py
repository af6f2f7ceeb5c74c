"""A service made of canned answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx

from api.client import Client

JOB: dict[str, Any] = {
    "id": 17,
    "kind": "command",
    "name": "hello",
    "user": "ada",
    "project": "default",
    "state": "QUEUED",
    "reason": "waiting",
    "version": 1,
    "final": False,
    "submitted_at": "2026-01-01T00:00:00Z",
    "started_at": None,
    "finished_at": None,
    "eligible_at": None,
    "attempts": 0,
    "failures": 0,
    "retry_of": None,
    "work": {"argv": ["true"]},
    "request": {"devices": ["any"], "min_width": 1, "max_width": 1, "memory_bytes": 0},
    "priority": 50,
    "preference": None,
    "deadline": None,
    "budget": None,
    "after": [],
    "retry": {"max_attempts": 1, "backoff_s": 5.0},
    "max_duration_s": None,
    "notify": {"to": [], "on": []},
}


def job(**changes: Any) -> dict[str, Any]:
    """A job as the service answers it."""
    return {**JOB, **changes}


def detail(**changes: Any) -> dict[str, Any]:
    """A job with its attempts."""
    return {**JOB, "history": [], "dollars": 0.0, "joules": 0.0, "result": None, **changes}


def problem(status: int, code: str, detail: str = "no", **fields: str) -> httpx.Response:
    """A problem document."""
    errors = [{"field": name, "message": text} for name, text in fields.items()]
    document = {"type": f"/problems/{code}", "title": "t", "status": status, "detail": detail}
    return httpx.Response(status, json={**document, "code": code, "errors": errors})


class Service:
    """Answers each request with the next of `answers`; keeps the requests."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=answer)

    @property
    def bodies(self) -> list[Any]:
        """JSON of the requests."""
        return [json.loads(request.content) for request in self.requests if request.content]

    def client(self, **options: Any) -> Client:
        """A client of this service."""
        transport = httpx.MockTransport(self)
        return Client("http://test", "secret-token", transport=transport, **options)


class Dropping(httpx.SyncByteStream):
    """A body that breaks off after some bytes."""

    def __init__(self, *pieces: bytes, broken: bool = True) -> None:
        self.pieces = pieces
        self.broken = broken

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.broken:
            raise httpx.ReadError("connection lost")


def sse(*pieces: bytes, broken: bool = False) -> httpx.Response:
    """A stream of server-sent events."""
    headers = {"content-type": "text/event-stream"}
    return httpx.Response(200, headers=headers, stream=Dropping(*pieces, broken=broken))


Answer = Callable[[httpx.Request], httpx.Response]
