"""One process at a time in a folder that trainings work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.errors import StateError
from scheduler.locks import locked

LOCK = "training.lock"


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Nobody else does `what` in the folder meanwhile; the kernel ends this with the process.

    Makes the folder. Raises `StateError` if somebody does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, wait=False) as file:
        if file is None:
            raise StateError(
                f"{folder} holds a {what} that is under way", {"run": "another folder"}
            )
        yield
