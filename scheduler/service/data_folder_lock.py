"""One service per data folder."""

from __future__ import annotations

import time
from pathlib import Path

from scheduler.domain.errors import StateError
from scheduler.locks import ServiceLock

LOCK_FILE = "service.lock"


PATIENCE_S = 3.0
"""Seconds that a service which takes over waits for the one before to let the folder go."""


class FolderLock(ServiceLock):
    """Held from its creation until `release`, or until the process ends."""

    def __init__(self, folder: Path, *, replace: bool = False) -> None:
        """Raises `StateError` naming the folder and the process that holds it.

        With `replace` the lock of a service that hangs gives way.
        """
        super().__init__(
            folder / LOCK_FILE,
            str(folder),
            {"data_dir": "a folder that no running service uses, or stop that service first"},
            replace=replace,
        )


def take_over(folder: Path, *, hangs: bool) -> FolderLock:
    """The folder's lock, for the service that leads now.

    The service before has ended or ends soon; if it does not within `PATIENCE_S`, or `hangs`, its
    lock gives way.
    """
    until = time.monotonic() + (0.0 if hangs else PATIENCE_S)
    while time.monotonic() < until:
        try:
            return FolderLock(folder)
        except StateError:
            time.sleep(0.05)
    return FolderLock(folder, replace=True)
