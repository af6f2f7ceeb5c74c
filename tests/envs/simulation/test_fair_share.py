"""Two projects that flood a cluster share it by their shares, and none starves."""

import numpy as np
import pytest

from benchmarks.fair_share.flood import (
    LEARNED,
    POOL,
    SEARCHED,
    fair,
    flood,
    policies,
    ratio,
    used,
)
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.state.usage import Allowance, SharingRules
from scheduler.policies import lookup
from scheduler.policies.guard import Guard

STARVATION_S = 900.0


@pytest.mark.parametrize("case", ["equal", "long", "urgent"])
@pytest.mark.parametrize("policy", ["sjf", "wgc"])
def test_an_hour_is_shared_by_the_shares(policy, case):
    assert fair(ratio(used(policy, case)))


@pytest.mark.parametrize("policy", [*lookup.names(), *LEARNED])
def test_every_policy_of_the_service_shares(policy):
    assert fair(ratio(used(policy, "equal", 1200.0)))


@pytest.mark.slow
@pytest.mark.parametrize("policy", SEARCHED)
def test_policies_that_search_share(policy):
    assert fair(ratio(used(policy, "equal", 900.0)))


def test_without_rules_projects_do_not_matter():
    load = flood("urgent", 300.0)
    outcome = Simulation(load, ClusterSpec((POOL,)), record=True).run(lookup.named("priority"))
    plain = Workload("plain", tuple(_without_project(job) for job in load.jobs))
    same = Simulation(plain, ClusterSpec((POOL,)), record=True).run(lookup.named("priority"))
    assert np.array_equal(outcome.started, same.started)


@pytest.mark.parametrize("name", ["sjf", "fcfs", "wgc"])
def test_a_tiny_share_starves_nobody(name):
    load = flood("equal", 7200.0)
    few = [
        Arrival(10_000 + at, 60.0 * at, (WorkloadRun("cuda", 1, 600.0),), project="tiny")
        for at in range(5)
    ]
    jobs = tuple(sorted((*load.jobs, *few), key=lambda job: job.submitted_at))
    rules = SharingRules({"vision": Allowance(1000.0), "tiny": Allowance(0.001)})
    policy = Guard(lookup.named(name), lookup.named("priority"), starvation_s=STARVATION_S)
    simulation = Simulation(Workload("tiny", jobs), ClusterSpec((POOL,), sharing=rules))
    outcome = simulation.run(policy)
    started = dict(zip(outcome.job.tolist(), outcome.started.tolist(), strict=True))
    waits = [started[job.id] - job.submitted_at for job in few]
    # One start of the project within each bound, the oldest first; a device is free soon.
    assert max(waits) < (len(few) + 1) * (STARVATION_S + 100.0)
    assert np.isfinite(outcome.ended).all()


def test_the_benchmark_names_what_the_service_offers():
    assert set(lookup.names()) <= set(policies())


def _without_project(job):
    return Arrival(job.id, job.submitted_at, job.runs, priority=job.priority)
