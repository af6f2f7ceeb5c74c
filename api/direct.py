"""The short way to an endpoint that takes a JSON body.

FastAPI's general way to an endpoint costs several times what the endpoint itself does. A request
that is plainly right is validated straight from its bytes, in one step. Every other request goes
FastAPI's way, body and all: there errors are told apart and worded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_type_hints

import anyio.to_thread
from fastapi import Body, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.types import Message, Receive, Scope, Send

from api.doors import Key, Route

_KEY: TypeAdapter[str | None] = TypeAdapter(Key)
_JSON = b"application/json"


class DirectRoute(Route):
    """A route whose endpoint takes `request`, one JSON body and at most `idempotency_key`."""

    def __init__(self, path: str, endpoint: Callable[..., Response], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._call = endpoint
        hints = get_type_hints(endpoint, include_extras=True)
        del hints["return"]
        self._takes_key = "idempotency_key" in hints
        self._body, self._adapter = next(
            (name, TypeAdapter(hint)) for name, hint in hints.items() if _is_body(hint)
        )

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request that this route was found for."""
        plain = scope["method"] == "POST" and not scope["query_string"]
        if not plain or _header(scope, b"content-type") != _JSON:
            await super().handle(scope, receive, send)
            return
        body = await _read(receive)
        try:
            arguments: Mapping[str, Any] = {self._body: self._adapter.validate_json(body)}
            if self._takes_key:
                key = _header(scope, b"idempotency-key")
                text = None if key is None else key.decode("latin-1")
                arguments = {**arguments, "idempotency_key": _KEY.validate_python(text)}
        except ValidationError:
            await super().handle(scope, _again(body, receive), send)
            return
        request = Request(scope)
        response = await anyio.to_thread.run_sync(lambda: self._call(request, **arguments))
        await response(scope, receive, send)


def _is_body(hint: Any) -> bool:
    return any(type(mark) is type(Body()) for mark in get_args(hint)[1:])


def _header(scope: Scope, name: bytes) -> bytes | None:
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else None


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read once more, then what the client sends further."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
