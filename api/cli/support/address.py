"""Where clients on this machine find the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.client.connection import ADDRESS_FILE
from scheduler.files import write_text


@contextmanager
def announced(data_dir: Path, url: str) -> Iterator[Path]:
    """Write the address file (0600) and remove it when the service stops."""
    path = data_dir / ADDRESS_FILE
    write_text(path, f"{url}\n", private=True, durable=False)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
