"""Archives that older versions exported, `.tar.gz` or `.zip`, with a model and its manifest.

An archive is never unpacked to disk. Its two members are read into memory, each up to a limit, and
any other member makes it refused.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from agents.serving.artifact import FILE, LARGEST, OLD_MANIFEST, pack
from scheduler.domain.errors import InputError

_BROKEN = (
    OSError, EOFError, ValueError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Exceptions that a damaged or encrypted archive raises."""


def converted(content: bytes) -> bytes:
    """The content of an artifact's file, if `content` is an old archive; else `content` itself.

    Raises `InputError` for an archive that is damaged or holds anything else.
    """
    if not content.startswith((b"\x1f\x8b", b"PK")):
        return content
    found: dict[str, bytes] = {}
    try:
        for name, member in (_zipped if content.startswith(b"PK") else _tarred)(content):
            if member is None or name in found or name not in (FILE, OLD_MANIFEST):
                raise _refused(f"it holds {name[:80]!r}")
            found[name] = member.read(LARGEST + 1)
            if len(found[name]) > LARGEST:
                raise _refused(f"{name} has more than {LARGEST} bytes")
    except _BROKEN as error:
        raise _refused(f"it cannot be read: {error}") from error
    for name in (FILE, OLD_MANIFEST):
        if name not in found:
            raise _refused(f"it has no {name}")
    return pack(found[FILE], found[OLD_MANIFEST])


def _zipped(content: bytes) -> Iterator[tuple[str, IO[bytes] | None]]:
    # In a zip a link is a file with its target as content, so it leads nowhere here.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            yield member.filename, archive.open(member)


def _tarred(content: bytes) -> Iterator[tuple[str, IO[bytes] | None]]:
    # As a stream: nothing is read ahead, so the first illegal member ends it.
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|gz") as archive:
        for member in archive:
            yield member.name, archive.extractfile(member) if member.isreg() else None


def _refused(why: str) -> InputError:
    return InputError(
        f"the archive is refused: {why}", {"file": "what `fulcrum policy export` wrote"}
    )
