"""Server-sent events that survive a dropped connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from httpx_sse import EventSource, ServerSentEvent, SSEError

from api.client.errors import StreamError, UnavailableError, UnreachableError
from api.client.transport import Params, Transport

END = "end"
"""Name of the event after which nothing follows."""
SILENCE_S = 60.0
"""A stream silent for longer is dead: the service sends a comment more often than that."""
TRIES = 8
"""Connections in a row that bring nothing before following is given up."""


def lines(transport: Transport, path: str, params: Params | None = None) -> Iterator[str]:
    """The lines of a followed log, without line ends; one event each."""
    for event in follow(transport, path, params):
        yield event.data


def follow(
    transport: Transport, path: str, params: Params | None = None
) -> Iterator[ServerSentEvent]:
    """Every event up to `end`, each once.

    After a dropped connection the stream is taken up behind the last event that arrived
    (Last-Event-ID). Raises `StreamError` if that fails again and again.
    """
    last = ""
    failures = 0
    while True:
        headers: dict[str, str] = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last:
            headers["Last-Event-ID"] = last
        problem: Any = "the stream ended early"
        try:
            with transport.stream(
                path, params=params, headers=headers, read_timeout=SILENCE_S
            ) as response:
                for event in EventSource(response).iter_sse():
                    failures = 0
                    if event.event == END:
                        return
                    # Every event has its own id. Comments and the like, which the decoder
                    # takes for empty events once an id is known, bring none.
                    if event.id != last:
                        last = event.id
                        yield event
        except UnreachableError as error:
            if not transport.met:
                raise
            problem = error
        except (UnavailableError, SSEError) as error:
            problem = error
        failures += 1
        if failures >= TRIES:
            raise StreamError(f"could not follow {path}: {problem}")
        time.sleep(min(0.1 * 2**failures, 5.0))
