"""Followers' submissions and requests, as the leader takes them in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait

from scheduler.domain.errors import FulcrumError, OutageError
from scheduler.service.dispatch.messages import Request
from scheduler.service.sharing import conversion
from scheduler.service.sharing.arrivals import JobArrivals
from scheduler.store.sharing import Listening, SharedStore

HANDLED_S = 1.0
"""Seconds that one look waits for the dispatcher; what it has not handled is answered later."""


class FollowerRequests:
    """Hears of followers' writes, lets the dispatcher handle their requests, stores the answers."""

    def __init__(
        self, store: SharedStore, arrivals: JobArrivals, post: Callable[..., None]
    ) -> None:
        self._store = store
        self._arrivals = arrivals
        self._post = post
        self._open: dict[int, Request] = {}
        """Requests that are with the dispatcher, or whose answers are not stored yet."""
        self._listening: Listening | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._listening = self._store.listen(self.look)

    def stop(self) -> None:
        """End; what is not answered yet is left to the next leader."""
        if self._listening is not None:
            self._listening.close()

    def look(self) -> None:
        """Take in what is new, and store the answers. Raises `OutageError`; then look again."""
        asked = self._store.asked()
        # After the requests: the jobs that they name were stored before them.
        self._arrivals.look()
        fresh = {
            number: conversion.message(request)
            for number, request in asked.items()
            if number not in self._open
        }
        self._open |= fresh
        if fresh:
            self._post(*fresh.values())
        wait([request.answer for request in self._open.values()], HANDLED_S)
        done = {number: _error(one) for number, one in self._open.items() if one.answer.done()}
        # An outage of this service is not the answer: the next look, or leader, handles it again.
        answers = {
            number: error for number, error in done.items() if not isinstance(error, OutageError)
        }
        if answers:
            self._store.answer(answers)
        for number in done:
            del self._open[number]


def _error(request: Request) -> FulcrumError | None:
    error = request.answer.exception()
    if error is None or isinstance(error, FulcrumError):
        return error
    raise error
