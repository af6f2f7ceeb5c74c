"""Somebody sets the machine's clock while jobs wait and run: durations stay true."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from scheduler import clock
from scheduler.clock import SystemClock
from scheduler.domain.jobs import Retry
from scheduler.executors.base import Exited
from scheduler.service.clock_corrections import bounded
from scheduler.store.base import JobQuery
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec, submitted

HOUR = 3600.0


@pytest.mark.parametrize("step", [3 * HOUR, -HOUR])
def test_a_retry_pause_is_as_long_as_before(world, step):
    world.submit(job_spec(retry=Retry(max_attempts=2, backoff_s=10.0)))
    world.settle()
    world.fail("1.1")
    world.after(4.0)
    world.clock.set_by(step)
    world.after(5.9)
    assert world.state(1) == "QUEUED"
    world.after(0.1)
    assert world.state(1) == "RUNNING"


@pytest.mark.parametrize("step", [3 * HOUR, -HOUR])
def test_a_place_in_the_queue_is_as_before(build, step):
    world = build(policy="fcfs")  # two CPUs
    world.submit(job_spec(), job_spec(), job_spec(), job_spec(after=(-1,)))
    world.settle()
    world.after(10.0)
    world.finish("1.1")  # job 3 starts, job 4 competes
    world.clock.set_by(step)
    world.after(10.0)
    world.submit(job_spec())
    world.finish("2.1")
    assert [world.state(job) for job in (4, 5)] == ["RUNNING", "QUEUED"]


def test_a_pause_whose_clock_was_set_back_while_no_service_ran_is_bounded(world):
    world.submit(job_spec(retry=Retry(max_attempts=2, backoff_s=10.0)))
    world.settle()
    world.fail("1.1")
    world.clock.set_by(-HOUR)
    world.clock.stepped()
    world.restart()
    assert world.state(1) == "QUEUED"
    world.after(10.0)
    assert world.state(1) == "RUNNING"


def test_the_pause_after_an_attempt_that_a_clock_set_back_ends_in_the_future(world):
    world.submit(job_spec(retry=Retry(max_attempts=2, backoff_s=10.0)))
    world.settle()
    begun = world.clock.now()
    world.after(20.0)
    world.clock.set_by(-HOUR)
    failed = Exited("1.1", begun + 20.0, "exit code 3", success=False, started_at=begun)
    world.service.dispatcher.post(failed)
    world.step()
    assert world.state(1) == "QUEUED"
    world.after(10.0)
    assert world.state(1) == "RUNNING"


@pytest.mark.parametrize("step", [3 * HOUR, -HOUR])
def test_a_job_is_billed_and_teaches_what_it_ran(world, step):
    world.submit()
    world.settle()
    begun = world.clock.now()
    world.after(20.0)
    world.clock.set_by(step)
    world.step()
    ended = Exited("1.1", begun + 20.0, "exit code 0", success=True, started_at=begun)
    world.service.dispatcher.post(ended)
    world.step()
    found, (attempt,) = world.job(1), world.store.attempts(1)
    assert found.finished_at - found.started_at == 20.0
    assert attempt.dollars == pytest.approx(20.0 / HOUR * attempt.width * 0.1)
    (measurement,) = world.store.measurements()
    assert measurement.seconds == 20.0


@pytest.mark.parametrize("step", [3 * HOUR, -HOUR])
def test_running_and_waiting_times_go_on_as_if_nothing_had_happened(world, step):
    live_jobs = world.service.live_jobs
    world.submit(*(job_spec() for _ in range(3)))
    world.settle()
    world.after(20.0)
    before = live_jobs.snapshot(world.clock.now())
    attempt = live_jobs.attempts[1]
    assert live_jobs.active.elapsed(attempt, world.clock.now()) == 20.0
    world.clock.set_by(step)
    world.step()
    now = world.clock.now()
    after = live_jobs.snapshot(now)
    assert live_jobs.active.elapsed(attempt, now) == 20.0
    assert [run.end - now for run in after.world.running()] == pytest.approx(
        [run.end - before.now for run in before.world.running()]
    )
    for snapshot in (before, after):
        slot = snapshot.world.slot_of(3)
        assert snapshot.now - snapshot.world.job_submitted[slot] == 20.0
    assert world.store.jobs(JobQuery(), limit=1)[0].submitted_at < 2e6  # stored as it was


def test_a_pause_is_never_longer_than_its_policy_says() -> None:
    (waiting,) = submitted(MemoryStore(), job_spec(retry=Retry(5, backoff_s=10.0)))
    paused = replace(waiting, failures=2, eligible_at=5000.0)
    assert bounded(paused, 1000.0).eligible_at == 1020.0
    assert bounded(paused, 4990.0) == paused


def test_the_system_clock_tells_once_that_it_was_set(monkeypatch) -> None:
    start = 1e9
    monkeypatch.setattr(time, "clock_gettime", lambda _: 100.0)
    monkeypatch.setattr(time, "time", lambda: start)
    system = SystemClock()
    assert system.stepped() == 0.0
    start += 3 * HOUR
    assert system.stepped() == 3 * HOUR
    assert system.stepped() == 0.0
    start -= clock.STEP_S / 2  # what time synchronisation does all day
    assert system.stepped() == 0.0


@pytest.mark.parametrize("ahead_s", [-HOUR, HOUR])
def test_the_clock_of_a_node_changes_no_runtime_and_no_price(world, ahead_s):
    world.submit()
    world.settle()
    begun = world.clock.now() + ahead_s
    ended = Exited("1.1", begun + 20.0, "exit code 0", success=True, started_at=begun)
    world.service.dispatcher.post(ended)
    world.step()
    found, (attempt,) = world.job(1), world.store.attempts(1)
    assert found.finished_at - found.started_at == 20.0
    assert attempt.started_at >= attempt.placed_at
    assert attempt.dollars == pytest.approx(20.0 / HOUR * attempt.width * 0.1)
