"""Statements in the dialect of either database, and many new rows by one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Columns = tuple[str, ...]

PARAMETERS = 10_000
"""Values in one IN list; SQLite takes 32,766 parameters in all, two for a pair."""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts that fit one statement; none for no values."""
    for start in range(0, len(values), PARAMETERS):
        yield values[start : start + PARAMETERS]


@cache
def upsert(dialect: str, table: Table) -> Executable:
    """Insert into `table`, or overwrite the row with the same primary key."""
    statement: Any = {"sqlite": sqlite, "postgresql": postgresql}[dialect].insert(table)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    overwriting: Executable = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=changed
    )
    return overwriting


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns; none for no rows.

    Values go to the driver as they are: storable text, plain numbers, and JSON as text. SQLAlchemy
    would convert each value of each row again, which takes longer than the insert itself.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    text, names = _insertion(connection.dialect, table, columns)
    if names:
        connection.exec_driver_sql(text, [tuple(row[name] for name in names) for row in rows])
    else:
        connection.exec_driver_sql(text, list(rows))


@cache
def _insertion(dialect: Dialect, table: Table, columns: Columns) -> tuple[str, Columns]:
    """The statement, and its parameters in order; no names if the driver takes them by name."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    return str(compiled), tuple(compiled.positiontup or ())
