"""Why a job waits, and what would happen to one that is not submitted."""

import math

import pytest

from scheduler.domain.errors import InfeasibleError, MissingError
from scheduler.domain.jobs import Retry
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, dollars, train, wide


def test_it_waits_for_devices_that_a_job_frees_in_time(world):
    world.submit(train(request=wide(2)), train(request=wide(2)))
    world.settle()
    world.clock.advance(10)
    found = world.service.queries.explain(2)
    assert (found.cause, found.position, found.depth) == ("devices", 1, 1)
    assert (found.pool, found.width, found.blockers) == ("cpu", 2, (1,))
    assert found.start == pytest.approx(world.service.queries.explain(1).end)
    assert found.end > found.start
    assert found.dollars > 0
    assert found.text.startswith("waits for 2 of 2 cpu devices, 0 free; job 1 ends in about")
    assert "starts about" in found.text


def test_a_deadline_that_cannot_be_met_is_told(world):
    now = world.clock.now()
    world.submit(train(request=wide(2)))
    world.settle()
    for deadline in (now + 1.0, now + 1e7):
        world.submit(train(request=wide(2), deadline=deadline))
    assert "after its deadline by the estimates" in world.service.queries.explain(2).text
    assert "deadline" not in world.service.queries.explain(3).text


def test_it_waits_behind_a_job_that_goes_first(build):
    world = build(policy="priority")
    world.submit(train(request=wide(1)))
    world.settle()
    world.clock.advance(10)
    world.submit(train(request=wide(2), priority=90))
    world.submit(train(request=wide(1), priority=10))
    found = world.service.queries.explain(3)
    assert (found.cause, found.position, found.depth) == ("order", 2, 2)
    assert found.blockers == (2,)
    assert found.start >= world.service.queries.explain(2).start


def test_another_placement_that_is_free_is_named(build):
    world = build((CPU, GPU), policy="cheapest")
    world.submit(*[train(request=wide(1, "cpu"))] * 2)
    world.submit(train(preference=0.9))
    found = world.service.queries.explain(3)
    assert (found.cause, found.pool) == ("devices", "cpu")
    assert [other.pool for other in found.alternatives] == ["gpu"]
    assert "gpu × 1 has room now" in found.text
    assert "the cost, ends" in found.text


def test_it_waits_for_its_dependencies(world):
    world.submit(job_spec(), job_spec(), job_spec(after=(-1, -2)))
    found = world.service.queries.explain(3)
    assert (found.cause, found.blockers) == ("dependency", (1, 2))
    assert found.text == "waits for jobs 1, 2 to succeed"


def test_it_waits_for_its_pause_to_end(world):
    world.submit(job_spec(retry=Retry(2, backoff_s=30.0)))
    world.settle()
    world.fail("1.1")
    found = world.service.queries.explain(1)
    assert (found.cause, found.start) == ("backoff", world.clock.now() + 30)
    assert found.text == "retry 1 of 1 in 30 s after exit code 1"


def test_an_active_job_says_where_and_how_long_still(world):
    world.executor.obeys = False
    world.submit(train(request=wide(1)))
    assert world.service.queries.explain(1).text == "is being started on cpu × 1"
    world.settle()
    world.clock.advance(20)
    found = world.service.queries.explain(1)
    assert (found.cause, found.start) == ("active", world.clock.now() - 20)
    assert found.text.startswith("runs on cpu × 1 for 20 s, about")
    world.clock.advance(1000)
    assert world.service.queries.explain(1).text.endswith("longer than estimated")
    world.cancel(1)
    assert world.service.queries.explain(1).text == "is being stopped on cpu × 1: cancelled by ann"


def test_an_ended_job_says_how_it_ended(world):
    world.submit()
    world.settle()
    world.fail("1.1", "out of memory")
    found = world.service.queries.explain(1)
    assert (found.cause, found.text) == ("final", "out of memory")
    assert found.decisions[0].chosen.pool == "cpu"
    with pytest.raises(MissingError):
        world.service.queries.explain(2)


def test_a_job_nobody_has_heard_of_yet_is_taken_up_in_a_moment(world):
    world.service.jobs.submit([job_spec()], actor="ann")
    assert world.service.queries.explain(1).cause == "none"


def test_a_plan_for_three_preferences_leaves_no_trace(build):
    world = build((CPU, GPU), policy="priority")
    world.submit(train(request=wide(1, "cuda")))
    world.settle()
    jobs, events = world.store.live(), world.store.events()
    fast, balanced, cheap = world.service.queries.plan(train(deadline=world.clock.now() + 50))
    assert (fast.preference, balanced.preference, cheap.preference) == ("fast", "balanced", "cheap")
    assert (fast.pool, cheap.pool) == ("gpu", "cpu")
    assert fast.wait_s > 0
    assert cheap.wait_s == 0
    assert cheap.dollars < fast.dollars
    assert fast.runtime_s < cheap.runtime_s
    assert (fast.meets_deadline, cheap.meets_deadline) == (True, False)
    assert fast.source == "flops"
    world.step()
    assert (world.store.live(), world.store.events()) == (jobs, events)
    assert world.service.cluster.view().queued == 0


def test_a_plan_is_refused_as_the_submission_would_be(world):
    with pytest.raises(InfeasibleError):
        world.service.queries.plan(job_spec(request=wide(3)))
    with pytest.raises(InfeasibleError) as caught:
        world.service.queries.plan(train(budget=1e-9))
    assert list(caught.value.fields) == ["budget"]


def test_a_plan_keeps_to_the_budget(build):
    world = build((CPU, GPU), policy="priority")
    cpu, gpu = dollars(train(), CPU), dollars(train(), GPU)
    assert cpu < gpu
    budget = (cpu + gpu) / 2
    assert {one.pool for one in world.service.queries.plan(train(budget=budget))} == {"cpu"}


def test_a_plan_behind_what_never_ends_is_out_of_sight(world):
    world.submit(*[job_spec(request=wide(2))] * 400)
    outlook = world.service.queries.plan(job_spec(request=wide(2)))[0]
    assert (outlook.wait_s, outlook.pool) == (math.inf, "cpu")
    assert outlook.meets_deadline is None
