"""The store in a SQL database: SQLite by default, PostgreSQL where several machines share it."""

from scheduler.store.sql.store import SqlStore

__all__ = ["SqlStore"]
