"""Simulations in which the rules of preemption hold, by hand and at random."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.baselines import catalogue
from envs.scenarios import Failures, load
from envs.simulator.simulation import ClusterSpec, Simulation
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.preemption import (
    AS_PUBLISHED,
    PreemptionMode,
    PreemptionRules,
)
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import InputError
from scheduler.policies.preemptive import PREEMPTIVE
from tests.support.simulated import job, pool, simulation, spec, specs, workloads

KEPT = Failures(checkpoint_s=10.0, restart_s=2.0)


def where(mode, **figures):
    rules = PreemptionRules(PreemptionMode(mode), **figures)
    return replace(spec(pool("gpu", 1), failures=KEPT), preemption=rules)


def test_urgent_jobs_preempt_only_where_the_cluster_says_so():
    jobs = job(1, 0, 100), job(2, 20, 30, priority=90), job(3, 60, 10, deadline=75.0)
    young = {"min_runtime_s": 5.0}
    ended = {
        mode: catalogue.run(simulation(where(mode, **young), *jobs), "fcfs").ended.tolist()
        for mode in PreemptionMode
    }
    assert ended["off"] == [100.0, 130.0, 140.0]
    # Job 3 meets its deadline at 75 and the restart of job 1 takes 2 s.
    assert ended["deadline"] == [112.0, 142.0, 70.0]
    assert ended["priority"] == [144.0, 50.0, 70.0]


def test_lost_seconds_are_counted_and_billed():
    outcome = catalogue.run(
        simulation(
            where("priority", min_runtime_s=5.0), job(1, 0, 40), job(2, 20, 30, priority=90)
        ),
        "wgc",
    )
    assert outcome.wasted.tolist() == [2.0, 0.0]
    assert outcome.dollars.tolist() == [42.0, 30.0]
    assert outcome.attempts.tolist() == [2, 1]


def test_a_job_is_preempted_only_so_often():
    jobs = [job(1, 0, 400), *(job(n, 50 * n, 10, priority=90) for n in range(2, 7))]
    for most in (0, 1, 3):
        ran = simulation(where("priority", min_runtime_s=5.0, max_per_job=most), *jobs)
        assert catalogue.run(ran, "fcfs").attempts[0] == 1 + most


def test_srtf_obeys_the_rules_of_a_cluster():
    jobs = job(1, 0, 20), job(2, 5, 3)
    free = simulation(replace(where("off"), preemption=AS_PUBLISHED), *jobs)
    assert catalogue.run(free, "srtf").attempts.tolist() == [2, 1]
    bound = simulation(where("off", min_runtime_s=60.0), *jobs)
    assert catalogue.run(bound, "srtf").attempts.tolist() == [1, 1]


@settings(max_examples=40, deadline=None)
@given(
    st.data(),
    st.sampled_from(["srtf", "srsf", "tiresias", "wgc", "fcfs"]),
    st.sampled_from(list(PreemptionMode)),
    st.integers(0, 2),
)
def test_every_job_ends_and_none_is_preempted_too_often(data, name, mode, most):
    cluster = data.draw(specs(Mode.EASY))
    cluster = replace(cluster, preemption=PreemptionRules(mode, 0.0, most))
    jobs = data.draw(workloads(cluster.pools, most=10))
    ran = Simulation(jobs, cluster, seed=2, check=True, record=True)
    catalogue.run(ran, name)
    assert ran.finished == len(jobs.jobs)
    for each in jobs.jobs:
        assert ran.progress(each.id).preemptions <= most


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(list(PREEMPTIVE)), st.booleans())
def test_the_service_makes_the_plans_of_the_simulation(data, name, weighed):
    rules = PreemptionRules(min_runtime_s=0.0, weighed=weighed)
    cluster = replace(data.draw(specs(Mode.EASY)), preemption=rules)
    jobs = data.draw(workloads(cluster.pools, most=8))
    ran = Simulation(jobs, cluster, seed=2)
    policy = PREEMPTIVE[name]
    ranked, commit = ran.ranked(policy.name, policy.ranking), ran.commit

    def compared(plan, **how):
        snap = Snapshot(
            ran.now,
            ran.world.copy(),
            running_jobs=tuple(
                ran.running_job(each.job) for each in ran.world.running() if each.job > 0
            ),
            progress={number: ran.progress(number) for number in ran.world.waiting()},
        )
        made = run_round(snap, policy, rules=rules)
        assert starts(made) == starts(plan)
        assert made.preemptions == plan.preemptions
        commit(plan, **how)

    ran.commit = compared
    ranked.run()
    assert ran.finished == len(jobs.jobs)


def starts(plan):
    return sorted((*plan.placements, *plan.deferred), key=lambda each: each.job)


SCENARIO = """
name = "preempting"
version = 1
[pools.gpu]
kind = "cuda"
model = "V100"
devices = 2
[workload]
jobs = 20
[workload.synthetic]
"""


def test_a_scenario_says_when_attempts_may_be_preempted(tmp_path):
    file = tmp_path / "preempting.toml"
    file.write_text(SCENARIO + '[preemption]\nmode = "priority"\nmax_per_job = 2\n')
    scenario = load(file)
    assert ClusterSpec.of(scenario).preemption == PreemptionRules(PreemptionMode.PRIORITY, 60.0, 2)
    assert scenario.digest != replace(scenario, preemption=AS_PUBLISHED).digest
    file.write_text(SCENARIO + '[preemption]\nmode = "always"\n')
    with pytest.raises(InputError) as caught:
        load(file)
    assert "legal: off, deadline, priority" in str(caught.value.fields)
