"""How many durable commits per second plain SQLite does here: what submissions are held against.

python -m benchmarks.raw_sqlite [SECONDS] [FOLDER]
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks import arguments

ROW = "x" * 512
"""Text of about a job's size."""


def commits_per_second(folder: Path, seconds: float = 3.0) -> float:
    """One row, one transaction, one flush to disk (WAL, synchronous=FULL), again and again.

    `folder` must be on the disk that is to be measured; the database is removed at the end.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        file = Path(scratch) / "raw.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, spec TEXT NOT NULL)")
            return _insert(connection, seconds)


def _insert(connection: sqlite3.Connection, seconds: float) -> float:
    commits = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO jobs (spec) VALUES (?)", (ROW,))
        connection.execute("COMMIT")
        commits += 1
    return commits / elapsed


if __name__ == "__main__":
    own = arguments.parser(__doc__, "raw_sqlite")
    own.add_argument("seconds", nargs="?", type=float, default=3.0)
    own.add_argument("folder", nargs="?", type=Path, default=Path())
    given = own.parse_args()
    print(f"{commits_per_second(given.folder, given.seconds):,.0f} durable commits per second")
