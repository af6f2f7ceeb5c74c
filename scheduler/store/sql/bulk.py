"""Many new rows of one table by one prepared statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert

Columns = tuple[str, ...]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns; none for no rows.

    Values go to the driver as they are: storable text, plain numbers, and JSON as text. SQLAlchemy
    would convert each value of each row again, which takes longer than the insert itself.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    text, names = _statement(connection.dialect, table, columns)
    if names:
        connection.exec_driver_sql(text, [tuple(row[name] for name in names) for row in rows])
    else:
        connection.exec_driver_sql(text, list(rows))


@cache
def _statement(dialect: Dialect, table: Table, columns: Columns) -> tuple[str, Columns]:
    """The statement, and its parameters in order; no names if the driver takes them by name."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    return str(compiled), tuple(compiled.positiontup or ())
