"""The Python SDK: `from api.client import Client`. Speaks HTTP only, and needs no torch."""

from api.client.client import Client
from api.client.errors import (
    ApiError,
    ClientError,
    ConflictError,
    InvalidError,
    NotFoundError,
    StreamError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from api.client.files import FileError
from api.client.job import JobFailed, JobHandle, WaitTimeoutError

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "ConflictError",
    "FileError",
    "InvalidError",
    "JobFailed",
    "JobHandle",
    "NotFoundError",
    "StreamError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "WaitTimeoutError",
]
