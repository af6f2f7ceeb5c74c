"""The Python SDK behind `fulcrum`: it speaks HTTP only, and needs no torch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from api.client.client import Client
from api.client.errors import (
    ApiError,
    ClientError,
    ConflictError,
    InvalidError,
    MissingPackageError,
    NotFoundError,
    StreamError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from api.client.files import FileError
from api.client.files import read as read_jobs
from api.client.job import JobFailed, JobHandle, WaitTimeoutError
from api.client.runs.comparison import RunComparison, TrainingRun
from api.client.sweeps.handle import SweepFailed, SweepHandle, SweepTimeoutError

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "ConflictError",
    "FileError",
    "InvalidError",
    "JobFailed",
    "JobHandle",
    "MissingPackageError",
    "NotFoundError",
    "RunComparison",
    "StreamError",
    "SweepFailed",
    "SweepHandle",
    "SweepTimeoutError",
    "TrainingRun",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "WaitTimeoutError",
    "read_jobs",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`Job` is the name that `JobHandle` had; it goes with the next release."""
        if name != "Job":
            raise AttributeError(f"module 'api.client' has no attribute {name!r}")
        warnings.warn("api.client.Job is fulcrum.JobHandle now", DeprecationWarning, stacklevel=2)
        return JobHandle
