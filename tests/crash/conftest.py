"""Services of their own processes on one data folder, to be killed and stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore
from tests.crash.driver import DEPOSED

DRIVER = Path(__file__).with_name("driver.py")
PATIENCE_S = 60.0


class Place:
    """A data folder, what jobs leave beside it, and its store as others may read it."""

    def __init__(self, root: Path, database: str | None = None) -> None:
        self.root = root
        self.data = root / "data"
        self.database = database or f"sqlite:///{self.data}/fulcrum.sqlite"
        self.driver = [sys.executable, str(DRIVER), str(self.data), "--database", self.database]
        self._store: SqlStore | None = None

    @contextmanager
    def service(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """A service process that has said `ready`; asked to stop at the end if it still runs."""
        command = [*self.driver, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield process
            finally:
                process.terminate()
                assert process.wait(PATIENCE_S) in (0, DEPOSED, -signal.SIGKILL)

    @property
    def store(self) -> SqlStore:
        if self._store is None:
            self._store = SqlStore(self.database)
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def states(self) -> Counter[str]:
        return Counter(job.state.value for job in self.store.jobs(JobQuery(), limit=1000))

    def pids(self) -> dict[str, int | None]:
        """Of running attempts."""
        return {one.id: one.pid for one in self.store.live()[1] if one.started_at is not None}

    def lines(self, name: str) -> list[str]:
        return sorted((self.root / name).read_text().split())

    def open_gate(self, job: int | None = None) -> None:
        (self.root / ("gate" if job is None else f"gate-{job}")).touch()

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, (self.states(), self.pids())
            time.sleep(0.02)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    on_postgres = request.param == "postgresql"
    place = Place(tmp_path, request.getfixturevalue("postgres_url") if on_postgres else None)
    yield place
    place.open_gate()
    place.close()
