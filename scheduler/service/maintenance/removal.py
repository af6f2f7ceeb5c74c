"""Removal of a job's files: never through a link, and never outside its folder.

Every folder is opened without following a link and then named by its descriptor, so that nothing
a job does meanwhile leads out of it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scheduler.service.maintenance.disk_usage import MODELS, Kind, is_record
from scheduler.storage.stored_folders import STUB


def remove(folder: Path, kind: Kind) -> None:
    """Remove one kind of a job's files. Raises `OSError` if something cannot be removed."""
    with _opened(str(folder), None) as job:
        if kind is Kind.CHECKPOINTS:
            _drop(job, lambda name: name == "checkpoints")
        elif kind is Kind.LOGS:
            for name in _names(job):
                if name.startswith("attempt-") and _is_folder(name, job):
                    with _opened(name, job) as attempt:
                        _drop(attempt, partial(_no_record, attempt))
        elif _is_folder("artifacts", job):
            with _opened("artifacts", job) as artifacts:
                models = kind is Kind.MODELS
                _drop(artifacts, lambda name: name != STUB and (name in MODELS) == models)


def _no_record(folder: int, name: str) -> bool:
    return not is_record(name, partial(os.stat, name, dir_fd=folder))


def _drop(folder: int, wanted: Callable[[str], bool]) -> None:
    for name in filter(wanted, _names(folder)):
        if _is_folder(name, folder):
            try:
                shutil.rmtree(name, dir_fd=folder)
            except RecursionError:
                raise OSError(f"{name} is nested too deeply to be removed") from None
        else:
            os.unlink(name, dir_fd=folder)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _is_folder(name: str, parent: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _opened(name: str, parent: int | None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
