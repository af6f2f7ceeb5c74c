"""One service per data folder."""

from __future__ import annotations

from pathlib import Path

from scheduler.locks import ServiceLock

LOCK_FILE = "service.lock"


class FolderLock(ServiceLock):
    """Held from its creation until `release`, or until the process ends."""

    def __init__(self, folder: Path) -> None:
        """Raises `StateError` naming the folder and the process that holds it."""
        super().__init__(
            folder / LOCK_FILE,
            str(folder),
            {"data_dir": "a folder that no running service uses, or stop that service first"},
        )
