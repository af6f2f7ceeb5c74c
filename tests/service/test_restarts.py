"""What a service finds when it starts over what another left behind."""

from dataclasses import replace

import pytest

from scheduler.domain.jobs import Retry
from scheduler.domain.resources import Request
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, train, wide


def test_running_attempts_are_adopted(world):
    world.submit(job_spec(), job_spec())
    world.settle()
    pids = [world.attempt(job).pid for job in (1, 2)]
    world.restart()
    assert [world.state(job) for job in (1, 2)] == ["RUNNING", "RUNNING"]
    assert [world.attempt(job).pid for job in (1, 2)] == pids
    assert world.executor.launches == []
    world.finish("1.1")
    world.finish("2.1")
    assert [world.state(job) for job in (1, 2)] == ["SUCCEEDED", "SUCCEEDED"]


def test_an_attempt_whose_start_went_unheard_is_adopted_and_its_true_start_counts(world):
    world.submit()
    begun = world.clock.now()
    world.clock.advance(30)
    world.restart()
    assert (world.state(1), world.attempt(1).pid) == ("RUNNING", 10_000)
    world.clock.advance(6)
    world.finish("1.1")
    assert world.attempt(1).started_at == world.job(1).started_at == begun
    assert world.attempt(1).joules == pytest.approx(360)


def test_an_attempt_that_ended_meanwhile_is_heard(world):
    world.submit(job_spec(), job_spec(after=(-1,)))
    world.settle()
    world.executor.close()
    world.executor.finish("1.1")
    world.restart()
    assert [world.state(job) for job in (1, 2)] == ["SUCCEEDED", "RUNNING"]


def test_an_attempt_that_was_placed_but_never_launched_is_launched(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", lambda _order: None)
        world.submit()
    assert (world.state(1), world.executor.running) == ("STARTING", [])
    world.restart()
    assert world.executor.launches == ["1.1"]
    assert (world.state(1), world.job(1).attempts) == ("RUNNING", 1)


def test_a_running_attempt_of_which_there_is_no_trace_is_lost_and_requeued(world):
    world.submit()
    world.settle()
    world.executor._machine.clear()
    world.restart()
    assert (world.state(1), world.job(1).attempts) == ("RUNNING", 2)
    lost = world.store.attempts(1)[0]
    assert (lost.state, lost.exit_reason.startswith("lost")) == ("LOST", True)


def test_an_attempt_that_was_to_be_stopped_is_stopped_again(world):
    world.executor.obeys = False
    world.submit()
    world.settle()
    world.cancel(1)
    world.executor.obeys = True
    world.restart()
    assert world.executor.cancels == ["1.1"]
    assert world.state(1) == "CANCELLED"


def test_a_cancelled_attempt_without_a_trace_is_cancelled_and_not_run(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", lambda _order: None)
        world.submit()
    world.cancel(1)
    assert world.state(1) == "CANCELLING"
    world.restart()
    assert (world.state(1), world.executor.launches) == ("CANCELLED", [])


def test_dependents_whose_fate_was_sealed_just_before_the_crash_are_given_up(world, monkeypatch):
    world.submit(job_spec(), job_spec(after=(-1,)))
    world.settle()
    monkeypatch.setattr(world.service.dispatcher, "_give_up_dependents", lambda _now: None)
    world.fail("1.1")
    assert world.state(2) == "QUEUED"
    world.restart()
    assert world.state(2) == "CANCELLED"


def test_queued_jobs_keep_their_order_and_their_pause(build):
    world = build(policy="fcfs")
    for _ in range(3):
        world.submit(job_spec(request=wide(2)))
        world.clock.advance(1)
    world.submit(job_spec(request=wide(2), retry=Retry(2, backoff_s=60.0)))
    world.restart(policy="fcfs")
    world.finish("1.1")
    assert [world.state(job) for job in (2, 3)] == ["RUNNING", "QUEUED"]
    for attempt in ("2.1", "3.1"):
        world.finish(attempt)
    world.fail("4.1")
    world.restart(policy="fcfs")
    assert world.service.queries.explain(4).cause == "backoff"
    world.after(60)
    assert world.state(4) == "RUNNING"


def test_a_pool_that_was_removed_lets_its_attempts_end(build):
    world = build((CPU, GPU), policy="priority")
    world.submit(*[train(request=Request(("cuda",)))] * 2)
    world.submit(job_spec(request=Request(("cpu",)), after=(1,)))
    world.settle()
    world.restart((CPU,), policy="priority")
    assert [world.state(job) for job in (1, 2)] == ["RUNNING", "QUEUED"]
    explanation = world.service.queries.explain(2)
    assert explanation.cause == "no-pool"
    assert "cuda" in explanation.text
    assert world.service.queries.explain(1).cause == "active"
    world.clock.advance(3600)
    world.finish("1.1")
    assert (world.state(1), world.state(3)) == ("SUCCEEDED", "RUNNING")
    assert world.attempt(1).dollars == pytest.approx(3.0)
    world.restart((CPU, GPU), policy="priority")
    assert world.state(2) == "RUNNING"


def test_an_attempt_never_launched_on_a_pool_that_was_removed_is_requeued(build, monkeypatch):
    world = build((CPU, GPU), policy="fastest")
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", lambda _order: None)
        world.submit(train())
    assert world.attempt(1).pool == "gpu"
    world.restart((CPU,))
    assert world.state(1) == "RUNNING"
    assert [attempt.pool for attempt in world.store.attempts(1)] == ["gpu", "cpu"]


def test_a_pool_that_became_smaller_goes_on_with_what_it_has(build, monkeypatch):
    six = replace(CPU, devices_per_node=6, memory_per_node=64 * 2**30)
    world = build((six,))
    for _ in range(4):
        world.submit(job_spec(request=Request(("cpu",), 1, 1, 16 * 2**30)))
    world.settle()
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", lambda _order: None)
        world.submit(job_spec())
    world.restart((CPU,))
    assert [world.state(job) for job in (1, 2, 3, 4, 5)] == ["RUNNING"] * 4 + ["QUEUED"]
    world.finish("1.1")
    assert world.state(5) == "RUNNING"
    assert world.attempt(5).devices == (0,)
    for job in (2, 3, 4):
        world.finish(f"{job}.1")
    assert all(world.state(job) == "SUCCEEDED" for job in (1, 2, 3, 4))
