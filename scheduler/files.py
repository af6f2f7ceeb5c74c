"""Files that appear whole or not at all, files of jobs, and paths as people write them."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from scheduler.domain.errors import InputError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PAUSE_S = 1.0
_T = TypeVar("_T")


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file that a job may have replaced or removed. Never waits.

    Raises `OSError` for a link, a folder or a pipe that nobody reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "ab") as file:
        file.write(text.encode())


@contextmanager
def draft(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to, which is renamed to `path` when the block ends.

    Without `replace`, a file that is there stays. If the block raises, `path` stays as it was.
    """
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        yield beside
        if replace:
            beside.replace(path)
        else:
            _rename_unless_taken(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(
    path: Path, data: bytes, *, private: bool = False, durable: bool = True, replace: bool = True
) -> None:
    """Write the file whole or not at all. Its folder is made. Raises `OSError`.

    `private`: only its owner may read it. `durable`: it survives a power cut once this returns.
    Without `replace`, a file that is there stays, so writers agree on the first one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    mode = 0o600 if private else 0o666
    with (
        draft(path, replace=replace) as beside,
        os.fdopen(os.open(beside, flags, mode), "wb") as file,
    ):
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    if durable:
        _sync_folder(path.parent)


def write_text(
    path: Path, text: str, *, private: bool = False, durable: bool = True, replace: bool = True
) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode(), private=private, durable=durable, replace=replace)


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


def is_disk_full(error: OSError) -> bool:
    """Whether it means that the disk, or the user's share of it, is full."""
    return error.errno in _NO_ROOM


def wait_for_space(write: Callable[[], _T], tell: Callable[[OSError], None] | None = None) -> _T:
    """Call `write` once a second until the disk has space for it; other errors are raised.

    `tell` is called each time that the disk is full.
    """
    while True:
        try:
            return write()
        except OSError as error:
            if not is_disk_full(error):
                raise
            if tell is not None:
                tell(error)
        time.sleep(_PAUSE_S)


def _rename_unless_taken(beside: Path, path: Path) -> None:
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        return
    except PermissionError:  # a file system without hard links
        if not os.path.lexists(path):
            beside.replace(path)


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
