"""One service per data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.client.connection import ADDRESS_FILE
from scheduler.domain.errors import ConflictError

LOCK_FILE = "serve.lock"


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder; raises `ConflictError` if a living service holds it.

    A POSIX record lock: it dies with the process however that ends, and the attempts' processes,
    which outlive the service, do not inherit it.
    """
    path = data_dir / LOCK_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = file.read().strip() or "unknown"
            address = _text(data_dir / ADDRESS_FILE)
            where = f" at {address}" if address else ""
            raise ConflictError(
                f"a service (process {pid}{where}) already uses {data_dir}",
                {"data": "another folder, or stop that service first"},
            ) from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def announced(data_dir: Path, url: str) -> Iterator[Path]:
    """The address file, as long as the service listens."""
    path = data_dir / ADDRESS_FILE
    fresh = path.with_name(f".{ADDRESS_FILE}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{url}\n")
    fresh.replace(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
