"""Policies that move jobs, by hand, and what they may never do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.baselines import catalogue
from envs.clock import reason_against
from envs.scenarios import Failures
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, WorkloadRun
from envs.workloads.runtime_estimates import Exact
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.preemption import PreemptionRules
from scheduler.domain.errors import InputError
from scheduler.policies.lookup import builtin, named
from scheduler.policies.moves import MovingPolicy
from tests.support.simulated import job, pool, simulation, spec, specs, workload, workloads

RESTART = Failures(checkpoint_s=0.0, restart_s=20.0)
ONE = spec(pool("gpu", 1), failures=RESTART)
POOLS = pool("gpu-slow", 1), pool("gpu-fast", 1)
TWO = spec(*POOLS, mode=Mode.GREEDY, failures=RESTART)
WGC = named("wgc")
SJF = named("sjf")


def moving(policy=SJF, lease_s=100.0):
    return MovingPolicy(policy, lease_s)


def either(number, submitted, slow, fast, **figures):
    """A job that runs in both pools."""
    runs = WorkloadRun("gpu-slow", 1, float(slow)), WorkloadRun("gpu-fast", 1, float(fast))
    return Arrival(number, float(submitted), runs, preference=1.0, **figures)


class Short(Exact):
    """Believes that job 1 takes 50 s."""

    def estimate(self, job, run):
        return 50.0 if job.id == 1 else run.runtime_s


def test_a_short_job_starts_when_the_lease_of_a_long_one_has_ended():
    outcome = simulation(ONE, job(1, 0, 1000), job(2, 10, 30)).run(moving())
    assert outcome.started.tolist() == [0.0, 100.0]
    # Job 1 worked for 100 s, restarts for 20 s at 130 and works for 900 s more.
    assert outcome.ended.tolist() == [1050.0, 130.0]
    assert outcome.attempts.tolist() == [2, 1]
    assert outcome.wasted.tolist() == [20.0, 0.0]


def test_a_long_job_goes_on_if_what_waits_is_longer_than_its_rest():
    outcome = simulation(ONE, job(1, 0, 300), job(2, 10, 250)).run(moving())
    assert outcome.attempts.tolist() == [1, 1]
    assert outcome.ended.tolist() == [300.0, 550.0]


def test_a_job_moves_to_the_faster_pool_when_that_is_worth_a_restart():
    jobs = job(1, 0, 200, device="gpu-fast"), either(2, 1, 1001, 100.1)
    outcome = simulation(TWO, *jobs).run(moving(lease_s=150.0))
    # At 200 job 2 has 802 s to go where it is; there it restarts for 20 s and works for 80.2.
    assert outcome.ended.tolist() == pytest.approx([200.0, 300.2])
    assert outcome.attempts.tolist() == [1, 2]


def test_it_stays_if_the_restart_takes_longer_than_the_move_saves():
    slow_restart = replace(TWO, failures=replace(RESTART, restart_s=900.0))
    jobs = job(1, 0, 200, device="gpu-fast"), either(2, 1, 1001, 100.1)
    assert simulation(slow_restart, *jobs).run(moving()).attempts.tolist() == [1, 1]


def test_a_job_that_runs_longer_than_estimated_gives_way():
    jobs = job(1, 0, 1000), job(2, 10, 70)
    outcome = simulation(ONE, *jobs, estimator=Short()).run(moving(lease_s=60.0))
    # At 705 a tenth more than job 1 has run is expected, and that is longer than job 2.
    assert outcome.attempts.tolist() == [2, 1]
    assert 60.0 < outcome.started[1] < 1000.0


def test_nothing_is_stopped_before_its_lease_has_ended():
    outcome = simulation(ONE, job(1, 0, 300), job(2, 10, 5)).run(moving(lease_s=1000.0))
    assert outcome.attempts.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("rules", "attempts"),
    [
        (PreemptionRules(), [2, 1]),
        (PreemptionRules(max_per_job=0), [1, 1]),
        (PreemptionRules(min_runtime_s=5000.0), [1, 1]),
    ],
)
def test_the_rules_of_a_cluster_protect_attempts(rules, attempts):
    where = replace(ONE, preemption=rules)
    outcome = simulation(where, job(1, 0, 1000), job(2, 10, 30)).run(moving())
    assert outcome.attempts.tolist() == attempts


def test_under_rules_a_job_of_lower_priority_displaces_nothing():
    where = replace(ONE, preemption=PreemptionRules())
    jobs = job(1, 0, 1000, priority=60), job(2, 10, 30, priority=50)
    assert simulation(where, *jobs).run(moving()).attempts.tolist() == [1, 1]


def test_other_jobs_are_decided_again_without_the_protected_one():
    two = replace(spec(pool("gpu", 2), failures=RESTART), preemption=PreemptionRules())
    jobs = job(1, 0, 1000, priority=60), job(2, 0, 900), job(3, 10, 30)
    outcome = simulation(two, *jobs).run(moving())
    assert outcome.attempts.tolist() == [1, 2, 1]


def test_the_compiled_clock_leaves_them_to_simpy():
    reason = reason_against(workload(job(1, 0, 10)), ONE, Exact(), moving())
    assert "preempts" in reason


def test_names():
    assert named("wgc:mixed-cloud+moves").name == "wgc:mixed-cloud+moves"
    assert named("sjf@fastest+moves").lease_s > 0
    assert builtin("wgc+moves")
    assert builtin("sjf@fastest+moves")
    with pytest.raises(InputError, match="preempts already"):
        named("srsf+moves")
    with pytest.raises(InputError, match="lease"):
        MovingPolicy(WGC, 0.0)
    with pytest.raises(InputError, match="foresee no moves"):
        named("sjf+search+moves")
    for name in ("srsf+search", "wgc+moves+search"):
        with pytest.raises(InputError, match="cannot be searched"):
            named(name)


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.sampled_from(["wgc", "sjf", "fcfs", "tetris"]),
    st.sampled_from(list(Mode)),
    st.sampled_from([None, PreemptionRules(min_runtime_s=2.0, max_per_job=1)]),
)
def test_every_job_ends_and_the_same_run_gives_the_same_result(data, name, mode, rules):
    cluster = data.draw(specs(mode))
    if rules is not None:
        cluster = replace(cluster, preemption=rules)
    jobs = data.draw(workloads(cluster.pools))
    policy = moving(named(name), 5.0)
    twice = [
        Simulation(jobs, cluster, seed=1, check=True, record=True).run(policy) for _ in range(2)
    ]
    for outcome in twice:
        assert (outcome.ended >= outcome.started).all()
    assert twice[0].ended.tolist() == twice[1].ended.tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(10, 900)), min_size=1, max_size=8),
    st.integers(10, 900),
    st.integers(0, 200),
)
def test_of_two_equal_jobs_the_more_urgent_never_ends_later(others, runtime, at):
    jobs = [job(n, when, lasts) for n, (when, lasts) in enumerate(sorted(others), 3)]
    twins = job(1, at, runtime, priority=30), job(2, at, runtime, priority=70)
    order = sorted([*twins, *jobs], key=lambda each: each.submitted_at)
    outcome = catalogue.run(simulation(ONE, *order), "wgc+moves")
    ended = dict(zip(outcome.job.tolist(), outcome.ended.tolist(), strict=True))
    assert ended[2] <= ended[1]
