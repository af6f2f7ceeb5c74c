"""The service learns runtimes of commands, and tells when jobs will start."""

import math

import pytest

from scheduler.domain.jobs import JobKind, JobSpec, Profile
from scheduler.service.queries import start_intervals
from tests.support.service_worlds import wide


def command(seed, **fields):
    argv = ["python", "train.py", "--seed", str(seed)]
    profile = Profile(f"command:python:{seed}", 1.0)
    return JobSpec(JobKind.COMMAND, {"argv": argv}, profile, **fields)


def run(world, seed, seconds, **fields):
    (job,) = world.submit(command(seed, **fields))
    world.settle()
    world.after(seconds)
    world.finish(f"{job.id}.1")
    return job.id


def taught(world, count=12):
    for seed in range(count):
        run(world, seed, 40.0 + 5 * (seed % 4))
    world.service.estimate_learning.learn()


def test_a_command_with_another_number_is_known_after_some_have_ended(world):
    assert world.attempt(run(world, 100, 1.0)).estimate.source == "default"
    taught(world)
    found = world.attempt(run(world, 101, 47.0)).estimate
    assert (found.source, found.runtime_s) == ("learned", pytest.approx(47, abs=4))
    # After a restart it is learned again, from the store, when the service runs already.
    world.restart()
    assert world.attempt(run(world, 102, 1.0)).estimate.source == "default"
    world.service.estimate_learning.learn()
    found = world.attempt(run(world, 103, 1.0)).estimate
    assert (found.source, found.runtime_s) == ("learned", pytest.approx(47, abs=4))


def test_each_end_is_learned_once(world):
    taught(world)
    model = world.service.estimator.learned
    before, known = model.runtime(command(1)), len(model.covered())
    world.service.estimate_learning.learn()
    assert model.runtime(command(1)) == before
    run(world, 50, 45.0)
    world.service.estimate_learning.learn()
    assert len(model.covered()) == known + 1


def test_a_job_that_failed_teaches_nothing(world):
    taught(world)
    before = world.service.estimator.learned.runtime(command(1))
    (job,) = world.submit(command(60))
    world.settle()
    world.after(1.0)
    world.fail(f"{job.id}.1")
    world.service.estimate_learning.learn()
    assert world.service.estimator.learned.runtime(command(1)) == before


def test_the_waiting_queue_is_estimated_again_when_something_was_learned(world):
    for seed in range(12):
        run(world, seed, 40.0)
    world.submit(command(70, request=wide(2)))
    (waits,) = world.submit(command(71, request=wide(2)))
    world.settle()
    assert world.service.queries.explain(waits.id).start - world.clock.now() > 200
    world.service.estimate_learning.learn()
    world.clock.advance(40.0)
    world.service.dispatcher.tick(world.clock.now())
    world.settle()
    explained = world.service.queries.explain(waits.id)
    assert explained.end - explained.start == pytest.approx(40, abs=1)


def test_a_start_is_told_with_its_interval(world):
    taught(world)
    running, waiting = world.submit(command(80, request=wide(2)), command(81, request=wide(2)))
    world.settle()
    world.clock.advance(10.0)
    now, found = world.clock.now(), world.service.queries.explain(waiting.id)
    estimate = world.attempt(running.id).estimate
    low_s, high_s = world.service.estimator.interval(command(80), estimate, "Test CPU", 2)
    # It starts when the other one ends, so both have the same uncertainty.
    assert found.start_low - now == pytest.approx(low_s - 10, abs=5)
    assert found.start_high - now == pytest.approx(high_s - 10, abs=5)
    assert found.start_low <= found.start <= found.start_high
    assert "with a chance of 80 % in" in found.text
    assert world.service.queries.explain(waiting.id) == found
    (outlook, *_) = world.service.queries.plan(command(82, request=wide(2)))
    assert outlook.wait_low_s < outlook.wait_s < outlook.wait_high_s
    assert outlook.wait_low_s > found.start_low - now


def test_what_runs_longer_than_ever_makes_the_start_uncertain(world):
    taught(world)
    world.submit(command(80, request=wide(2)), command(81, request=wide(2)))
    world.settle()
    world.clock.advance(5000.0)
    world.settle()
    now = world.clock.now()
    found = world.service.queries.explain(14)
    assert found.start_low >= now
    assert found.start_high - now > 1000


def test_progress_narrows_the_interval(world):
    taught(world)
    running, waiting = world.submit(command(80, request=wide(2)), command(81, request=wide(2)))
    world.settle()
    world.clock.advance(20.0)
    before = world.service.queries.explain(waiting.id)
    world.progress(f"{running.id}.1", 0.5)
    world.service.dispatcher.tick(world.clock.now())
    after = world.service.queries.explain(waiting.id)
    assert after.start_high - after.start_low < 0.6 * (before.start_high - before.start_low)


def test_without_history_or_time_no_interval_is_told(world, monkeypatch):
    world.submit(command(80, request=wide(2)), command(81, request=wide(2)))
    world.settle()
    found = world.service.queries.explain(2)
    assert found.start is not None
    assert (found.start_low, found.start_high) == (None, None)
    world.after(30.0)
    for job in (1, 2):
        world.finish(f"{job}.1")
    taught(world)
    world.submit(command(90, request=wide(2)), command(91, request=wide(2)))
    world.settle()
    monkeypatch.setattr(start_intervals, "BUDGET_S", -1.0)
    assert world.service.queries.explain(16).start_low is None
    monkeypatch.undo()
    assert math.isfinite(world.service.queries.explain(16).start_low)
