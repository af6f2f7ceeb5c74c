"""What the files of jobs take on disk and in the storage, by kind; links are never followed."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from scheduler.service.paths import Paths
from scheduler.storage.stored_folders import STUB, read_stub

MODELS = frozenset({"model.pt", "model.json"})
"""The files of a job's artifacts that other jobs may read."""
_RECORD_BYTES = 1 << 20


class Kind(StrEnum):
    """The kinds of files."""

    LOGS = "logs"
    """Output, metrics and all else in an attempt's folder, except its records."""
    CHECKPOINTS = "checkpoints"
    ARTIFACTS = "artifacts"
    """All artifacts but the model."""
    MODELS = "models"
    """`model.pt` and `model.json` of a training."""
    OTHER = "other"
    """Records of attempts and what belongs to no job; never pruned."""
    DATABASE = "database"


PRUNABLE = (Kind.LOGS, Kind.CHECKPOINTS, Kind.ARTIFACTS, Kind.MODELS)


def jobs(folders: Paths) -> Iterator[int]:
    """The numbers of all jobs that have a folder."""
    try:
        entries = os.scandir(folders.root)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.name.isdecimal() and entry.is_dir(follow_symlinks=False):
                yield int(entry.name)


def of_job(folders: Paths, job: int) -> Counter[Kind]:
    """Bytes of one job's files by kind."""
    sizes: Counter[Kind] = Counter()
    seen: set[tuple[int, int]] = set()
    for entry in entries_of(folders.job(job)):
        if entry.name == "checkpoints":
            sizes[Kind.CHECKPOINTS] += _tree(entry, seen)
            sizes[Kind.CHECKPOINTS] += sum(size for _, size in _stored(entry))
        elif entry.name == "artifacts":
            for file in below(entry):
                kind = Kind.MODELS if file.name in MODELS else Kind.ARTIFACTS
                sizes[kind] += _tree(file, seen) if file.name != STUB else 0
            for name, size in _stored(entry):
                sizes[Kind.MODELS if name in MODELS else Kind.ARTIFACTS] += size
        elif entry.name.startswith("attempt-"):
            for file in below(entry):
                kind = Kind.OTHER if is_record(file.name, file.stat) else Kind.LOGS
                sizes[kind] += _tree(file, seen)
        else:
            sizes[Kind.OTHER] += _tree(entry, seen)
    return +sizes


def others(folders: Paths) -> int:
    """Bytes of the files beside the jobs' folders."""
    return sum(
        _tree(entry, set())
        for entry in entries_of(folders.root)
        if not (entry.name.isdecimal() and entry.is_dir(follow_symlinks=False))
    )


def of_files(paths: Iterator[Path]) -> int:
    """Bytes of the files that exist."""
    total = 0
    for path in paths:
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def is_record(name: str, look: Callable[..., os.stat_result]) -> bool:
    """Whether a file of an attempt's folder is part of the history, which stays.

    `look(follow_symlinks=False)` returns its status.
    """
    if not (name.endswith(".json") or name == "claim"):
        return False
    try:
        figures = look(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(figures.st_mode) and figures.st_size <= _RECORD_BYTES


def entries_of(folder: Path | str) -> list[os.DirEntry[str]]:
    """The entries of a folder; none if it cannot be read or is a link."""
    try:
        if Path(folder).is_symlink():
            return []
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def below(entry: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """The entries of a folder, given by its own entry."""
    return entries_of(entry.path) if entry.is_dir(follow_symlinks=False) else []


def _stored(entry: os.DirEntry[str]) -> Iterator[tuple[str, int]]:
    """Names and bytes of the files that the storage has in place of a folder."""
    for name, file in read_stub(Path(entry.path))[1].items():
        yield name, file.size


def _tree(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> int:
    """Bytes on disk of a file, or of all files below a folder; one with two names counts once."""
    total, stack = 0, [entry]
    while stack:
        one = stack.pop()
        try:
            figures = one.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(figures.st_mode):
            stack += below(one)
            continue
        if figures.st_nlink > 1:
            if (figures.st_dev, figures.st_ino) in seen:
                continue
            seen.add((figures.st_dev, figures.st_ino))
        total += figures.st_blocks * 512
    return total
