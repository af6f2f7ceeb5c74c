"""Exceptions of the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of all exceptions that this package raises on purpose."""


class MissingPackageError(ClientError, ImportError):
    """Something needs a package that is not installed."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} need the package {package}, which is not installed")
        self.package = package


class UnreachableError(ClientError):
    """No service answered at that address."""


class StreamError(ClientError):
    """A followed stream ended before its end and could not be taken up again."""


class ApiError(ClientError):
    """The service answered with a problem document (RFC 9457)."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        fields: Mapping[str, str] | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """One sentence for a person."""
        self.status = status
        """HTTP status."""
        self.code = code
        """Stable, machine-readable name such as `invalid` or `not-found`."""
        self.fields: dict[str, str] = dict(fields or {})
        """Field path to what is wrong with it and which values are legal."""
        self.problem: dict[str, Any] = dict(problem or {})
        """The whole document."""


class InvalidError(ApiError):
    """The request is malformed, or asks for what this cluster can never do (400, 413, 422)."""


class UnauthorizedError(ApiError):
    """The token is missing, wrong or not allowed to do this (401, 403)."""


class NotFoundError(ApiError):
    """There is no such object (404)."""


class ConflictError(ApiError):
    """The object is in another state, or the key was used for another request (409)."""


class UnavailableError(ApiError):
    """The service, or a part it needs, is not ready now (429, 502, 503, 504)."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    401: UnauthorizedError,
    403: UnauthorizedError,
    404: NotFoundError,
    405: NotFoundError,
    410: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def from_problem(status: int, problem: Mapping[str, Any]) -> ApiError:
    """The exception for a problem document; tolerates a document that misses members."""
    message = problem.get("detail") or problem.get("title") or f"the service answered {status}"
    errors = [item for item in problem.get("errors") or () if isinstance(item, Mapping)]
    return _BY_STATUS.get(status, ApiError)(
        str(message),
        status=status,
        code=str(problem.get("code") or f"http-{status}"),
        fields={str(item.get("field")): str(item.get("message", "")) for item in errors},
        problem=problem,
    )
