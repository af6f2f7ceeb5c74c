"""Files that appear whole or not at all, files of jobs, and paths as people write them."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from scheduler.domain.errors import InputError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PAUSE_S = 1.0


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file that a job may have replaced or removed. Never waits.

    Raises `OSError` for a link, a folder or a pipe that nobody reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "ab") as file:
        file.write(text.encode())


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


def regular(path: Path) -> BinaryIO:
    """Open a file that a job wrote for reading, unless it blocks or leads elsewhere.

    Raises `FileNotFoundError` for anything but a regular file: a named pipe would block its reader
    for ever, a link would show a file that is not the job's. Raises `OSError` as `open` does.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FileNotFoundError(errno.ENOENT, "a link, not a file", str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def expanded(path: str | Path) -> Path:
    """`path` with `~` filled in. Raises `InputError` if no home folder is known for it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(
            f"{path}: no such home folder is known",
            {"path": "one without ~, or with $HOME set to the home folder of an existing user"},
        ) from None


def lacks_room(error: OSError) -> bool:
    """Whether the error means that the disk, or the user's share of it, is full."""
    return error.errno in _NO_ROOM


def with_room(write: Callable[[], None], tell: Callable[[OSError], None] | None = None) -> None:
    """Call `write` once a second until the disk has space for it; other errors are raised.

    `tell` is called whenever there was no space.
    """
    while True:
        try:
            return write()
        except OSError as error:
            if not lacks_room(error):
                raise
            if tell is not None:
                tell(error)
        time.sleep(_PAUSE_S)
