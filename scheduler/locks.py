"""Locks on files, which the kernel frees when their holder's process ends, however it ends.

So no lock is ever stale. Programs that the holder starts do not inherit it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.errors import StateError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def lock(path: Path, *, wait: bool = True) -> int | None:
    """Lock the file, which is made (0600) if it is missing, and return its descriptor.

    Without `wait`, returns None if another process holds it. The lock lasts until the descriptor
    is closed. Raises `OSError`, for a link or anything but a regular file too.
    """
    file = os.open(path, _FLAGS, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.ENXIO, "not a regular file", str(path))  # noqa: TRY301
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[int | None]:
    """Hold `lock` inside the block; yields its descriptor, or None if another holds it."""
    file = lock(path, wait=wait)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


class ServiceLock:
    """Held by one service from its creation until `release`; the file holds its process id."""

    def __init__(
        self, path: Path, held: str, legal: Mapping[str, str], *, replace: bool = False
    ) -> None:
        """Lock the file. Raises `StateError` with the fields `legal` if a service holds it.

        `held` is what the lock protects, as in "a service already uses HELD". With `replace`,
        another file takes the place of one that is held: its holder hangs, and no longer counts.
        """
        file = lock(path, wait=False)
        if file is None and replace:
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            file = lock(fresh, wait=False)
            fresh.rename(path)
        if file is None:
            owner = path.read_text("ascii", "replace").strip() or "unknown"
            raise StateError(f"a service (process {owner}) already uses {held}", legal)
        self._file = file
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another service have it; again: no effect."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
