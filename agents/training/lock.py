"""A lock that lets one process at a time work in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.errors import StateError
from scheduler.locks import locked

LOCK = "training.lock"


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes from doing `what` in the folder; the kernel unlocks it with the process.

    Makes the folder. Raises `StateError` if another process has the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, wait=False) as file:
        if file is None:
            raise StateError(
                f"{folder} holds a {what} that is under way", {"run": "another folder"}
            )
        yield
