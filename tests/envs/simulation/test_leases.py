"""Gavel and Themis by hand, and what a scheduler with leases may never do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.baselines.gavel import Gavel, max_min_shares
from envs.baselines.leases import LeasedJob, run
from envs.baselines.themis import Themis, winners
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, WorkloadRun
from envs.workloads.runtime_estimates import Requested
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.entries import EstimatedPlacement
from scheduler.decisions.state.preemption import PreemptionRules
from scheduler.decisions.state.world import World
from tests.support.simulated import job, pool, simulation, spec, specs, workloads

FAST, SLOW = 0, 1


def leased(number, *placements, priority=50.0):
    """A job with (pool, width, seconds) each."""
    options = [
        EstimatedPlacement(where, width, 0, seconds, 0, 0) for where, width, seconds in placements
    ]
    return LeasedJob(number, 0.0, priority, options, options, {}, True)


def test_the_job_that_gains_less_from_fast_devices_leaves_them_to_the_other():
    # Speeds 4 and 1, and 2 and 1; one fast device and two slow ones. With equal shares of the
    # devices, 1/3 and 2/3 of the time, the jobs have the throughputs 2 and 4/3. If job 1 has the
    # fast device for a and job 2 for 1 − a, their terms are (1 + 3a)/2 and (2 − a)·3/4, equal at
    # a = 4/9: both are 7/6, better than equal shares.
    jobs = [
        leased(1, (FAST, 1, 10.0), (SLOW, 1, 40.0)),
        leased(2, (FAST, 1, 20.0), (SLOW, 1, 40.0)),
    ]
    shares = max_min_shares(jobs, [1, 2])
    assert shares[1] == pytest.approx({(FAST, 1): 4 / 9, (SLOW, 1): 5 / 9}, abs=1e-5)
    assert shares[2] == pytest.approx({(FAST, 1): 5 / 9, (SLOW, 1): 4 / 9}, abs=1e-5)


def test_shares_count_devices_and_weights():
    wide, narrow = leased(1, (0, 2, 10.0)), leased(2, (0, 1, 10.0))
    shares = max_min_shares([wide, narrow], [2])
    assert [shares[1][0, 2], shares[2][0, 1]] == pytest.approx([0.5, 1.0], abs=1e-5)
    urgent, other = leased(1, (0, 1, 10.0), priority=100.0), leased(2, (0, 1, 10.0))
    shares = max_min_shares([urgent, other], [1])
    assert [shares[1][0, 1], shares[2][0, 1]] == pytest.approx([2 / 3, 1 / 3], abs=1e-5)
    assert max_min_shares([], [1]) == {}


def test_what_the_least_off_cannot_use_goes_to_others():
    jobs = [leased(number, (0, 1, 10.0)) for number in (1, 2)] + [leased(3, (1, 1, 10.0))]
    shares = max_min_shares(jobs, [1, 1])
    assert [shares[n][0, 1] for n in (1, 2)] == [0.5, 0.5]
    assert shares[3][1, 1] == 1.0


def test_equal_jobs_take_turns_by_rounds():
    ran = simulation(spec(pool("gpu", 1)), job(1, 0, 20), job(2, 0, 20))
    outcome = run(ran, Gavel(10.0))
    assert outcome.started.tolist() == [0.0, 10.0]
    assert outcome.ended.tolist() == pytest.approx([30.0, 40.0], abs=1e-3)
    assert outcome.attempts.tolist() == [2, 2]


def test_devices_that_become_free_within_a_round_are_used_at_once():
    ran = simulation(spec(pool("gpu", 1)), job(1, 0, 3), job(2, 0, 20), job(3, 4, 2))
    assert run(ran, Gavel(10.0)).started.tolist() == pytest.approx([0.0, 3.0, 10.0], abs=1e-3)


def both(number, submitted, fast_s, slow_s):
    runs = WorkloadRun("gpu0", 1, float(fast_s)), WorkloadRun("gpu1", 1, float(slow_s))
    return Arrival(number, float(submitted), runs)


def test_a_running_job_moves_to_the_faster_pool_though_nobody_waits():
    where = spec(pool("gpu0", 1), pool("gpu1", 1))
    outcome = run(simulation(where, both(1, 0, 8, 80), both(2, 0, 50, 100)), Gavel(10.0))
    # Each gets half of each pool. Job 2 has done a tenth of its work on the slow one at 10.
    assert outcome.started.tolist() == [0.0, 0.0]
    assert outcome.ended.tolist() == pytest.approx([8.0, 10.0 + 45.0], abs=1e-3)
    assert outcome.pool.tolist() == [0, 0]


def test_a_job_that_gets_its_devices_again_has_no_restart():
    for scheduler in (Gavel(10.0), Themis(10.0)):
        ran = simulation(spec(pool("gpu", 2)), job(1, 0, 50), job(2, 0, 50))
        outcome = run(ran, scheduler)
        assert outcome.attempts.tolist() == [1, 1]
        assert outcome.ended.tolist() == [50.0, 50.0]


def test_the_job_furthest_behind_its_fair_finish_wins_the_auction():
    # At 0 two jobs are there: ρ = (20 + 100) / 200 and (20 + 10) / 20, and the second wins. At 30
    # job 1's lease ends, after 55 job-seconds: (30 + 20 + 80) / 183 against (15 + 20 + 10) / 20.
    jobs = job(1, 0, 100), job(2, 0, 10), job(3, 15, 10)
    outcome = run(simulation(spec(pool("gpu", 1)), *jobs), Themis(20.0))
    assert outcome.started.tolist() == pytest.approx([10.0, 0.0, 30.0], abs=1e-3)
    assert outcome.ended.tolist() == pytest.approx([120.0, 10.0, 40.0], abs=1e-3)


def test_the_winners_have_the_greatest_product_of_valuations():
    wide, narrow = (EstimatedPlacement(0, width, 0, 1.0, 0, 0) for width in (2, 1))
    bids = [(1, {wide: 1.0}), (2, {narrow: 0.6}), (3, {narrow: 0.7, wide: 0.8}), (4, {narrow: -1})]
    assert winners(bids, World([pool("gpu", 2)])) == [(3, narrow), (2, narrow)]
    assert winners(bids[:1], World([pool("gpu", 2)])) == [(1, wide)]
    assert winners(bids[3:], World([pool("gpu", 2)])) == []


@pytest.mark.parametrize("make", [Gavel, Themis])
def test_rules_of_preemption_protect_running_attempts(make):
    where = spec(pool("gpu", 1))
    jobs = job(1, 0, 40), job(2, 1, 5)
    free = run(simulation(where, *jobs), make(10.0))
    assert free.attempts.tolist() == [2, 1]
    rules = PreemptionRules(min_runtime_s=25.0)
    held = run(simulation(replace(where, preemption=rules), *jobs), make(10.0))
    # The lease that ends at 30 is the first that does not protect it.
    assert held.started.tolist() == pytest.approx([0.0, 30.0], abs=1e-3)
    never = PreemptionRules(max_per_job=0)
    alone = run(simulation(replace(where, preemption=never), *jobs), make(10.0))
    assert alone.ended.tolist() == [40.0, 45.0]


class Spy(Themis):
    """Keeps all that it is shown."""

    def __init__(self):
        super().__init__(10.0)
        self.seen = []

    def requests(self, scene):
        self.seen += [(scene.now, job.id, job.whole, job.left) for job in scene.jobs]
        return super().requests(scene)


def test_a_scheduler_sees_estimates_and_what_is_left_by_them():
    spy = Spy()
    jobs = job(1, 0, 3, requested_s=40.0), job(2, 0, 17, requested_s=20.0)
    run(simulation(spec(pool("gpu", 1)), *jobs, estimator=Requested()), spy)
    whole = {number: {each.runtime_s for each in options} for _, number, options, _ in spy.seen}
    assert whole == {1: {40.0}, 2: {20.0}}
    # Job 2 goes first. By its estimate 10 s are left at 10; in truth 7.
    left = {each[0].runtime_s for now, job, _, each in spy.seen if (now, job) == (10.0, 2)}
    assert left == {10.0}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([Gavel, Themis]), st.sampled_from([3.0, 40.0]))
def test_every_job_ends_whatever_the_leases_are(data, make, lease_s):
    where = data.draw(specs(Mode.EASY))
    jobs = data.draw(workloads(where.pools, most=10))
    outcomes = []
    for _ in range(2):
        ran = Simulation(jobs, where, seed=2, check=True, record=True)
        outcomes.append(run(ran, make(lease_s)))
        assert ran.finished == len(jobs.jobs)
        assert len(ran.held) == outcomes[-1].attempts.sum()
        assert (outcomes[-1].wait >= 0).all()
    first, second = outcomes
    for name in ("started", "ended", "pool", "attempts", "dollars"):
        assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True)
