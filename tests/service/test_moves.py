"""A policy that moves jobs, live: leases, displacements, moves and claims."""

import pytest

from scheduler.domain.jobs import Profile
from scheduler.domain.resources import Request
from scheduler.policies.moves import LEASE_S
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, train, wide

RULES = {"mode": "off", "min_runtime_s": 10, "max_per_job": 2, "grace_s": 5}
LONG = {"profile": Profile("simple-cnn:28", 100_000.0, 1e9)}
"""10,000 s on a test CPU and 1,000 s on a test GPU."""


@pytest.fixture
def world(build):
    """Two CPUs."""
    return build(policy="sjf+moves", preemption=RULES)


@pytest.fixture
def pools(build):
    """Job 1 on the GPU, job 2, which would run there sooner, on a CPU, and both may be stopped."""
    world = build((CPU, GPU), preemption=RULES)
    world.service.policy_control.use("sjf+moves", mode="greedy", actor="ann")
    world.submit(train(request=wide(1, "cuda"), profile=Profile("simple-cnn:28", 50_000.0, 1e9)))
    world.settle()
    world.submit(train(request=Request(("cuda", "cpu"), 1, 1), preference=1.0, **LONG))
    world.settle()
    world.executor.obeys = False
    world.after(LEASE_S + 60.0)
    return world


def test_it_says_that_it_preempts(world):
    assert world.service.policy_control.view().preempts


def test_a_short_job_displaces_a_long_one_when_its_lease_has_ended(world):
    world.submit(train(request=wide(2), **LONG))
    world.settle()
    world.executor.obeys = False
    world.after(LEASE_S / 2)
    world.submit(train(request=wide(2)))
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")
    world.after(LEASE_S)
    assert (world.state(1), world.state(2)) == ("PREEMPTING", "QUEUED")
    request = world.store.events(1)[-1]
    assert (request.data["by"], request.data["reason"]) == (2, "policy")
    world.executor.stop_preempted("1.1")
    world.settle()
    assert (world.state(1), world.state(2)) == ("QUEUED", "RUNNING")
    world.finish("2.1")
    assert world.executor.running == ["1.2"]


def test_a_job_moves_to_the_faster_pool_which_is_kept_for_it(pools):
    assert [one.pool for one in pools.store.attempts(2)] == ["cpu"]
    pools.finish("1.1")
    assert pools.state(2) == "PREEMPTING"
    request = pools.store.events(2)[-1]
    assert request.data["reason"] == "move"
    assert "job 2 moves: the policy prefers another placement" in request.reason
    pools.submit(train(request=wide(1, "cuda")))
    assert pools.state(3) == "QUEUED", "the GPU is kept for job 2"
    pools.executor.stop_preempted("2.1")
    pools.settle()
    assert [one.pool for one in pools.store.attempts(2)] == ["cpu", "gpu"]
    assert (pools.state(2), pools.state(3)) == ("RUNNING", "QUEUED")


def test_a_job_that_could_not_go_on_is_left_alone(world):
    world.submit(job_spec(request=wide(2)))
    world.settle()
    world.after(LEASE_S)
    world.submit(train(request=wide(2)))
    world.after(LEASE_S)
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")


def test_a_job_moves_only_as_often_as_the_rules_allow(build):
    world = build(policy="sjf+moves", preemption={**RULES, "max_per_job": 0})
    world.submit(train(request=wide(2), **LONG))
    world.settle()
    world.after(LEASE_S)
    world.submit(train(request=wide(2)))
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")
