"""Requests to the service: authorised, timed, repeated where repeating is safe."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import tenacity

from api.client.connection import LOOPBACK, Connection
from api.client.errors import (
    ApiError,
    ClientError,
    InvalidError,
    UnavailableError,
    UnreachableError,
    from_problem,
)
from api.client.proof import PATH, digest, nonce, proof
from scheduler.files import draft
from scheduler.text import shown

T = TypeVar("T")
Params = Mapping[str, Any]

ATTEMPTS = 5
"""Tries of one request, the first included."""
SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods whose repetition changes nothing."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Transport:
    """One service, through one connection pool; safe to share between threads.

    A request is repeated (with growing, jittered pauses) when it did not reach the service, and
    when it may have been carried out only if carrying it out twice is harmless: a safe method,
    or a request with an idempotency key. A service that was never reached is not waited for;
    one that was reached before is given `patience` seconds to come back, so that a restart goes
    unnoticed.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float = 30.0,
        patience: float = 15.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Accept": "application/json", "User-Agent": "fulcrum-client"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self.connection = connection
        self._patience = patience
        self.met = False
        options: dict[str, Any] = {
            "base_url": connection.url,
            "timeout": httpx.Timeout(timeout, connect=min(5.0, timeout)),
            "transport": transport,
            # A proxy of the environment is meant for others, never for this machine.
            "trust_env": httpx.URL(connection.url).host not in LOOPBACK,
            # Certificates take long to load, and plain HTTP has none.
            "verify": connection.url.startswith("https:"),
        }
        self._extensions = {"trace": self._traced} if connection.proves else {}
        try:
            self._http = httpx.Client(**options, headers=headers)
            # A separate client, because it must never send the token.
            self._stranger = httpx.Client(**options) if connection.proves else None
        except (ImportError, ValueError) as error:
            raise UnreachableError(
                f"the environment's proxy (HTTP_PROXY, ALL_PROXY) cannot be used: {error}"
            ) from None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        key: str | None = None,
        safe: bool | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        """The service's answer. `key` is the idempotency key of a request that creates.

        The body is `json`, or `content` as it is.
        Raises `ApiError` for a problem document, `UnreachableError` if no service answered.
        """
        repeatable = (method in SAFE or key is not None) if safe is None else safe
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        headers: dict[str, str] = {}
        if json is not None:
            # In ASCII: text that the service cannot store arrives there, and is refused by name.
            options["content"] = dumps(json).encode()
            headers["Content-Type"] = "application/json"
        elif content is not None:
            options["content"] = content
            headers["Content-Type"] = "application/octet-stream"
        if key is not None:
            headers["Idempotency-Key"] = _checked_key(key)
        options |= {"headers": headers, "extensions": self._extensions}

        def once() -> httpx.Response:
            response = self._http.request(method, path, params=_clean(params), **options)
            self.met = True
            return checked(response)

        return self._repeat(once, repeatable)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The answer's JSON; arguments as for `request`."""
        return self.request(method, path, **options).json()

    def get(self, path: str, **params: Any) -> Any:
        """JSON of a GET; parameters that are None are left out."""
        return self.json("GET", path, params=params)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        read_timeout: float | None = None,
        patient: bool = False,
    ) -> Iterator[httpx.Response]:
        """An open answer whose body is read piece by piece.

        Asked for once, or with `patient` as often as a request; its body is read once.
        """
        options: dict[str, Any] = {}
        if read_timeout is not None:
            options["timeout"] = httpx.Timeout(read_timeout, connect=5.0)
        request = self._http.build_request(
            "GET",
            path,
            params=_clean(params),
            headers=dict(headers or {}),
            extensions=self._extensions,
            **options,
        )

        def opened() -> httpx.Response:
            response = self._http.send(request, stream=True)
            self.met = True
            if response.is_error:
                response.read()
                response.close()
            return checked(response)

        try:
            response = self._repeat(opened, repeatable=True) if patient else opened()
            with closing(response):
                yield response
        except httpx.TransportError as error:
            raise UnreachableError(self._unreachable(error)) from None

    def download(self, path: str, to: Path) -> Path:
        """Write the body to `to`, which appears only when it is whole."""
        with draft(to) as beside:

            def once() -> None:
                with self.stream(path) as response, beside.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)

            self._repeat(once, repeatable=True)
        return to

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        if self._stranger is not None:
            self._stranger.close()

    def _traced(self, event: str, _: Mapping[str, Any]) -> None:
        """Require proof that the listener knows the token before a new connection carries it."""
        if event != "connection.connect_tcp.started" or self._stranger is None:
            return
        address = httpx.URL(self.connection.url)
        challenge = nonce()
        answer = self._stranger.get(PATH, params={"nonce": challenge})
        port = address.port or (443 if address.scheme == "https" else 80)
        right = proof(digest(self.connection.token or ""), challenge, port)
        try:
            found = str(answer.json()["proof"])
        except (ValueError, KeyError, TypeError):
            found = ""
        if not hmac.compare_digest(found.encode(), right.encode()):
            raise UnreachableError(
                f"what answers at {address} ({self.connection.origin}) does not know the token of "
                "the data folder, and was not given it: another program may listen there"
            )

    def _repeat(self, once: Callable[[], T], repeatable: bool) -> T:
        stop: Any = tenacity.stop_after_delay(self._patience)
        if not self.met:
            stop |= tenacity.stop_after_attempt(ATTEMPTS)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: self._again(error, repeatable)),
            wait=_pause,
            stop=stop,
            reraise=True,
        )
        try:
            return retrying(once)
        except httpx.TransportError as error:
            raise UnreachableError(self._unreachable(error)) from None
        except ClientError as error:
            # Where it was raised, far inside, helps nobody who reads the traceback.
            raise error.with_traceback(None) from None

    def _again(self, error: BaseException, repeatable: bool) -> bool:
        if isinstance(error, UnreachableError) and error.__suppress_context__:
            error = error.__context__ or error
        if isinstance(error, _NEVER_SENT):
            return self.met
        if isinstance(error, httpx.TransportError):
            return repeatable
        if isinstance(error, UnavailableError):
            return repeatable or error.status == 429
        return False

    def _unreachable(self, error: Exception) -> str:
        url, origin = self.connection.url, self.connection.origin
        reason = "took too long" if isinstance(error, httpx.TimeoutException) else str(error)
        return f"no service answers at {url} ({origin}): {reason or type(error).__name__}"


