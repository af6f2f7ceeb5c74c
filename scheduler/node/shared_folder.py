"""Whether a node sees the service's data folder: a file there that both must read alike."""

from __future__ import annotations

import os
from pathlib import Path

from scheduler.files import write_text

MARK_FILE = Path("ray") / "shared"


def mark(folder: Path) -> str:
    """The text of the folder's mark, which is made when it is missing. Raises `OSError`."""
    path = folder / MARK_FILE
    if not path.exists():
        write_text(path, os.urandom(16).hex(), private=True, replace=False)
    return path.read_text(encoding="utf-8")


def problem(folder: Path, expected: str) -> str:
    """Why this machine cannot use the folder whose mark is `expected`; empty: it can."""
    try:
        found = (folder / MARK_FILE).read_text(encoding="utf-8")
        probe = folder / MARK_FILE.parent / f"probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except FileNotFoundError:
        return f"it does not see the service's data folder {folder}: mount it there"
    except OSError as error:
        return f"it cannot use the service's data folder {folder}: {error.strerror}"
    return "" if found == expected else f"{folder} is another folder there than on the service"
