"""Statements that both databases know, each in its own dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

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
