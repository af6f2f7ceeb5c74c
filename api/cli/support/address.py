"""Where clients on this machine find the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.client.connection import ADDRESS_FILE


@contextmanager
def announced(data_dir: Path, url: str) -> Iterator[Path]:
    """Write the address file (0600) and remove it when the service stops."""
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
