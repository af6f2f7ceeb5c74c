"""The executors' contract as a suite that every implementation passes."""
# ruff: noqa: D102 (the name of a test says what it shows)

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import (
    AttemptKey,
    Executor,
    ExecutorEvent,
    Exited,
    LaunchSpec,
    Part,
    Started,
)


class Script(StrEnum):
    """What an attempt of the contract suite does."""

    QUICK = "quick"
    """Ends well at once, leaving `{"answer": 42}` as its result."""
    FAILING = "failing"
    """Ends at once with exit code 3."""
    HOPELESS = "hopeless"
    """Ends at once with exit code 2, leaving `{"retriable": false}`."""
    ENDLESS = "endless"
    """Runs until it is stopped."""
    STUBBORN = "stubborn"
    """Runs until it is killed."""


class Recorder:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.events: list[ExecutorEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: ExecutorEvent) -> None:
        """Take in an event."""
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def started(self, attempt: str) -> list[Started]:
        """Reports that it runs."""
        return [e for e in self.events if isinstance(e, Started) and e.attempt == attempt]

    def exited(self, attempt: str) -> list[Exited]:
        """Reports that it ended."""
        return [e for e in self.events if isinstance(e, Exited) and e.attempt == attempt]

    def wait(self, seconds: float) -> None:
        """Until the next event, at most so long."""
        with self._changed:
            self._changed.wait(seconds)


