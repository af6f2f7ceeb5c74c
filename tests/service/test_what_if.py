"""What would let a waiting job start earlier: told only if the policy, asked again, says so."""

import pytest

from scheduler.service.queries import what_if
from tests.support.service_worlds import CPU, GPU, train, wide


def crowd(build, policy="priority", **own):
    """One job runs on all devices; job 3 waits behind job 2."""
    world = build(policy=policy)
    world.submit(train(request=wide(2)))
    world.settle()
    world.clock.advance(10)
    world.submit(train(request=wide(2), priority=60))
    world.submit(train(request=wide(2), **own))
    return world


def told(world, job, change):
    return [one for one in world.service.queries.explain(job).what_if if one.change == change]


def test_the_least_priority_that_brings_it_first(build):
    world = crowd(build)
    (found,) = told(world, 3, "priority")
    assert found.value == 61.0
    assert found.text.startswith("with priority 61 or more it would start in about")
    assert found.start == pytest.approx(world.service.queries.explain(1).end)
    assert found.start < world.service.queries.explain(3).start
    before = world.service.queries.explain(3)
    world.update(3, priority=61)
    after = world.service.queries.explain(3)
    assert after.start == pytest.approx(found.start)
    assert after.start < before.start


def test_a_priority_that_changes_nothing_is_told_as_such(build):
    world = crowd(build, policy="fcfs")
    (found,) = told(world, 2, "priority")
    assert (found.value, found.start) == (None, None)
    assert found.text == "a higher priority would not let it start earlier"


def test_who_would_get_a_free_device(build):
    world = crowd(build)
    (mine,) = told(world, 2, "devices")
    assert mine.text == "with 2 more devices of cpu free now, it would start at once"
    assert (mine.value, mine.pool, mine.start) == (2, "cpu", world.clock.now())
    (other,) = told(world, 3, "devices")
    assert other.text == "a free device of cpu would go to job 2 first"


def test_another_preference_would_send_it_elsewhere(build):
    world = build((CPU, GPU), policy="priority")
    world.submit(train(request=wide(2, "cpu")), train(request=wide(1, "cuda")))
    world.settle()
    world.submit(train(preference=0.0))
    found = told(world, 3, "preference")
    now = world.service.queries.explain(3)
    assert now.pool == "cpu"
    assert [one.pool for one in found if one.value == 1.0] == ["gpu"]
    fast = next(one for one in found if one.value == 1.0)
    assert fast.text.startswith("with preference fast it would start in about")
    assert fast.end < now.end
    assert fast.dollars > now.dollars


def test_nothing_is_told_of_a_job_that_runs_or_of_a_long_queue(build, monkeypatch):
    world = crowd(build)
    assert world.service.queries.explain(1).what_if == ()
    monkeypatch.setattr(what_if, "DEPTH", 1)
    assert world.service.queries.explain(3).what_if == ()


def test_asking_changes_nothing(build):
    world = crowd(build)
    one, two = world.service.queries.explain(3), world.service.queries.explain(3)
    assert one.what_if == two.what_if
    assert world.job(3).spec.priority == 50
