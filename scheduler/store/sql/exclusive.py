"""One service that decides per database: two would run the same attempt twice."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from scheduler.locks import ServiceLock

LEGAL = {"database_url": "a database that no running service uses, or stop that service first"}


class ExclusiveLock(Protocol):
    """A hold on a database; others are refused until it is released or the process ends."""

    def doubt(self) -> None:
        """The database failed: the hold may be gone."""

    def lost(self) -> str | None:
        """A sentence if the hold is gone and cannot be had again."""

    def release(self) -> None:
        """Let another service have it; again: no effect."""


class FileLock(ServiceLock):
    """A lock on a file beside a SQLite file: two data folders may name the same database."""

    def __init__(self, file: Path) -> None:
        """Raises `StateError` if a service holds the database."""
        super().__init__(file.with_name(f"{file.name}.service"), f"the database {file}", LEGAL)

    def doubt(self) -> None:
        """A failure of the database does not end a lock of the kernel's."""

    def lost(self) -> None:
        """A lock of the kernel's is never lost."""
