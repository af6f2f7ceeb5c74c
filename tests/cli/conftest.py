"""The command line against a real server, with an executor that the test drives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World, serving
from tests.support.waiting import PATIENCE_S

PLAIN = {"FULCRUM_URL": None, "FULCRUM_CONFIG": None, "FULCRUM_DATA_DIR": None, "COLUMNS": None}


@dataclass
class Fulcrum:
    """`fulcrum(...)` runs a command line in this process."""

    world: World

    def __call__(self, *args: str, **env: str | None) -> Result:
        variables = {**PLAIN, "FULCRUM_TOKEN": self.world.token, **env}
        return CliRunner().invoke(app, ["--url", self.world.url, *args], env=variables)

    def json(self, *args: str) -> Any:
        result = self(*args, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    @contextmanager
    def ending(self, number: int, exit_code: int = 0) -> Iterator[None]:
        """Meanwhile let job `number` start and end."""
        thread = threading.Thread(target=self._end, args=(number, exit_code))
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE_S)

    def _end(self, number: int, exit_code: int) -> None:
        _submitted(self.world, number)
        self.world.until(number, JobState.RUNNING)
        self.world.log(number, "one line\nanother\n")
        if exit_code:
            self.world.executor.fail(f"{number}.1", f"exit code {exit_code}")
            self.world.until(number, JobState.FAILED)
        else:
            self.world.finish(number)


def _submitted(world: World, number: int) -> None:
    import time

    from scheduler.domain.errors import MissingError

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            world.service.store.job(number)
        except MissingError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(f"job {number} was not submitted")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data") as found:
        yield found


@pytest.fixture
def fulcrum(world: World) -> Fulcrum:
    return Fulcrum(world)
