"""The Python SDK: `from fulcrum import Client`.

It speaks HTTP only and needs neither torch nor the service's packages. `python -m fulcrum` is the
command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.client import (
        ApiError,
        Client,
        ClientError,
        ConflictError,
        FileError,
        InvalidError,
        JobFailed,
        JobHandle,
        NotFoundError,
        StreamError,
        UnauthorizedError,
        UnavailableError,
        UnreachableError,
        WaitTimeoutError,
        read_jobs,
    )

    __version__: str

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
    "__version__",
    "read_jobs",
]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module 'fulcrum' has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        return version("fulcrum-scheduler")
    from fulcrum import packages

    packages.check()
    import api.client

    return getattr(api.client, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
