"""Jobs that displace others: who, why, and what people are told."""

import pytest

from scheduler.domain.resources import Request
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, train, wide

LONG = {"preference": 1.0, "request": wide(2)}


@pytest.fixture
def world(build):
    """Two CPUs; jobs of higher priority preempt."""
    return build(
        policy="priority",
        preemption={"mode": "priority", "min_runtime_s": 10, "max_per_job": 2, "grace_s": 5},
    )


def displaced(world):
    """Job 1 is being stopped for job 2."""
    world.submit(train(**LONG, priority=10))
    world.settle()
    world.after(20.0)
    world.checkpoint("1.1", 0.2)
    world.executor.obeys = False
    world.submit(train(**LONG, priority=90))


def test_a_job_of_higher_priority_displaces_a_running_one_which_goes_on_later(world):
    displaced(world)
    assert (world.state(1), world.state(2)) == ("PREEMPTING", "QUEUED")
    assert world.executor.preempts == ["1.1"]
    world.executor.stop_preempted("1.1")
    world.settle()
    assert (world.state(1), world.state(2)) == ("QUEUED", "RUNNING")
    assert world.job(1).progress == 0.2
    world.after(60.0)
    world.finish("2.1")
    world.finish("1.2")
    assert (world.state(1), world.state(2)) == ("SUCCEEDED", "SUCCEEDED")


def test_history_and_explanation_say_who_displaced_whom_and_why(world):
    displaced(world)
    request = world.store.events(1)[-1]
    assert (request.name, request.actor) == ("preempt-requested", "scheduler")
    assert request.data["by"] == 2
    assert request.data["reason"] == "priority"
    assert "job 2 takes the devices of job 1: its priority is higher" in request.reason
    assert request.reason in world.service.queries.explain(1).text
    assert world.service.queries.explain(2).text.startswith("job 1 is being stopped for it; ")
    world.executor.stop_preempted("1.1")
    world.settle()
    assert "job 2 takes the devices of job 1" in world.store.attempts(1)[0].exit_reason
    assert "preempted: job 2 takes the devices of job 1" in world.service.queries.explain(1).text


def test_a_restart_knows_for_whom_devices_become_free(world):
    displaced(world)
    world.restart(
        policy="priority", preemption={"mode": "priority", "min_runtime_s": 10, "grace_s": 5}
    )
    assert (world.state(1), world.state(2)) == ("PREEMPTING", "QUEUED")
    assert world.service.queries.explain(2).text.startswith("job 1 is being stopped for it; ")
    world.executor.stop_preempted("1.1")
    world.settle()
    assert (world.state(1), world.state(2)) == ("QUEUED", "RUNNING")


def test_an_urgent_job_says_why_it_does_not_preempt(world):
    world.submit(train(**LONG, priority=10))
    world.settle()
    world.after(5.0)
    world.submit(train(**LONG, priority=90), train(**LONG, priority=10))
    text = world.service.queries.explain(2).text
    assert "; preempts nothing: job 1 has worked for 3 s (min_runtime_s is 10 s)" in text
    assert "preempts" not in world.service.queries.explain(3).text


def test_nobody_else_takes_the_devices_that_are_freed(world):
    displaced(world)
    world.submit(*[train(request=wide(1), priority=100)] * 2)
    world.executor.stop_preempted("1.1")
    world.settle()
    assert world.state(2) == "RUNNING"


def test_a_job_that_cannot_go_on_keeps_its_devices(world):
    world.submit(job_spec(request=wide(2), priority=10))
    world.settle()
    world.after(20.0)
    world.submit(train(**LONG, priority=90))
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")
    assert world.executor.preempts == []


def test_an_attempt_keeps_its_devices_for_the_minimum_runtime_and_not_for_longer(world):
    world.submit(train(**LONG, priority=10))
    world.settle()
    world.after(5.0)
    world.submit(train(**LONG, priority=90))
    assert world.executor.preempts == []
    world.clock.advance(10.0)
    world.service.dispatcher.tick(world.clock.now())
    world.settle()
    assert world.executor.preempts == ["1.1"]


def test_a_job_is_preempted_at_most_so_often(world):
    world.submit(train(**LONG, priority=10, profile=train().profile))
    world.settle()
    for _ in range(3):
        world.after(20.0)
        world.submit(train(**LONG, priority=90))
        world.settle()
        for attempt in [one for one in world.executor.running if not one.startswith("1.")]:
            world.finish(attempt)
    assert world.job(1).preemptions == 2


def test_a_deadline_that_is_met_only_this_way_displaces_a_job(build):
    world = build(policy="fcfs", preemption={"mode": "deadline", "min_runtime_s": 10})
    world.submit(train(**LONG))
    world.settle()
    world.after(15.0)
    world.checkpoint("1.1", 0.2)
    now = world.clock.now()
    world.submit(train(**LONG, deadline=now + 5000.0))
    assert world.executor.preempts == [], "it is met in any case"
    world.submit(train(**LONG, deadline=now + 70.0))
    world.settle()
    assert world.executor.preempts == ["1.1"]
    assert world.state(3) == "RUNNING"


@pytest.mark.parametrize("policy", ["srtf", "srsf", "tiresias"])
def test_policies_that_preempt_decide_in_the_service(build, policy):
    world = build(policy=policy, preemption={"min_runtime_s": 1})
    world.submit(train(request=wide(2), profile=_samples(100_000)))
    world.settle()
    world.after(3000.0)
    world.submit(train(request=wide(2), profile=_samples(100)))
    for _ in range(3):
        world.after(3.0)
        world.service.dispatcher.tick(world.clock.now())
        world.settle()
    assert world.executor.preempts == ["1.1"]
    assert (world.state(1), world.state(2)) == ("QUEUED", "RUNNING")
    world.finish("2.1")
    assert (world.state(1), world.state(2)) == ("RUNNING", "SUCCEEDED")


def test_without_preemption_nothing_is_stopped(build):
    world = build(policy="priority")
    world.submit(train(**LONG, priority=0))
    world.settle()
    world.after(20.0)
    world.submit(train(**LONG, priority=100))
    world.settle()
    assert world.executor.preempts == []
    assert world.service.live_jobs.snapshot(world.clock.now()).running_jobs == ()


def test_decisions_see_only_estimates_of_what_is_left(world):
    world.submit(train(request=Request(("cpu",), 1, 2), preference=1.0))
    world.settle()
    world.after(20.0)
    snapshot = world.service.live_jobs.snapshot(world.clock.now())
    (running,) = snapshot.running_jobs
    estimate = world.attempt(1).estimate
    option = next(o for o in running.job.options if o.width == world.attempt(1).width)
    assert option.runtime_s == pytest.approx(estimate.runtime_s - 20.0 + 2.0)
    assert running.progress.service_s == pytest.approx(20.0 * world.attempt(1).width)
    assert CPU.memory_fits(option.width, option.memory)


def _samples(count):
    return type(train().profile)("simple-cnn:28", float(count), 1e9)
