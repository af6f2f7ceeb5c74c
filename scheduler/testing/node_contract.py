"""What executors of several nodes owe besides: a suite that breaks nodes and connections."""
# ruff: noqa: D102 (the name of a test says what it shows)

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import NodeState
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import (
    UNKNOWN,
    Executor,
    Exited,
    LaunchSpec,
    NodesChanged,
    Part,
    Started,
)
from scheduler.testing.executor_contract import Recorder, key

LONG_S = 3600.0
"""No node is lost in a test that says so."""


class NodeContract(ABC):
    """The obligations *exact*, *fenced* and *unsure* of `scheduler.executors.base`.

    Works are those of `scheduler.testing.scripts`. Jobs' folders are the same on all nodes.
    """

    first = "gpu-a"
    second = "gpu-b"
    """Names of two nodes."""
    lost_after_s = 3.0
    """Where a test waits until a node is lost."""
    restart_lost_after_s = 3.0
    """Where a test restarts the engine; nodes join within this time."""
    patience_s = 100.0
    """Longest wait for something that must happen."""

    @abstractmethod
    def open(self, folder: Path, *, lost_after_s: float) -> Executor:
        """An executor of both nodes; opened again, it is that of a restart of the service."""

    @abstractmethod
    def cut(self, node: str) -> None:
        """Let nothing through to the node or from it; what runs there goes on."""

    @abstractmethod
    def heal(self, node: str) -> None:
        """Let everything through again."""

    @abstractmethod
    def kill_node(self, node: str) -> None:
        """End all processes of the node for good."""

    @abstractmethod
    def restart_engine(self, pause_s: float) -> None:
        """End what connects nodes, agents included, and begin it again after `pause_s` seconds."""

    @abstractmethod
    def run_folder(self, node: str) -> Path:
        """Where the node's own executor keeps its files."""

    @abstractmethod
    def lose(self, spec: LaunchSpec, rank: int) -> None:
        """Break what keeps a part of the attempt, as a crash would."""

    def test_nodes_are_up_once_attempts_would_start_at_once(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            service.until_state(self.first, NodeState.UP)
            service.until_state(self.second, NodeState.UP)
            facts = service.executor.nodes()[self.first]
            assert facts.name == self.first
            assert facts.cpus

    def test_an_attempt_runs_where_its_part_says(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            specs = [
                service.launch(f"{job}.1", "exit", node)
                for job, node in enumerate((self.second, self.first, self.second), 1)
            ]
            for spec in specs:
                assert service.exited(spec).success
                assert self._nodes_of(spec) == {spec.parts[0].node}

    def test_a_killed_node_loses_its_attempt_once_and_not_before_its_time(
        self, tmp_path: Path
    ) -> None:
        with _Service(self, tmp_path, lost_after_s=self.lost_after_s) as service:
            lost = service.launch("1.1", "sleep", self.second)
            kept = service.launch("2.1", "gate", self.first)
            service.started(lost)
            service.started(kept)
            self.kill_node(self.second)
            killed_at = time.time()
            exited = service.exited(lost)
            assert (exited.lost, exited.success) == (True, False)
            assert exited.reason.startswith(f"lost: node {self.second} was not heard for")
            # Nobody pays for the silence.
            assert exited.time <= killed_at
            assert time.time() - exited.time >= self.lost_after_s
            service.until_state(self.second, NodeState.DOWN)
            assert service.states(self.second)[-2:] == [NodeState.UNREACHABLE, NodeState.DOWN]
            (kept.shared / "gate").touch()
            assert service.exited(kept).success
            assert len(service.sink.exited("1.1")) == 1

    def test_an_attempt_goes_on_when_its_node_is_heard_again_in_time(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            spec = service.launch("1.1", "gate", self.second)
            pid = service.started(spec).pid
            self.cut(self.second)
            service.until_state(self.second, NodeState.UNREACHABLE)
            (spec.shared / "gate").touch()
            self.heal(self.second)
            service.until_state(self.second, NodeState.UP)
            assert service.exited(spec).success
            assert [event.pid for event in service.sink.started("1.1")] == [pid]
            assert len(service.sink.exited("1.1")) == 1

    def test_of_two_attempts_only_the_newer_one_writes(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path, lost_after_s=self.lost_after_s) as service:
            older = service.launch("1.1", "write", self.second)
            service.started(older)
            self.cut(self.second)
            assert service.exited(older).lost
            newer = service.launch("1.2", "write", self.first)
            service.started(newer)
            service.until(lambda: self._runs(older) is False)
            writes = (newer.shared / "writes").read_text().split()
            assert "1.1" in writes
            assert "1.1" not in writes[writes.index("1.2") :]
            self.heal(self.second)
            service.until_state(self.second, NodeState.UP)
            assert len(service.sink.exited("1.1")) == 1
            assert not service.sink.exited("1.2")
            service.executor.cancel("1.2", grace_s=1)
            assert service.exited(newer).reason == "cancelled"

    def test_what_was_given_up_is_stopped_when_its_node_comes_back(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path, lost_after_s=self.lost_after_s) as service:
            service.executor.stop_others([])
            spec = service.launch("1.1", "sleep", self.second)
            service.started(spec)
            self.cut(self.second)
            assert service.exited(spec).lost
            assert self._runs(spec)
            self.heal(self.second)
            service.until(lambda: self._runs(spec) is False)
            assert len(service.sink.exited("1.1")) == 1

    def test_attempts_outlive_the_engine(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path, lost_after_s=self.restart_lost_after_s) as service:
            specs = [
                service.launch(f"{job}.1", "gate", node)
                for job, node in enumerate((self.first, self.second), 1)
            ]
            pids = [service.started(spec).pid for spec in specs]
            # While nobody can hear anything, silence means nothing.
            self.restart_engine(pause_s=self.restart_lost_after_s + 1.0)
            for node in (self.first, self.second):
                service.until_state(node, NodeState.UP)
            assert not [event for event in service.sink.events if isinstance(event, Exited)]
            found = service.executor.alive([key(spec) for spec in specs])
            assert list(found.values()) == pids
            for spec in specs:
                (spec.shared / "gate").touch()
                assert service.exited(spec).success

    def test_a_cancellation_takes_effect_when_the_node_is_heard_again(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            spec = service.launch("1.1", "sleep", self.second)
            service.started(spec)
            self.cut(self.second)
            service.until_state(self.second, NodeState.UNREACHABLE)
            service.executor.cancel("1.1", grace_s=1)
            assert not service.sink.exited("1.1")
            self.heal(self.second)
            exited = service.exited(spec)
            assert (exited.reason, exited.lost) == ("cancelled", False)

    def test_a_launch_waits_until_the_node_is_heard_again(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            service.until_state(self.second, NodeState.UP)
            self.cut(self.second)
            spec = service.launch("1.1", "exit", self.second)
            service.until_state(self.second, NodeState.UNREACHABLE)
            self.heal(self.second)
            assert service.exited(spec).success

    def test_a_later_executor_adopts_what_runs_on_a_node_that_it_cannot_ask(
        self, tmp_path: Path
    ) -> None:
        with _Service(self, tmp_path) as before:
            spec = before.launch("1.1", "gate", self.second)
            other = before.launch("2.1", "gate", self.first)
            before.started(spec)
            pid = before.started(other).pid
        self.cut(self.second)
        with _Service(self, tmp_path) as after:
            found = after.executor.alive([key(spec), key(other)])
            assert found == {"1.1": UNKNOWN, "2.1": pid}
            (spec.shared / "gate").touch()
            self.heal(self.second)
            assert after.exited(spec).success
            after.executor.cancel("2.1", grace_s=1)
            assert after.exited(other).reason == "cancelled"

    def test_an_attempt_on_two_nodes_runs_when_both_parts_do(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            service.until_state(self.second, NodeState.UP)
            self.cut(self.second)
            spec = service.launch("1.1", "gate", self.first, self.second)
            service.until_state(self.second, NodeState.UNREACHABLE)
            assert not service.sink.started("1.1")
            self.heal(self.second)
            service.started(spec)
            assert self._nodes_of(spec) == {self.first, self.second}
            assert (spec.folder / "log.txt").exists()
            assert (spec.folder / "rank-1" / "log.txt").exists()
            (spec.shared / "gate").touch()
            exited = service.exited(spec)
            assert (exited.success, exited.reason) == (True, "exit code 0")
            assert [event.time for event in service.sink.started("1.1")] == [exited.started_at]

    def test_a_part_that_is_lost_ends_the_others_and_is_named(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            spec = service.launch("1.1", "sleep", self.first, self.second)
            service.started(spec)
            self.lose(spec, 1)
            exited = service.exited(spec)
            assert exited.lost
            assert exited.reason.startswith(f"lost: rank 1 on {self.second}: ")
            assert self._runs(spec) is False
            service.exited(service.launch("2.1", "exit", self.first))
            assert len(service.sink.exited("1.1")) == 1

    def test_all_parts_are_cancelled(self, tmp_path: Path) -> None:
        with _Service(self, tmp_path) as service:
            spec = service.launch("1.1", "sleep", self.first, self.second)
            service.started(spec)
            service.executor.cancel("1.1", grace_s=1)
            exited = service.exited(spec)
            assert (exited.reason, exited.lost, exited.success) == ("cancelled", False, False)
            assert self._runs(spec) is False

    def _nodes_of(self, spec: LaunchSpec) -> set[str]:
        """The nodes that have files of the attempt."""
        names = (self.first, self.second)
        return {name for name in names if self._record(spec, name).exists()}

    def _runs(self, spec: LaunchSpec) -> bool:
        """Whether any part of it has begun and not ended."""
        records = [self._record(spec, part.node) for part in spec.parts]
        return any(
            (record / "supervisor.json").exists() and not (record / "exit.json").exists()
            for record in records
        )

    def _record(self, spec: LaunchSpec, node: str) -> Path:
        return self.run_folder(node) / "attempts" / f"{spec.attempt}-{spec.nonce}"


class _Service:
    """One life of a service: an executor with its sink."""

    def __init__(
        self, contract: NodeContract, folder: Path, *, lost_after_s: float = LONG_S
    ) -> None:
        self._contract = contract
        self._folder = folder
        self.sink = Recorder()
        self.executor = contract.open(folder, lost_after_s=lost_after_s)

    def __enter__(self) -> _Service:
        self.executor.start(self.sink)
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.close()

    def launch(self, attempt: str, do: str, *nodes: str) -> LaunchSpec:
        spec = LaunchSpec(
            attempt=attempt,
            nonce=f"n{attempt.partition('.')[2]}",
            job_nonce="j",
            kind=JobKind.COMMAND,
            work={"do": do},
            folder=self._folder / attempt,
            shared=self._folder / f"job-{attempt.partition('.')[0]}",
            parts=tuple(Part(node, DeviceKind.CPU) for node in nodes),
        )
        self.executor.launch(spec)
        return spec

    def started(self, spec: LaunchSpec) -> Started:
        self.until(lambda: bool(self.sink.started(spec.attempt)))
        return self.sink.started(spec.attempt)[0]

    def exited(self, spec: LaunchSpec) -> Exited:
        self.until(lambda: bool(self.sink.exited(spec.attempt)))
        return self.sink.exited(spec.attempt)[0]

    def states(self, node: str) -> list[NodeState]:
        """The states that were told of, without repetitions."""
        found: list[NodeState] = []
        for event in list(self.sink.events):
            if isinstance(event, NodesChanged) and node in event.nodes:
                state = event.nodes[node].state
                if found[-1:] != [state]:
                    found.append(state)
        return found

    def until_state(self, node: str, state: NodeState) -> None:
        """Until the executor has told of it."""
        self.until(lambda: self.states(node)[-1:] == [state])

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._contract.patience_s
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {self.sink.events}"
            self.sink.wait(0.05)
