from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.store.sql import SqlStore

Open = Callable[[], SqlStore]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/fulcrum.sqlite"


@pytest.fixture
def open_store(url: str) -> Iterator[Open]:
    """Opens the same database as often as wanted, closes all at the end."""
    opened: list[SqlStore] = []

    def open_one() -> SqlStore:
        opened.append(SqlStore(url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> SqlStore:
    return open_store()
