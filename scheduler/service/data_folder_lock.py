"""One service per data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from scheduler.domain.errors import StateError

LOCK_FILE = "service.lock"


class FolderLock:
    """A lock that is held until `release`, or until the process ends, however it ends.

    An flock on a file in the folder: the kernel frees it after a crash, so no lock is ever stale,
    and programs that the service starts do not inherit it. The file holds the owner's process id.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `StateError` naming the folder and the process that holds it."""
        self.path = folder / LOCK_FILE
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "r+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise StateError(
                f"a service (process {owner}) already uses {folder}",
                {"data_dir": "a folder that no running service uses, or stop that service first"},
            ) from None
        self._file.truncate()
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another service use the folder; a second call has no effect."""
        self._file.close()
