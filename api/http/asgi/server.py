"""The server around the application."""

from __future__ import annotations

import gc
import socket
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.http.asgi.connections import Connections, Protocol

COLLECT = (50_000, 20, 50)
"""Python's garbage collection: new objects before the youngest are looked at, and so on."""
LEAVE_S = 5
"""Seconds for open requests to end when the server stops."""


class Server(uvicorn.Server):
    """A server that ends waiting and following requests when it stops, so that none delays it."""

    def __init__(
        self,
        app: FastAPI,
        *,
        log_level: str | None = None,
        access_log: bool = False,
        connections: int | None = None,
    ) -> None:
        """`connections`: at the same time; default: what the limit of open files allows.

        `log_level`: of uvicorn's own log; None: `scheduler.logs` has configured all logs.
        """
        self._app = app
        protocol: Any = partial(Protocol, connections=Connections(connections))
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                log_config=None,
                log_level=log_level,
                access_log=access_log,
                lifespan="on",
                ws="none",
                timeout_graceful_shutdown=LEAVE_S,
                server_header=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; answers are sent at once.

        asyncio switches Nagle's algorithm off only for sockets that were made with their protocol
        named, which `socket.socket` does not; an answer in two parts would wait 40 ms for the
        client's delayed acknowledgement. Accepted connections inherit the option.
        """
        for one in sockets or ():
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().startup(sockets)
        # What is there now stays: collections need not look at it. Later ones are rarer, for the
        # jobs in memory are many and hold no circles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: first the waiting requests, then the rest, then the service."""
        self._app.state.context.closing.set()
        await super().shutdown(sockets)
