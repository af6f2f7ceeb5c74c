"""The files that a job left: none outside its folder, whatever a name or a link says."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from api.schemas import ArtifactOut
from api.schemas.fields import instant
from scheduler.domain.errors import MissingError
from scheduler.storage.stored_folders import STUB, read_stub
from scheduler.text import shown

_TYPES = {
    ".csv": "text/csv",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".pt": "application/octet-stream",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""What the platform's own table may not know; set, so that every machine answers alike."""


def list_files(folder: Path) -> Iterator[ArtifactOut]:
    """Regular files below `folder`, and those stored in its place, by name.

    Links are not followed and not listed.
    """
    found = {
        name: _listed(shown(name), stored.size, stored.mtime_ns / 1e9)
        for name, stored in read_stub(folder)[1].items()
    }
    found |= {file.name: file for file in _below(folder, "") if file.name != STUB}
    yield from sorted(found.values(), key=lambda file: file.name)


def find(folder: Path, name: str) -> tuple[Path, os.stat_result, str]:
    """The file called `name` below `folder`, its figures and its media type.

    Raises `MissingError` for whatever is not a regular file below it: a name that climbs out,
    an absolute one, a link anywhere on the way.
    """
    path, found = folder, None
    if stays_below(name):
        for part in name.split("/"):
            path = _entry(path, part)
            try:
                found = path.lstat()
            except OSError:
                found = None
            if found is None or stat.S_ISLNK(found.st_mode):
                found = None
                break
    if found is None or not stat.S_ISREG(found.st_mode):
        raise MissingError(
            f"the job has no artifact {name!r}", {"name": "one of those listed at …/artifacts"}
        )
    return path, found, media_type(name)


def stays_below(name: str) -> bool:
    """Whether the name stays below its folder: it is not absolute, and does not climb out."""
    return "\0" not in name and not any(part in ("", ".", "..") for part in name.split("/"))


def _entry(folder: Path, name: str) -> Path:
    """The entry that is listed as `name`; names that are not UTF-8 are listed with escapes."""
    path = folder / name
    if "\\" not in name or path.is_symlink() or path.exists():
        return path
    with suppress(OSError):
        return next((one for one in folder.iterdir() if shown(one.name) == name), path)
    return path


def media_type(name: str) -> str:
    """The media type that the ending of the name stands for."""
    suffix = Path(name).suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _below(folder: Path, prefix: str) -> Iterator[ArtifactOut]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            name = f"{prefix}{shown(entry.name)}"
            if entry.is_dir(follow_symlinks=False):
                yield from _below(folder / entry.name, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                figures = entry.stat(follow_symlinks=False)
                yield _listed(name, figures.st_size, figures.st_mtime)


def _listed(name: str, size: int, time: float) -> ArtifactOut:
    return ArtifactOut(name=name, size=size, modified_at=instant(time), media_type=media_type(name))
