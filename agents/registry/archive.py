"""An artifact in one file, `.tar.gz` or `.zip`: to send it, and to take it from others.

An archive from elsewhere is never unpacked: its two files are read into memory, each up to a
limit, and anything else in it makes it refused.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agents.serving.artifact import LARGEST, MANIFEST, WEIGHTS
from scheduler.domain.errors import InputError, StateError
from scheduler.files import draft

ZIP, TARS = ".zip", (".tar.gz", ".tgz")
_FILES = (WEIGHTS, MANIFEST)
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged archive raises."""
_LEGAL = f"an archive with {WEIGHTS} and {MANIFEST}, as `fulcrum policy export` writes it"


def pack(folder: Path, file: Path, *, overwrite: bool = False) -> None:
    """Write the artifact in `folder` to `file`; equal artifacts give equal archives.

    Raises `InputError` for another ending or if it cannot be written, `StateError` if it is
    there already.
    """
    form = _form(file)
    if file.exists() and not overwrite:
        raise StateError(f"{file} exists already", {"file": "a new one, or --force"})
    try:
        with draft(file) as beside:
            (_zip if form == ZIP else _tar)(folder, beside)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error}", {"file": "a path"}) from error


def unpack(file: Path) -> tuple[bytes, bytes]:
    """(weights, manifest) of an archive, or of the folder of an artifact; not yet verified.

    Raises `InputError` if it holds anything but these two files, or more than they may have.
    """
    if file.is_dir():
        members = ((name, (file / name).open("rb")) for name in _FILES if (file / name).is_file())
        return _taken(file, members)
    form = _form(file)
    try:
        if file.stat().st_size > LARGEST:
            raise _refused(file, f"it has more than {LARGEST} bytes")
        if form == ZIP:
            with zipfile.ZipFile(file) as archive:
                return _taken(file, _zipped(file, archive))
        # As a stream: nothing is read ahead, so the first illegal member ends it.
        with tarfile.open(file, "r|gz") as tar:
            return _taken(file, _tarred(file, tar))
    except _BROKEN as error:
        raise _refused(file, f"it cannot be read: {error}") from error


def _form(file: Path) -> str:
    for form in (ZIP, *TARS):
        if file.name.endswith(form):
            return form
    raise InputError(
        f"{file.name} is no archive of a known form", {"file": f"NAME{TARS[0]} or NAME{ZIP}"}
    )


def _zip(folder: Path, part: Path) -> None:
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _FILES:
            archive.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())


def _tar(folder: Path, part: Path) -> None:
    import gzip

    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name in _FILES:
            content = (folder / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _zipped(file: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in archive.infolist():
        if member.flag_bits & 1:
            raise _refused(file, "it is encrypted")
        # Links are files in a zip, with their target as content: they lead nowhere here.
        if member.filename not in _FILES:
            raise _refused(file, f"it holds {member.filename[:80]!r}")
        yield member.filename, archive.open(member)


def _tarred(file: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in archive:
        content = archive.extractfile(member) if member.isreg() else None
        if content is None or member.name not in _FILES:
            raise _refused(file, f"it holds {member.name[:80]!r}")
        yield member.name, content


def _taken(file: Path, members: Iterator[tuple[str, IO[bytes]]]) -> tuple[bytes, bytes]:
    found: dict[str, bytes] = {}
    for name, content in members:
        with content:
            if name in found:
                raise _refused(file, f"it holds {name} twice")
            found[name] = content.read(LARGEST + 1)
        if len(found[name]) > LARGEST:
            raise _refused(file, f"{name} has more than {LARGEST} bytes")
    missing = [name for name in _FILES if name not in found]
    if missing:
        raise _refused(file, f"there is no {missing[0]} in it")
    return found[WEIGHTS], found[MANIFEST]


def _refused(file: Path, why: str) -> InputError:
    return InputError(f"{file.name} is refused: {why}", {"file": _LEGAL})
