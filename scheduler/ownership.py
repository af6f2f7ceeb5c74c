"""Folders of jobs carry a mark that says which job they were made for.

A number alone does not: after a database was restored, removed or exchanged, it may come again.
What lies under another mark is moved aside, so nobody reads it and nothing is lost.
"""

from __future__ import annotations

import os
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

    A nonce is empty for jobs of before there were nonces, whose folders have no mark. Raises
    `OSError`.
    """
    if os.path.lexists(folder):
        if folder.is_dir() and not folder.is_symlink() and owner(folder) == nonce:
            return
        move_aside(folder)
    folder.mkdir(parents=True)
    if nonce:
        # A power cut right now may take the mark along, but then there is nothing in the folder.
        try:
            (folder / MARK).write_text(f"{nonce}\n")
        except OSError:  # a full disk: without its mark the folder would seem another job's
            (folder / MARK).unlink(missing_ok=True)
            folder.rmdir()
            raise


def move_aside(folder: Path) -> Path:
    """Rename to `NAME.before-TIME`, which is returned. Raises `OSError`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = folder.with_name(f"{folder.name}.before-{stamp}")
    count = 1
    while os.path.lexists(aside):
        count += 1
        aside = folder.with_name(f"{folder.name}.before-{stamp}-{count}")
    folder.rename(aside)
    return aside
