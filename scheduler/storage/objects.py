"""The storage: objects under names, which appear whole or not at all. Any URL of fsspec serves.

Obligations, whatever the URL:

- **Atomic.** A reader gets an object as one `put` wrote it, never half of it.
- **Fresh.** A `get` or `sizes` after a `put` shows it, on every machine.
- **Plain errors.** Whatever goes wrong is an `OSError`; an object that is missing is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scheduler.domain.errors import InputError
from scheduler.files import draft

_LOCAL = "file"
_EXAMPLES = "file:///mnt/fulcrum, s3://bucket/fulcrum or another URL that fsspec knows"


class ObjectStorage:
    """The objects below one URL. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Raises `InputError` naming `storage` for a URL whose protocol is not installed."""
        self.url = url
        import fsspec  # only who has a storage waits for it

        try:
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError, TypeError) as error:
            raise InputError(f"{url} cannot be used: {error}", {"storage": _EXAMPLES}) from None
        self._root: str = root.rstrip("/")
        protocol = self._fs.protocol
        self._local = _LOCAL in ((protocol,) if isinstance(protocol, str) else protocol)

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole; raises `OSError`."""
        with self._reported(name):
            if self._local:
                path = self._folder_made(name)
                with draft(path) as beside:
                    beside.write_bytes(data)
            else:
                self._fs.pipe_file(self._at(name), data)

    def put_file(self, name: str, source: Path) -> None:
        """Write an object with the content of a file; raises `OSError`."""
        with self._reported(name):
            if self._local:
                with draft(self._folder_made(name)) as beside:
                    self._fs.put_file(str(source), str(beside))
            else:
                self._fs.put_file(str(source), self._at(name))

    def get(self, name: str) -> bytes | None:
        """The object; None if there is none. Raises `OSError`."""
        with self._reported(name):
            try:
                data: bytes = self._fs.cat_file(self._at(name))
            except FileNotFoundError:
                return None
            return data

    def get_file(self, name: str, target: Path) -> None:
        """Write the object to a file, whole; raises `FileNotFoundError`, `OSError`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reported(name), draft(target) as beside:
            self._fs.get_file(self._at(name), str(beside))

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Bytes of each object below a folder, by its name there; empty if there is none."""
        with self._reported(folder):
            try:
                found: Mapping[str, Mapping[str, Any]]
                found = self._fs.find(self._at(folder), detail=True)
            except FileNotFoundError:
                return {}
            start = len(self._at(folder)) + 1
            named = {name[start:]: int(each.get("size") or 0) for name, each in found.items()}
            return {name: size for name, size in named.items() if name and not _is_draft(name)}

    def remove(self, folder: str) -> None:
        """Remove an object, or all below a folder; what is not there is no error."""
        with self._reported(folder), suppress(FileNotFoundError):
            self._fs.rm(self._at(folder), recursive=True)

    def move(self, folder: str, target: str) -> None:
        """Rename a folder; raises `OSError`."""
        with self._reported(folder):
            if self._local:
                self._fs.mv(self._at(folder), self._at(target), recursive=True)
                return
            # `mv` of a bucket takes the folders in between for objects.
            for name in self.sizes(folder):
                self._fs.cp_file(self._at(f"{folder}/{name}"), self._at(f"{target}/{name}"))
            self.remove(folder)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _folder_made(self, name: str) -> Path:
        path = Path(self._at(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        """Libraries of clouds have errors of their own."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{self.url}/{name}: {type(error).__name__}: {error}") from error


def check_url(url: str) -> str:
    """Return `url`; raises `ValueError` unless it is a URL without a user or a password."""
    if re.fullmatch(r"[a-z0-9+]+://[^@]+", url):
        return url
    raise ValueError(
        f"{url.rpartition('@')[2]!r} is not the URL of a storage; legal: {_EXAMPLES}, without a "
        "user or a password"
    )


def _is_draft(name: str) -> bool:
    last = os.path.basename(name)  # noqa: PTH119 - a name, no path
    return last.startswith(".") and last.endswith(".tmp")
