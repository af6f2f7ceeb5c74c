"""Files that appear whole or not at all, and paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path

from scheduler.domain.errors import InvalidError


def write_bytes(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; it survives a power cut. Its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def expanded(path: str | Path) -> Path:
    """`path` with `~` filled in. Raises `InvalidError` if no home folder is known for it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidError(
            f"{path}: no such home folder is known",
            {"path": "one without ~, or with $HOME set to the home folder of an existing user"},
        ) from None
