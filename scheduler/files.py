"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PAUSE_S = 1.0


def write_bytes(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; it survives a power cut. Its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def lacks_room(error: OSError) -> bool:
    """Whether it means that the disk, or the user's share of it, is full."""
    return error.errno in _NO_ROOM


def with_room(write: Callable[[], None]) -> None:
    """Call `write` once a second until the disk has room for it; other errors are raised."""
    while True:
        try:
            return write()
        except OSError as error:
            if not lacks_room(error):
                raise
        time.sleep(_PAUSE_S)
