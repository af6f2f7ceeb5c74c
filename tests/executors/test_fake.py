"""The fake executor and the clock that drives it."""

from __future__ import annotations

import math

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import AttemptKey, Exited, LaunchSpec, Part, Started
from scheduler.testing.clock import ManualClock
from scheduler.testing.executor_contract import Recorder
from scheduler.testing.executors import FakeExecutor


def _launch(executor, tmp_path, attempt: str, seconds: float = 0.0) -> None:
    folder = tmp_path / attempt
    work = {"seconds": seconds}
    executor.launch(
        LaunchSpec(
            attempt,
            "a",
            "j",
            JobKind.COMMAND,
            work,
            folder,
            tmp_path,
            (Part(LOCAL, DeviceKind.CPU, ("0",)),),
        )
    )


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


def test_attempts_end_in_the_order_of_their_ends_at_their_own_times(tmp_path, sink) -> None:
    clock = ManualClock(100.0)
    executor = FakeExecutor(clock, runtime=lambda spec: spec.work["seconds"])
    executor.start(sink)
    _launch(executor, tmp_path, "1.1", 30.0)
    _launch(executor, tmp_path, "2.1", 10.0)
    assert executor.next_event_time() == 110.0
    executor.advance(120.0)
    _launch(executor, tmp_path, "3.1", 5.0)
    executor.advance(200.0)
    assert [(type(e), e.attempt, e.time) for e in sink.events] == [
        (Started, "1.1", 100.0),
        (Started, "2.1", 100.0),
        (Exited, "2.1", 110.0),
        (Started, "3.1", 120.0),
        (Exited, "3.1", 125.0),
        (Exited, "1.1", 130.0),
    ]
    assert clock.now() == 200.0
    assert executor.next_event_time() == math.inf
    assert list(executor.specs) == ["1.1", "2.1", "3.1"]


def test_what_the_sink_launches_meanwhile_runs_from_that_time(tmp_path) -> None:
    ended = []

    def sink(event) -> None:
        if isinstance(event, Exited):
            ended.append((event.attempt, event.time))
            if event.attempt == "1.1":
                _launch(executor, tmp_path, "2.1", 5.0)

    executor = FakeExecutor(ManualClock(0.0), runtime=lambda spec: spec.work["seconds"])
    executor.start(sink)
    _launch(executor, tmp_path, "1.1", 10.0)
    executor.advance(100.0)
    assert ended == [("1.1", 10.0), ("2.1", 15.0)]


def test_events_wait_until_they_are_delivered(tmp_path, sink) -> None:
    executor = FakeExecutor()
    executor.start(sink)
    _launch(executor, tmp_path, "1.1")
    executor.cancel("1.1")
    assert sink.events == []
    assert executor.deliver() == 2
    assert sink.exited("1.1")[0].reason == "cancelled"


def test_disobedient_attempts_end_as_the_test_says(tmp_path, sink) -> None:
    executor = FakeExecutor()
    executor.obeys = False
    executor.start(sink)
    _launch(executor, tmp_path, "1.1")
    executor.cancel("1.1")
    assert executor.running == ["1.1"]
    executor.finish("1.1", {"accuracy": 0.9})
    assert sink.exited("1.1")[0].result == {"accuracy": 0.9}
    with pytest.raises(ValueError, match=r"1\.1 does not run"):
        executor.fail("1.1")


def test_broken_executor_reports_failures_to_start(tmp_path, sink) -> None:
    executor = FakeExecutor()
    executor.broken = "no space left"
    executor.start(sink)
    _launch(executor, tmp_path, "1.1")
    executor.deliver()
    assert [e.reason for e in sink.exited("1.1")] == ["could not start: no space left"]
    assert not sink.started("1.1")


def test_what_ends_while_the_service_is_down_is_told_to_its_successor(tmp_path, sink) -> None:
    before = FakeExecutor()
    before.start(sink)
    _launch(before, tmp_path, "1.1")
    _launch(before, tmp_path, "2.1")
    before.close()
    before.finish("1.1")
    after = before.successor()
    after.start(sink)
    pids = after.alive(AttemptKey(a, "a", tmp_path / a) for a in ("1.1", "2.1", "3.1"))
    assert set(pids) == {"1.1", "2.1"}
    assert pids["1.1"] is None
    after.deliver()
    assert sink.exited("1.1")[0].success
    after.lose("2.1")
    assert sink.exited("2.1")[0].lost


def test_manual_clock_never_runs_back() -> None:
    clock = ManualClock(5.0)
    assert clock.advance(1.5) == clock.now() == 6.5
    assert clock.advance_to(6.5) == 6.5
    with pytest.raises(ValueError, match="does not run back"):
        clock.advance_to(6.0)
    with pytest.raises(ValueError, match="does not run back"):
        clock.advance(-1.0)
