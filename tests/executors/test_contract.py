"""Every executor owes the same."""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.executors.base import Executor, LaunchSpec
from scheduler.executors.local import LocalExecutor, attempt_records
from scheduler.executors.local.records import folder as files
from scheduler.testing.executor_contract import ExecutorContract, Script
from scheduler.testing.executors import FakeExecutor

_WORKS: Mapping[Script, Mapping[str, Any]] = {
    Script.QUICK: {"do": "exit", "result": {"answer": 42}},
    Script.FAILING: {"do": "exit", "code": 3},
    Script.HOPELESS: {"do": "exit", "code": 2, "result": {"retriable": False}},
    Script.ENDLESS: {"do": "sleep"},
    Script.STUBBORN: {"do": "stubborn"},
}


class TestLocalExecutor(ExecutorContract):
    def open(self, folder: Path) -> Executor:
        return LocalExecutor(
            folder / "run",
            preload="scheduler.testing.scripts:preload",
            target="scheduler.testing.scripts:run",
            linger_s=0.5,
        )

    def work(self, script: Script) -> Mapping[str, Any]:
        return _WORKS[script]

    def lose(self, executor: Executor, spec: LaunchSpec) -> None:
        running = files.read_running(attempt_records.place(spec.folder.parent / "run", spec))
        assert running is not None
        assert running.supervisor.send(signal.SIGKILL)


class TestLocalExecutorWithAServerForCommands(TestLocalExecutor):
    """All that the contract launches are commands."""

    def open(self, folder: Path) -> Executor:
        return LocalExecutor(
            folder / "run",
            preload="scheduler.testing.scripts:preload",
            target="scheduler.testing.scripts:run",
            light="scheduler.testing.scripts:preload",
            linger_s=0.5,
        )


class TestFakeExecutor(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _one_machine_per_test(self) -> None:
        self._opened: FakeExecutor | None = None

    def open(self, folder: Path) -> Executor:
        before = self._opened
        self._opened = before.successor() if before else FakeExecutor(runtime=self._runtime)
        return self._opened

    def work(self, script: Script) -> Mapping[str, Any]:
        return {"script": script}

    def lose(self, executor: Executor, spec: LaunchSpec) -> None:
        assert isinstance(executor, FakeExecutor)
        executor.lose(spec.attempt)

    def turn(self, executor: Executor) -> None:
        assert isinstance(executor, FakeExecutor)
        for attempt in executor.running:
            match executor.specs[attempt].work["script"] if attempt in executor.specs else None:
                case Script.QUICK:
                    executor.finish(attempt, {"answer": 42})
                case Script.FAILING:
                    executor.fail(attempt, "exit code 3")
                case Script.HOPELESS:
                    executor.fail(attempt, "exit code 2", retriable=False)
        executor.advance(executor.clock.now() + 1)

    @staticmethod
    def _runtime(_order: LaunchSpec) -> float:
        return math.inf
