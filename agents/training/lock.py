"""A lock that lets one process at a time work in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.errors import StateError

LOCK = "training.lock"


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes from doing `what` in the folder; the kernel unlocks it with the process.

    Makes the folder. Raises `StateError` if another process has the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                f"{folder} holds a {what} that is under way", {"run": "another folder"}
            ) from None
        yield
