"""Limits for idle connections, so that they cannot block other clients."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_S = 10.0
"""Seconds in which the head of a request must arrive, once a connection or a request begins."""
RESERVED = 256
"""Open files that are left for everything but connections."""
MOST = 4096
"""Connections at the same time, where the limit of open files allows it."""
SAY_EVERY_S = 60.0
"""Seconds between two lines in the log about it."""

_log = logging.getLogger(__name__)


def most_connections() -> int:
    """How many connections this process may hold."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else min(MOST, max(files - RESERVED, 64))


class Connections:
    """All connections of one server; closes the oldest idle one when there are too many."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most or most_connections()
        self._silent: dict[Protocol, None] = {}
        """Whose request's head has not arrived, oldest first."""
        self._open = 0
        self._said = -SAY_EVERY_S

    def opened(self, one: Protocol) -> None:
        """Count a new connection; close the oldest silent one if there are too many."""
        self._open += 1
        self.silent(one)
        if self._open > self._most:
            self.close(next(iter(self._silent)), f"there are more than {self._most}")

    def closed(self, one: Protocol) -> None:
        """Forget a connection that has closed."""
        self._open -= 1
        self.heard(one)

    def silent(self, one: Protocol) -> None:
        """Note that the head of a request is awaited."""
        self._silent[one] = None

    def heard(self, one: Protocol) -> None:
        """Note that the head has arrived."""
        self._silent.pop(one, None)

    def close(self, one: Protocol, why: str) -> None:
        """Close a silent connection."""
        self._silent.pop(one, None)
        one.transport.abort()
        now = time.monotonic()
        if now - self._said >= SAY_EVERY_S:
            self._said = now
            _log.warning(
                "connections that ask for nothing are closed: %s; %d open", why, self._open
            )


class Protocol(HttpToolsProtocol):
    """HTTP with a time limit for the head of each request."""

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._wait()
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has disconnected, or the connection was closed."""
        self._stop()
        self._connections.closed(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request has arrived."""
        super().on_message_begin()
        self._wait()
        self._connections.silent(self)

    def on_headers_complete(self) -> None:
        """The head of the request is complete."""
        self._stop()
        self._connections.heard(self)
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEADERS_S, self._late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        self._connections.close(self, f"no request came within {HEADERS_S:g} s")
