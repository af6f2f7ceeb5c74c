"""A machine with a local executor whose attempts do tiny things."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import AttemptKey, Exited, LaunchSpec, Part, Started
from scheduler.executors.local import LocalExecutor, attempt_records, burial
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.system import process
from scheduler.testing.executor_contract import Recorder
from tests.support.waiting import PATIENCE_S


class Machine:
    """The folder of a service, its executor, and what the executor reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sink = Recorder()
        self.executors: list[LocalExecutor] = []

    def open(self, **options: Any) -> LocalExecutor:
        defaults = {
            "preload": "scheduler.testing.scripts:preload",
            "target": "scheduler.testing.scripts:run",
            "linger_s": 0.5,
            "sweep_s": 0.2,
        }
        executor = LocalExecutor(**({"folder": self.root / "run"} | defaults | options))
        self.executors.append(executor)
        executor.start(self.sink)
        return executor

    def spec(
        self, attempt: str, do: str, /, *, cpus: tuple[str, ...] = (), **rest: Any
    ) -> LaunchSpec:
        options = {
            name: rest.pop(name)
            for name in ("time_limit_s", "env", "parts", "secrets")
            if name in rest
        }
        part = {
            name: rest.pop(name)
            for name in ("memory_bytes", "device_kind", "devices")
            if name in rest
        }
        return LaunchSpec(
            **{
                "attempt": attempt,
                "nonce": rest.pop("nonce", "a"),
                "job_nonce": rest.pop("job_nonce", "j"),
                "kind": JobKind.COMMAND,
                "work": {"do": do} | rest,
                "folder": self.root / attempt,
                "shared": self.root / f"job-{attempt.partition('.')[0]}",
                "parts": (
                    Part(**{"node": LOCAL, "device_kind": DeviceKind.CPU, "devices": cpus} | part),
                ),
            }
            | options
        )

    def started(self, attempt: str) -> Started:
        self.until(lambda: bool(self.sink.started(attempt)))
        return self.sink.started(attempt)[0]

    def exited(self, attempt: str) -> Exited:
        self.until(lambda: bool(self.sink.exited(attempt)))
        return self.sink.exited(attempt)[0]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {self.sink.events}"
            self.sink.wait(0.02)

    def key(self, attempt: str, nonce: str = "a") -> AttemptKey:
        return AttemptKey(attempt, nonce, self.root / attempt)

    def record(self, attempt: str, nonce: str = "a") -> Path:
        """The executor's files."""
        return attempt_records.place(self.root / "run", self.key(attempt, nonce))

    def running(self, attempt: str) -> files.RunningRecord:
        running = files.read_running(self.record(attempt))
        assert running is not None
        return running

    def children(self, job: str) -> list[int]:
        """Pids that the `breed` script left in the job's folder."""
        path = self.root / f"job-{job}" / "children"
        self.until(path.exists)
        return [int(pid) for pid in path.read_text().split()]

    def fork_server(self) -> int:
        """Pid of the one that serves this machine."""
        own = str(self.root / "run").encode()
        for stat in process.everything():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{stat.pid}/comm").read_text().strip()
                command = Path(f"/proc/{stat.pid}/cmdline").read_bytes()
                if name == "fulcrum-forks" and own in command:
                    return stat.pid
        raise AssertionError("no fork server runs")

    def gone(self, pid: int) -> bool:
        return process.ProcessIdentity.of(pid) is None

    def close(self) -> None:
        for executor in self.executors:
            executor.close()
        for folder, pid in claim.supervisors().items():
            if self.root in folder.parents:
                running = claim.runner(folder)
                process.kill([*process.descendants(pid), pid])
                burial.bury(folder, running)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def a_cpu() -> str:
    return str(max(os.sched_getaffinity(0)))
