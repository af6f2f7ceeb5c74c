"""Whether the SQLite file that is open is still the one that its path names, and whole."""

from __future__ import annotations

import os
from pathlib import Path

MAGIC = b"SQLite format 3\0"


class StoreFile:
    """The database's file and its write-ahead log, as they were when the store was opened.

    SQLite writes on into a file that has been removed or renamed: what is committed there is
    lost. And it reads pages from memory, so that damage on the disk may show late.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[Path, tuple[int, int]] = {}
        self._size = 0
        self._file: int | None = None
        """Open until `close`: closing it would free SQLite's own locks on the file (POSIX)."""

    def pin(self) -> None:
        """The files that are open now; call it once a transaction has been made."""
        for part in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            stat = part.stat()
            self._parts[part] = (stat.st_dev, stat.st_ino)
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Once SQLite has closed the file; again: no effect."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def moved(self) -> str | None:
        """A sentence if a file is not where it was; costs two looks at a folder."""
        for part, identity in self._parts.items():
            try:
                stat = part.stat()
            except OSError as error:
                return f"the store's file {part} is gone or out of reach ({error.strerror})"
            if (stat.st_dev, stat.st_ino) != identity:
                return f"the store's file {part} has been replaced while the service runs"
        return None

    def damaged(self) -> str | None:
        """A sentence if the file on the disk is cut short or no longer begins as a database."""
        if self._file is None:
            return None
        try:
            begin, size = os.pread(self._file, len(MAGIC), 0), os.fstat(self._file).st_size
        except OSError as error:
            return f"the store's file {self.path} cannot be read ({error.strerror})"
        if size < self._size:
            return f"the store's file {self.path} has been cut short"
        if size and begin != MAGIC:
            return f"the store's file {self.path} is damaged: its beginning is overwritten"
        self._size = size
        return None
