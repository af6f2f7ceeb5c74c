"""The middleware of every request: timing, last resort, host, token, size of the body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.client import proof
from api.http.asgi.security_headers import ASSETS
from api.http.auth import TokenAuthenticator
from api.http.errors.problems import TooLargeError, TooSlowError, problem, unexpected
from api.http.metrics.telemetry import Telemetry
from api.http.sessions import HEADER, SAFE, Sessions, secret_of

OPEN = frozenset({"/", "/healthz", "/readyz", proof.PATH})
"""Paths that need no token, beside the web page's files."""
SESSION = "/v1/session"
"""Signing in needs no token yet."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Observation:
    """Tells the telemetry how long each request took."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            # Only routes that exist become labels: paths are the client's to invent.
            route = getattr(scope.get("route"), "path_format", "none")
            seconds = time.perf_counter() - begun
            self._telemetry.request(scope["method"], route, status, seconds)


class LastResort:
    """Answers an unexpected error with its log id only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI request."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = unexpected(error, f"{scope['method']} {scope['path']}")
            if begun:
                raise  # the answer is cut off, which the client sees
            await response(scope, receive, send)


class Hosts:
    """Refuses requests for other host names, such as those of a web page with DNS rebinding."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI request."""
        if scope["type"] == "http" and not self._knows(_header(scope, b"host") or ""):
            legal = ", ".join(sorted(self._allowed))
            response = problem(
                "untrusted-host", "the Host header is not one of this service", {"Host": legal}
            )
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, host: str) -> bool:
        if "*" in self._allowed:
            return True
        try:
            return (urlsplit(f"//{host}").hostname or "") in self._allowed
        except ValueError:
            return False


class Authentication:
    """Refuses requests without a valid token or session.

    Health checks, the web page's files and signing in need none.
    """

    def __init__(self, app: ASGIApp, authenticator: TokenAuthenticator, sessions: Sessions) -> None:
        self._app = app
        self._authenticator = authenticator
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path in OPEN or path.startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        header = _header(scope, b"authorization")
        secret = None if header is not None else self._secret(scope)
        if secret is not None and _forged(scope):
            response = problem(
                "forbidden",
                "a session changes nothing without the header Fulcrum-Page",
                {"Fulcrum-Page": "1, sent by the service's own page"},
            )
            await response(scope, receive, send)
            return
        if secret is None:
            identity = self._authenticator.identify(header)
        else:
            identity = self._sessions.caller(secret)
        if identity is None and path != SESSION:
            error = "" if header is None else ', error="invalid_token"'
            response = problem(
                "unauthorized",
                "the token is missing" if header is None else "the token is not valid",
                {"Authorization": "Bearer TOKEN; the first one is in the service's data folder"},
                headers={"WWW-Authenticate": f'Bearer realm="fulcrum"{error}'},
            )
            await response(scope, receive, send)
            return
        scope["fulcrum.identity"] = identity
        await self._app(scope, receive, send)

    @staticmethod
    def _secret(scope: Scope) -> str | None:
        """The secret of the session in the request's cookie."""
        cookies = _header(scope, b"cookie")
        return None if cookies is None else secret_of(cookies, scope["server"][1])


def _forged(scope: Scope) -> bool:
    """Whether another site may have made the browser send a request with its cookie.

    Ports do not separate cookies, so a page of another server on this host is refused too.
    """
    site = _header(scope, b"sec-fetch-site") or "same-origin"
    own = _header(scope, HEADER.encode()) is not None
    return site not in ("same-origin", "none") or (scope["method"] not in SAFE and not own)


BODY_S = 60.0
"""Seconds in which the body of a request must arrive."""


class BodyLimit:
    """Refuses a body above `most` bytes, by its stated length or as soon as it gets there.

    And one that does not arrive in time.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = _header(scope, b"content-length") or ""
        if stated.isdecimal() and int(stated) > self._most:
            error = TooLargeError(self._most)
            await problem("too-large", error.detail, error.fields)(scope, receive, send)
            return
        total = 0
        end: float | None = asyncio.get_running_loop().time() + BODY_S

        async def counting() -> Message:
            nonlocal total, end
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise TooSlowError(BODY_S) from None
            total += len(message.get("body", b""))
            if total > self._most:
                raise TooLargeError(self._most)
            if not message.get("more_body"):
                end = None  # what comes now is the client's leaving, some day
            return message

        await self._app(scope, counting, send)


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None