def checked(response: httpx.Response) -> httpx.Response:
    """The response if it is not an error; the body of an error must have been read."""
    if not response.is_error:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    error = from_problem(response.status_code, problem if isinstance(problem, Mapping) else {})
    after = response.headers.get("Retry-After", "")
    error.problem.setdefault("retry_after", float(after) if after.isdecimal() else None)
    raise error


def new_key() -> str:
    """A fresh idempotency key."""
    return uuid.uuid4().hex


_GROWING = tenacity.wait_exponential_jitter(multiplier=0.1, max=3.0, jitter=0.1)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: as the service asks (Retry-After), else growing."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.problem.get("retry_after") if isinstance(error, ApiError) else None
    return min(float(asked), 30.0) if asked is not None else _GROWING(state)


def _clean(params: Params | None) -> dict[str, Any]:
    return {
        name: shown(value) if isinstance(value, str) else value
        for name, value in (params or {}).items()
        if value not in (None, (), [])
    }


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        legal = "1 to 255 visible ASCII characters, no space"
        raise InvalidError(
            f"{key!r} is no idempotency key; legal: {legal}",
            status=422,
            code="invalid",
            fields={"Idempotency-Key": legal},
        )
    return key


def without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in body.items() if value is not None}


def instant(value: datetime | None) -> str | None:
    """ISO 8601 with zone; a time without one is local."""
    return None if value is None else value.astimezone().isoformat()


def url_part(name: str, field: str = "name") -> str:
    """`name` as one part of a path. Raises `InvalidError` naming `field` if it cannot be one."""
    if name in ("", ".", "..") or "/" in name:
        raise _wrong_name(name, field, "text without '/', and neither '.' nor '..'")
    return quote(shown(name), safe="@")


def url_below(name: str, field: str = "name") -> str:
    """`name` as parts of a path below a folder.

    Raises `InvalidError` naming `field` for an absolute name and one that leaves the folder.
    """
    if any(each in ("", ".", "..") for each in name.split("/")):
        raise _wrong_name(name, field, "a name as listed, below the job's folder")
    return quote(shown(name))


def _wrong_name(name: str, field: str, legal: str) -> InvalidError:
    return InvalidError(
        f"{name!r} cannot be used as a {field}; legal: {legal}",
        status=422,
        code="invalid",
        fields={field: legal},
    )
