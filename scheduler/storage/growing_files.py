"""Files that only grow, such as logs: kept as pieces of equal length, of which the last grows.

An object cannot be appended to, and a log that is written whole each second costs more with each
line. So only the last piece is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from scheduler.files import regular
from scheduler.storage.objects import ObjectStorage

PIECE = 1 << 20
"""Bytes of a whole piece."""


class GrowingFile:
    """One local file on its way to the storage. One thread uses it."""

    def __init__(self, storage: ObjectStorage, name: str, path: Path) -> None:
        self._storage = storage
        self._name = name
        self._path = path
        self._sent: int | None = None
        """Bytes that the storage has; None: not asked yet."""

    def send(self) -> None:
        """Bring the storage up to date; a file that is missing counts as empty. Raises `OSError`.

        A file that has become shorter, because its middle was cut out, is sent as a whole.
        """
        try:
            file = regular(self._path)
        except FileNotFoundError:
            return
        with file:
            size = file.seek(0, 2)
            if self._sent is None:
                self._sent = sum(self._storage.sizes(self._name).values())
            if size < self._sent:
                self._storage.remove(self._name)
                self._sent = 0
            while self._sent < size:
                number = self._sent // PIECE
                file.seek(number * PIECE)
                data = file.read(min(PIECE, size - number * PIECE))
                if number * PIECE + len(data) <= self._sent:
                    return  # it was cut meanwhile; the next call sees that
                self._storage.put(f"{self._name}/{number:06d}", data)
                self._sent = number * PIECE + len(data)


def receive(storage: ObjectStorage, name: str, sizes: Iterable[int], path: Path) -> bool:
    """Bring the file at `path` up to date; whether it was not.

    `sizes`: of its pieces, in order. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    have = path.stat().st_size if path.exists() else 0
    total = sum(sizes)
    if total == have:
        return False
    with path.open("r+b" if path.exists() else "wb") as file:
        if total < have:
            file.truncate(0)
            have = 0
        while have < total:
            number = have // PIECE
            data = storage.get(f"{name}/{number:06d}") or b""
            fresh = data[have - number * PIECE :]
            if not fresh:
                break
            file.seek(have)
            file.write(fresh)
            have += len(fresh)
    return True


def pieces(found: Mapping[str, int]) -> dict[str, list[int]]:
    """Growing files among objects: name → sizes of its pieces, in order."""
    grouped: dict[str, dict[str, int]] = {}
    for name, size in found.items():
        folder, _, piece = name.rpartition("/")
        if folder and piece.isdecimal():
            grouped.setdefault(folder, {})[piece] = size
    return {name: [size for _, size in sorted(each.items())] for name, each in grouped.items()}
