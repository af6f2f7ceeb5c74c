"""A copy of a SQLite database as it is at one instant, while a service writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from scheduler.domain.errors import InputError, OutageError


def copy(file: Path, target: Path) -> None:
    """Copy the database with SQLite's online backup, and read the copy through for damage.

    Writers go on meanwhile: what they commit after the begin is not in the copy. Raises
    `InputError` if the database is damaged, `OutageError` if it cannot be read or `target`
    cannot be written.
    """
    try:
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as source,
            closing(sqlite3.connect(target)) as made,
        ):
            source.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            (found,) = made.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            found = str(error)
        else:
            raise OutageError(f"{file} cannot be copied: {error}") from error
    if found != "ok":
        raise InputError(
            f"{file} is damaged: {found}", {"database": "a whole one: restore an earlier backup"}
        )
