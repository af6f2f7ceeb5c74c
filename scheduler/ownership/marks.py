"""Marks that say which job a folder was made for.

A number alone does not: after a database was restored, removed or exchanged, it may come again.
A folder with another mark is moved aside, so nobody reads it and nothing is lost.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from scheduler.files import regular

MARK = ".job"
"""In a job's folder: the job's nonce."""
_LONGEST = 100


def owner(folder: Path) -> str:
    """The nonce that `folder` is marked with; empty if it has no legible mark."""
    try:
        with regular(folder / MARK) as file:
            return file.read(_LONGEST).decode("ascii", "replace").strip()
    except OSError:
        return ""


def claim(folder: Path, nonce: str) -> None:
    """Make `folder` for the job with `nonce`, or find it made; another job's is moved aside.

    Jobs that are older than nonces have an empty one, and folders without a mark. Raises
    `OSError`.
    """
    if os.path.lexists(folder):
        if folder.is_dir() and not folder.is_symlink() and owner(folder) == nonce:
            return
        move_aside(folder)
    if not nonce:
        folder.mkdir(parents=True, exist_ok=True)
        return
    # With its mark from the first moment on: parts of one attempt may all be making it.
    beside = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}.tmp")
    beside.mkdir(parents=True)
    try:
        # A power cut may remove the mark, but then the folder is empty.
        (beside / MARK).write_text(f"{nonce}\n")
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if owner(folder) != nonce:
            raise


def move_aside(folder: Path) -> Path:
    """Rename the folder to `NAME.before-TIME` and return that path. Raises `OSError`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = folder.with_name(f"{folder.name}.before-{stamp}")
    count = 1
    while os.path.lexists(aside):
        count += 1
        aside = folder.with_name(f"{folder.name}.before-{stamp}-{count}")
    folder.rename(aside)
    return aside
