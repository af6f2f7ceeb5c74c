"""Every error as a problem document (RFC 9457): stable code, all wrong fields, no internals."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.http.errors.validation_errors import fields_of
from api.schemas import FieldError, Problem
from scheduler.domain.errors import FulcrumError
from scheduler.text import shown
from scheduler.validation import summary

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[str, int] = {
    "bad-request": 400,
    "malformed-json": 400,
    "untrusted-host": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "too-slow": 408,
    "conflict": 409,
    "illegal-transition": 409,
    "too-large": 413,
    "unsupported-media-type": 415,
    "invalid": 422,
    "unknown-job": 422,
    "infeasible": 422,
    "over-quota": 409,
    "internal": 500,
    "unavailable": 503,
}
"""Every code with its HTTP status."""
TITLES: Mapping[str, str] = {
    "bad-request": "The request cannot be understood",
    "malformed-json": "The body is not JSON",
    "untrusted-host": "The service is not known by that host name",
    "unauthorized": "A valid token is needed",
    "forbidden": "The token does not allow this",
    "not-found": "There is no such thing",
    "method-not-allowed": "The path does not take this method",
    "too-slow": "The body did not arrive in time",
    "conflict": "The request contradicts an earlier one",
    "illegal-transition": "The job's state does not allow this",
    "too-large": "The body is too large",
    "unsupported-media-type": "The body must be application/json",
    "invalid": "The request is invalid",
    "unknown-job": "The request names a job that does not exist",
    "infeasible": "No pool of this cluster could ever run the job",
    "over-quota": "The project has used up its quota",
    "internal": "The service failed",
    "unavailable": "The service cannot do this now",
}

_REQUEST = re.compile(r"(?:^|(?<=\.))request\.")
_PARSED = frozenset({"missing", "model_attributes_type", "model_type", "dict_type", "json_invalid"})
_log = logging.getLogger(__name__)


class HttpError(Exception):
    """An error of the HTTP interface itself, by its code."""

    def __init__(
        self,
        code: str,
        detail: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.headers = headers


class TooLargeError(HTTPException):
    """The body is too large; an HTTP exception, for FastAPI lets only these out of its reading."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body is larger than {most} bytes")
        self.fields = {"body": f"at most {most} bytes"}


class TooSlowError(HTTPException):
    """The body does not arrive; an HTTP exception, as `TooLargeError`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(408, f"the body did not arrive within {seconds:g} s")


def problem(
    code: str,
    detail: str,
    fields: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    log_id: str | None = None,
) -> Response:
    """The response for one problem."""
    document = Problem(
        type=f"/problems/{code}",
        title=TITLES[code],
        status=status or STATUS[code],
        detail=shown(detail),
        code=code,
        errors=tuple(
            FieldError(field=shown(name), message=shown(text))
            for name, text in (fields or {}).items()
        ),
        id=log_id,
    )
    body = document.model_dump_json(exclude_none=True).encode()
    return Response(body, document.status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the app answer every exception with a problem document."""
    app.add_exception_handler(FulcrumError, _fulcrum)
    app.add_exception_handler(HttpError, _http_error)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


def unexpected(error: Exception, where: str) -> Response:
    """Log an unexpected error under a new id; the response has only the id."""
    log_id = secrets.token_hex(8)
    _log.error("%s failed, id %s", where, log_id, exc_info=error)
    return problem(
        "internal", f"unexpected error; the service's log has it as {log_id}", log_id=log_id
    )


async def _fulcrum(_: Request, error: Exception) -> Response:
    assert isinstance(error, FulcrumError)
    code = error.code if error.code in STATUS else "internal"
    if code == "internal":
        return unexpected(error, "an operation")
    headers = {"Retry-After": "1"} if code == "unavailable" else None
    # The domain keeps resources together in a request; a submitted job has them side by side.
    fields = {_REQUEST.sub("", name): text for name, text in error.fields.items()}
    return problem(code, error.message, fields, headers=headers)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return problem(error.code, error.detail, error.fields, headers=error.headers)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors: Sequence[Mapping[str, Any]] = error.errors()
    first = errors[0]
    if first["type"] == "json_invalid":
        place = first["loc"][-1]
        reason = first.get("ctx", {}).get("error", "")
        return problem("malformed-json", f"the body is not JSON at character {place}: {reason}")
    if isinstance(error.body, bytes) and first["type"] in _PARSED:
        given = request.headers.get("content-type", "nothing")
        return problem(
            "unsupported-media-type",
            "the body must be sent as application/json",
            {"Content-Type": f"application/json, not {given}"},
        )
    fields = fields_of(errors, _body_model(request))
    return problem("invalid", summary(fields), fields)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, TooLargeError):
        return problem("too-large", error.detail, error.fields)
    if isinstance(error, TooSlowError):
        return problem("too-slow", error.detail, headers={"Connection": "close"})
    match error.status_code:
        case 404:
            return problem("not-found", f"there is no {request.url.path}")
        case 405:
            allowed = ", ".join(_methods(request))
            detail = f"{request.url.path} takes {allowed}, not {request.method}"
            return problem("method-not-allowed", detail, headers={"Allow": allowed})
        case status:
            known = next((code for code, number in STATUS.items() if number == status), None)
            code = known or ("bad-request" if status < 500 else "internal")
            phrase = HTTPStatus(status).phrase.lower()
            return problem(code, phrase, status=status, headers=error.headers)


def _methods(request: Request) -> list[str]:
    """All methods that the path takes; the router's own answer has those of one route only."""
    path = request.scope["path"]
    routes: Iterable[APIRoute] = request.app.state.routes
    return sorted(
        {name for one in routes if one.path_regex.match(path) for name in one.methods or ()}
    )


def _body_model(request: Request) -> Any:
    """The annotation of the body; None without one."""
    field = getattr(request.scope.get("route"), "body_field", None)
    return field.field_info.annotation if field else None
