"""Planners by hand, and what they may never do."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from envs.baselines.easy_sjbf import EASY_SJBF
from envs.baselines.planners import CONSERVATIVE, DRF, PLANNERS, run
from envs.simulator.simulation import Simulation
from envs.workloads.runtime_estimates import Requested
from scheduler.decisions.rounds.modes import Mode
from tests.support.simulated import FCFS, job, pool, simulation, spec, specs, workloads

# 1 holds 3 of 4 until 10; 2 needs 4 (10 … 20); 3 needs 2 (20 … 30); 4 runs 12 s on 1, beside 1
# it would delay 2; 5 ends in time for 2.
JOBS = job(1, 0, 10, 3), job(2, 1, 10, 4), job(3, 1, 10, 2), job(4, 2, 12, 1), job(5, 2, 8, 1)


def test_conservative_backfilling_delays_nobody_who_came_before():
    outcome = run(simulation(spec(pool("cpu", 4)), *JOBS), CONSERVATIVE)
    assert outcome.started.tolist() == [0.0, 10.0, 20.0, 20.0, 2.0]


def test_easy_may_delay_the_second_in_the_queue_where_conservative_does_not():
    # Behind job 1 (3 of 4 until 10), 2 waits for 3 from 10 on; 3 for 2 after it. Job 4 fits
    # beside both 1 and 2 for long, and EASY does not care that it delays 3.
    jobs = job(1, 0, 10, 3), job(2, 1, 10, 3), job(3, 1, 5, 4), job(4, 2, 50, 1)
    easy = simulation(spec(pool("cpu", 4)), *jobs).run(FCFS)
    assert easy.started.tolist() == [0.0, 10.0, 52.0, 2.0]
    conservative = run(simulation(spec(pool("cpu", 4)), *jobs), CONSERVATIVE)
    assert conservative.started.tolist() == [0.0, 10.0, 20.0, 25.0]


def test_jobs_move_up_when_others_end_early():
    jobs = job(1, 0, 5, 4, requested_s=50.0), job(2, 1, 5, 4, requested_s=5.0)
    ran = simulation(spec(pool("cpu", 4)), *jobs, estimator=Requested())
    assert run(ran, CONSERVATIVE).started.tolist() == [0.0, 5.0]


def test_the_user_with_the_least_share_goes_first():
    jobs = [job(number, 0, 10, 1, user="many") for number in range(1, 7)]
    jobs.append(job(7, 0, 10, 1, user="one"))
    outcome = run(simulation(spec(pool("cpu", 2)), *jobs), DRF)
    assert outcome.started[[0, 6]].tolist() == [0.0, 0.0]
    assert sorted(outcome.started.tolist()) == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0, 30.0]


def test_memory_dominates_where_it_is_scarcer():
    big = pool("cpu", 8, memory_per_node=8)
    jobs = [job(n, 0, 10, 1, user="memory", memory_bytes=4) for n in (1, 2)]
    jobs += [job(n, 0, 10, 1, user="devices", memory_bytes=0) for n in (3, 4, 5)]
    outcome = run(simulation(spec(big), *jobs), DRF)
    assert outcome.started.tolist() == [0.0] * 5


def test_behind_a_reservation_the_shortest_goes_first():
    jobs = job(1, 0, 10, 3), job(2, 1, 10, 4), job(3, 2, 7, 1), job(4, 2, 3, 1)
    outcome = simulation(spec(pool("cpu", 4)), *jobs).run(EASY_SJBF)
    assert outcome.started.tolist() == [0.0, 10.0, 20.0, 2.0]
    assert simulation(spec(pool("cpu", 4)), *jobs).run(FCFS).started.tolist() == [0, 10, 2, 20]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(list(PLANNERS)))
def test_every_job_ends_whoever_plans(data, name):
    where = data.draw(specs(Mode.EASY))
    jobs = data.draw(workloads(where.pools))
    ran = Simulation(jobs, where, seed=2, check=True)
    outcome = run(ran, PLANNERS[name])
    assert ran.finished == len(jobs.jobs)
    assert (outcome.wait >= 0).all()


@settings(max_examples=40)
@given(st.data())
def test_with_exact_estimates_nobody_waits_longer_than_without_backfilling(data):
    where = spec(pool("cpu", data.draw(st.integers(1, 5))))
    jobs = data.draw(workloads(where.pools))
    # Of jobs that arrive together fcfs takes the most urgent first, a plan the first in the list.
    alike = tuple(replace(job, priority=50.0, deadline=None) for job in jobs.jobs)
    jobs = replace(jobs, jobs=alike)
    plain = Simulation(jobs, spec(*where.pools, mode=Mode.NONE), check=True).run(FCFS)
    planned = run(Simulation(jobs, where, check=True), CONSERVATIVE)
    assert (planned.started <= plain.started + 1e-6).all()
    assert all(a <= b for a, b in pairwise(plain.started.tolist()))
