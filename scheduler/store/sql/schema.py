"""The schema's version, and the way from an older one to this program's."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect

from scheduler.domain.errors import InputError, OutageError
from scheduler.store.sql.database import Database

HEAD = "0008"
"""Newest migration in `migrations/versions`: the schema that `tables` describes."""

MIGRATIONS = Path(__file__).parent / "migrations"

_WHOLE = (
    "a database that Fulcrum made, or the path of no file yet; `fulcrum restore FILE` puts a "
    "backup in the place of a damaged one"
)

_ALEMBIC = threading.Lock()
"""Alembic keeps the running migration in module variables."""


def prepare(database: Database) -> None:
    """Bring the database to `HEAD`; one that is there already costs one small query.

    Raises `InputError` if the file is no database, is someone else's, or is of a newer Fulcrum.
    """
    try:
        with database.read() as connection:
            if version(connection) == HEAD:
                return
        with _ALEMBIC, database.write() as connection:
            upgrade(connection)
    except OutageError as error:
        if not database.damaged:
            raise
        raise InputError(
            f"{database.file} is damaged or is not a SQLite database",
            {"store.url": _WHOLE},
        ) from error


def verify(database: Database) -> None:
    """Read a SQLite file through for damage; takes about a second per gigabyte.

    Raises `InputError` saying what is damaged.
    """
    if database.file is None:
        return
    try:
        with database.read() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except OutageError as error:
        if not database.damaged:
            raise
        found = error.message
    if found != "ok":
        raise InputError(
            f"{database.file} is damaged: {found}",
            {"store.url": _WHOLE},
        )


def version(connection: Connection) -> str | None:
    """The migration the database stands at; None before the first.

    Raises `InputError` if it holds tables, but not Fulcrum's.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if found is None else str(found)
    if tables:
        raise InputError(
            f"the database holds other tables: {', '.join(sorted(tables)[:5])}",
            {"store.url": "a database that Fulcrum made, or an empty one"},
        )
    return None


def upgrade(connection: Connection, target: str = HEAD) -> None:
    """Run the migrations up to `target` in the connection's transaction.

    Called with the write lock held, so that of two processes that start together the second
    finds the work done. Raises `InputError` if the database is newer than this program.
    """
    found = version(connection)
    if found == target:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise InputError(
            f"the database has schema {found}, made by a newer Fulcrum; this one knows {HEAD}",
            {"store.url": f"a database of schema {HEAD} or older; or install the newer Fulcrum"},
        )
    config.attributes["connection"] = connection
    command.upgrade(config, target)
