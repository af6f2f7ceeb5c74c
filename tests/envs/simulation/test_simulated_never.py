"""What no simulation may ever do, over random specs, workloads, heuristics and modes."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.simulator.random_events import RandomEvents
from envs.simulator.results import ClusterLoad
from envs.simulator.simulation import Simulation
from envs.workloads.runtime_estimates import Exact, Learned, Noisy, Requested, Tsafrir
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import traits
from scheduler.decisions.rounds.run import decide
from scheduler.policies.heuristics import HEURISTICS
from tests.support.simulated import specs, workloads

ESTIMATORS = (Exact, Learned, Noisy, Requested, Tsafrir)


@st.composite
def worlds(draw, mode=None):
    mode = mode or draw(st.sampled_from(list(Mode)))
    where = draw(specs(mode))
    policy = HEURISTICS[draw(st.sampled_from(list(HEURISTICS)))]
    return where, draw(workloads(where.pools)), policy, draw(st.sampled_from(ESTIMATORS))


def simulate(world, seed=1, **figures):
    where, jobs, policy, estimator = world
    ran = Simulation(jobs, where, estimator(), seed=seed, check=True, record=True, **figures)
    return ran, ran.run(policy)


def same(one, other):
    for field in one.__dataclass_fields__:
        first, second = getattr(one, field), getattr(other, field)
        if isinstance(first, ClusterLoad):
            same(first, second)
        elif isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second, field)
        else:
            assert first == second, field


@settings(max_examples=100)
@given(worlds())
def test_every_job_ends_once_and_nothing_is_held_twice(world):
    # Devices, memory, conservation and time are checked at every instant by the simulation.
    ran, outcome = simulate(world)
    assert ran.finished == len(world[1].jobs)
    assert ran.waiting == 0
    assert not np.isnan(outcome.ended).any()
    limit = world[0].failures.retries + 1
    assert (~outcome.failed | (outcome.attempts >= limit)).all()
    assert len(ran.held) == outcome.attempts.sum()
    assert outcome.idle_dollars >= -1e-6
    good = ~outcome.failed
    assert (outcome.ended - outcome.started >= outcome.ideal - 1e-6)[good].all()
    assert (outcome.wait >= 0).all()
    assert (outcome.wasted >= 0).all()


@settings(max_examples=30)
@given(worlds())
def test_equal_worlds_have_equal_fates(world):
    same(simulate(world)[1], simulate(world)[1])


@settings(max_examples=30)
@given(worlds())
def test_checking_and_recording_change_nothing(world):
    where, jobs, policy, estimator = world
    same(Simulation(jobs, where, estimator(), seed=1).run(policy), simulate(world)[1])


class ByTable:
    """A policy that gets a table for each choice, without its compiled form."""

    def __init__(self, policy):
        self.name, self.stable = policy.name, policy.stable
        self.scores, self.costs = policy.scores, policy.costs


@settings(max_examples=40)
@given(worlds())
def test_compiled_choices_give_the_schedule_of_tables(world):
    where, jobs, policy, estimator = world
    assert traits(policy).scorer is not None
    same(simulate(world)[1], simulate((where, jobs, ByTable(policy), estimator))[1])


@settings(max_examples=40)
@given(worlds(), st.sampled_from([2.0, 8.0]), st.sampled_from([0.5, 5.0, 20.0, 60.0]))
def test_decisions_know_no_true_runtime_and_nothing_of_what_will_arrive(world, factor, moment):
    where, jobs, policy, _ = world
    where = replace(where, failures=replace(where.failures, per_attempt=0.0))
    told = replace(
        jobs, jobs=tuple(replace(job, requested_s=job.requested_s or 50.0) for job in jobs.jobs)
    )
    known, outcome = plans((where, told, policy, Requested), moment)
    ended = dict(zip(outcome.job.tolist(), outcome.ended.tolist(), strict=True))
    other = replace(
        told, jobs=tuple(scrambled(job, ended[job.id], moment, factor) for job in told.jobs)
    )
    assert plans((where, other, policy, Requested), moment)[0] == known


def scrambled(job, ended, moment, factor):
    """What is not known at a moment: how long those will run that do, and all that will arrive.

    Powers of two keep the ratios between devices, which may be known, to the last bit.
    """
    if ended <= moment:
        return job
    runs = tuple(replace(run, runtime_s=run.runtime_s * factor) for run in job.runs)
    if job.submitted_at > moment:
        return replace(job, runs=runs, requested_s=7.0, priority=99.0)
    return replace(job, runs=runs)


def plans(world, until):
    """All that was decided up to a moment."""
    where, jobs, policy, estimator = world
    ran = Simulation(jobs, where, estimator(), seed=1, check=True)
    log = []
    while (round_ := ran.next()) is not None:
        plan = decide(round_, policy)
        if plan.now <= until:
            log.append(plan)
        ran.commit(plan)
    return log, ran.outcome()


def test_the_same_attempts_fail_under_every_schedule():
    events = RandomEvents(3)
    fates = [events.failure(job, attempt, 0.4) for job, attempt in product(range(50), (1, 2))]
    again = RandomEvents(3)
    backwards = [
        again.failure(job, attempt, 0.4)
        for job, attempt in reversed(list(product(range(50), (1, 2))))
    ]
    assert fates == backwards[::-1]
    assert 20 < sum(fate is not None for fate in fates) < 60
    assert all(0 <= fate < 1 for fate in fates if fate is not None)
    assert events.revocation(0, 1, 1, 2.0) != events.revocation(0, 2, 1, 2.0)
    assert events.revocation(0, 1, 1, 2.0) != events.breakdown(0, 1, 1, 2.0)
    assert events.revocation(0, 1, 1, 0.0) == np.inf
    lives = [events.revocation(0, node, 1, 2.0) for node in range(2000)]
    assert np.mean(lives) == pytest.approx(1800.0, rel=0.1)


def test_rarer_failures_are_a_subset():
    events = RandomEvents(np.random.SeedSequence(3, spawn_key=(1,)))
    often = {job for job in range(200) if events.failure(job, 1, 0.5) is not None}
    rarely = {job for job in range(200) if events.failure(job, 1, 0.2) is not None}
    assert rarely < often