class ExecutorContract(ABC):
    """The obligations of `scheduler.executors.base`, for every implementation.

    A test class derives from it and says how to open an executor, what its attempts do, and how
    to break one. No method needs more of a test runner than a fresh folder named `tmp_path`.
    """

    patience_s = 100.0
    """Longest wait for something that must happen."""
    node = LOCAL
    """Where attempts run."""

    @abstractmethod
    def open(self, folder: Path) -> Executor:
        """An executor on the machine of `folder`; opened again, it is that of a restart."""

    @abstractmethod
    def work(self, script: Script) -> Mapping[str, Any]:
        """`LaunchSpec.work` that does so."""

    @abstractmethod
    def lose(self, executor: Executor, spec: LaunchSpec) -> None:
        """Break what keeps the attempt, as a crash would."""

    def turn(self, executor: Executor) -> None:  # noqa: B027
        """Let the executor's world go on while the suite waits; nothing for real ones."""

    def test_a_launched_attempt_starts_and_ends_well(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.QUICK)
            exited = session.exited(spec)
            assert exited.success
            assert exited.reason == "exit code 0"
            assert not exited.lost
            assert exited.result == {"answer": 42}
            assert exited.started_at is not None
            assert exited.started_at <= exited.time
            assert [e.time for e in session.sink.started("1.1")] == [exited.started_at]

    def test_a_failure_tells_its_exit_code(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            exited = session.exited(session.launch("1.1", Script.FAILING))
            assert (exited.success, exited.reason) == (False, "exit code 3")
            assert exited.retriable
            assert not exited.lost

    def test_work_may_say_that_a_retry_is_pointless(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            exited = session.exited(session.launch("1.1", Script.HOPELESS))
            assert (exited.success, exited.retriable) == (False, False)

    def test_health_is_empty_while_attempts_start_and_end(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            assert session.executor.health() == ()
            session.exited(session.launch("1.1", Script.QUICK))
            assert session.executor.health() == ()
        assert session.executor.health() == ()

    def test_launching_again_starts_nothing(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.ENDLESS)
            pid = session.started(spec).pid
            session.launch("1.1", Script.ENDLESS)
            other = session.launch("2.1", Script.QUICK)
            session.exited(other)
            assert {e.pid for e in session.sink.started("1.1")} == {pid}
            session.executor.cancel("1.1", grace_s=1)
            session.exited(spec)
            session.launch("1.1", Script.ENDLESS)
            session.exited(session.launch("3.1", Script.QUICK))
            assert {e.pid for e in session.sink.started("1.1")} == {pid}
            assert {e.reason for e in session.sink.exited("1.1")} == {"cancelled"}

    def test_a_cancelled_attempt_ends_once(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.ENDLESS)
            session.started(spec)
            session.executor.cancel("1.1", grace_s=1)
            session.executor.cancel("1.1", grace_s=1)
            exited = session.exited(spec)
            assert (exited.success, exited.reason, exited.lost) == (False, "cancelled", False)
            session.exited(session.launch("2.1", Script.QUICK))
            assert len(session.sink.exited("1.1")) == 1

    def test_cancelling_right_after_the_launch_ends_it(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            specs = [session.launch(f"{job}.1", Script.ENDLESS) for job in range(1, 6)]
            for spec in specs:
                session.executor.cancel(spec.attempt, grace_s=1)
            assert {session.exited(spec).reason for spec in specs} == {"cancelled"}

    def test_cancelling_the_unknown_or_ended_has_no_effect(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            session.executor.cancel("9.9")
            session.exited(session.launch("1.1", Script.QUICK))
            session.executor.cancel("1.1")
            session.exited(session.launch("2.1", Script.QUICK))
            assert [e.reason for e in session.sink.exited("1.1")] == ["exit code 0"]

    def test_a_preempted_attempt_ends_once_and_says_so(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.ENDLESS)
            session.started(spec)
            session.executor.preempt("1.1", grace_s=60)
            session.executor.preempt("1.1", grace_s=60)
            exited = session.exited(spec)
            assert (exited.success, exited.reason, exited.lost) == (False, "preempted", False)
            assert exited.preempted
            session.exited(session.launch("2.1", Script.QUICK))
            assert len(session.sink.exited("1.1")) == 1

    def test_what_is_not_preempted_does_not_say_so(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            for attempt, script in (("1.1", Script.QUICK), ("2.1", Script.FAILING)):
                assert not session.exited(session.launch(attempt, script)).preempted
            spec = session.launch("3.1", Script.ENDLESS)
            session.started(spec)
            session.executor.cancel("3.1", grace_s=1)
            assert not session.exited(spec).preempted

    def test_an_attempt_that_outlasts_its_grace_is_preempted_all_the_same(
        self, tmp_path: Path
    ) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.STUBBORN)
            session.started(spec)
            session.executor.preempt("1.1", grace_s=0.1)
            assert session.exited(spec).preempted

    def test_preempting_the_unknown_or_ended_has_no_effect(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            session.executor.preempt("9.9", grace_s=1)
            session.exited(session.launch("1.1", Script.QUICK))
            session.executor.preempt("1.1", grace_s=1)
            session.exited(session.launch("2.1", Script.QUICK))
            assert [e.reason for e in session.sink.exited("1.1")] == ["exit code 0"]

    def test_a_preemption_goes_on_when_the_service_starts_again(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as before:
            spec = before.launch("1.1", Script.ENDLESS)
            before.started(spec)
            before.executor.preempt("1.1", grace_s=60)
        with _Session(self, tmp_path) as after:
            assert after.executor.alive([key(spec)]).keys() == {"1.1"}
            after.executor.preempt("1.1", grace_s=60)
            assert after.exited(spec).preempted

    def test_a_later_executor_adopts_what_runs_and_learns_what_ended(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as before:
            running = before.launch("1.1", Script.ENDLESS)
            ended = before.launch("2.1", Script.FAILING)
            pid = before.started(running).pid
            before.exited(ended)
        with _Session(self, tmp_path) as after:
            never = AttemptKey("3.1", "a", tmp_path / "3.1", (self.node,))
            keys = [key(running), key(ended), never]
            assert after.executor.alive(keys) == {"1.1": pid, "2.1": None}
            assert after.exited(ended).reason == "exit code 3"
            after.executor.cancel("1.1", grace_s=1)
            assert after.exited(running).reason == "cancelled"

    def test_an_attempt_never_started_can_be_launched_after_it_was_missed(
        self, tmp_path: Path
    ) -> None:
        with _Session(self, tmp_path) as session:
            (tmp_path / "1.1").mkdir()
            never = AttemptKey("1.1", "a", tmp_path / "1.1", (self.node,))
            assert session.executor.alive([never]) == {}
            assert session.exited(session.launch("1.1", Script.QUICK)).success

    def test_a_broken_attempt_is_lost(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as session:
            spec = session.launch("1.1", Script.ENDLESS)
            session.started(spec)
            self.lose(session.executor, spec)
            exited = session.exited(spec)
            assert exited.lost
            assert exited.reason.startswith("lost: ")
            assert not exited.success
            assert session.executor.alive([key(spec)]) == {"1.1": None}

    def test_an_attempt_of_another_history_is_another_attempt(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as before:
            assert before.exited(before.launch("1.1", Script.QUICK)).success
        with _Session(self, tmp_path) as after:
            other = AttemptKey("1.1", "b", tmp_path / "1.1", (self.node,))
            assert after.executor.alive([other]) == {}
            again = after.launch("1.1", Script.FAILING, nonce="b")
            assert after.exited(again).reason == "exit code 3"

    def test_what_no_store_knows_is_stopped(self, tmp_path: Path) -> None:
        with _Session(self, tmp_path) as before:
            known, other = (before.launch(f"{job}.1", Script.ENDLESS) for job in (1, 2))
            pids = {spec.attempt: before.started(spec).pid for spec in (known, other)}
        with _Session(self, tmp_path) as after:
            assert after.executor.stop_others([key(known)]) == 1
            assert after.executor.stop_others([key(known)]) == 0
            found = after.executor.alive([key(known), key(other)])
            assert found == {"1.1": pids["1.1"], "2.1": None}
            assert after.exited(other).lost
            after.executor.cancel("1.1", grace_s=1)
            assert after.exited(known).reason == "cancelled"


def key(spec: LaunchSpec) -> AttemptKey:
    """Which attempt the spec is for."""
    nodes = tuple(part.node for part in spec.parts)
    return AttemptKey(spec.attempt, spec.nonce, spec.folder, nodes)


class _Session:
    """One life of a service: an executor with its sink."""

    def __init__(self, contract: ExecutorContract, folder: Path) -> None:
        self._contract = contract
        self._folder = folder
        self.sink = Recorder()
        self.executor = contract.open(folder)

    def __enter__(self) -> _Session:
        self.executor.start(self.sink)
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.close()

    def launch(self, attempt: str, script: Script, *, nonce: str = "a") -> LaunchSpec:
        job = attempt.partition(".")[0]
        spec = LaunchSpec(
            attempt=attempt,
            nonce=nonce,
            job_nonce="j",
            kind=JobKind.COMMAND,
            work=self._contract.work(script),
            folder=self._folder / attempt,
            shared=self._folder / f"job-{job}",
            parts=(Part(self._contract.node, DeviceKind.CPU),),
        )
        self.executor.launch(spec)
        return spec

    def started(self, spec: LaunchSpec) -> Started:
        self._until(lambda: bool(self.sink.started(spec.attempt)))
        return self.sink.started(spec.attempt)[0]

    def exited(self, spec: LaunchSpec) -> Exited:
        self._until(lambda: bool(self.sink.exited(spec.attempt)))
        return self.sink.exited(spec.attempt)[0]

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._contract.patience_s
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {self.sink.events}"
            self._contract.turn(self.executor)
            if not condition():
                self.sink.wait(0.05)
