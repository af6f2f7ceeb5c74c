"""Preemptive policies by hand, and what they may never do."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.scenarios import Failures
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.preemption import JobProgress
from scheduler.domain.errors import InputError
from scheduler.policies.preemptive import LAS, SRSF, SRTF, las
from tests.support.simulated import elastic, job, pool, simulation, spec, specs, workloads


def run(simulation, policy, **how):
    simulation.ranked(policy.name, policy.ranking).run(**how)
    return simulation.outcome()


RESTART = Failures(checkpoint_s=0.0, restart_s=2.0)


def test_the_shortest_remaining_runs_and_the_other_pays_a_restart():
    ran = simulation(spec(pool("gpu", 1), failures=RESTART), job(1, 0, 20), job(2, 5, 3))
    outcome = run(ran, SRTF)
    # 5 s are saved when job 2 comes; at 8 job 1 restarts for 2 s and works 15 more.
    assert outcome.started.tolist() == [0.0, 5.0]
    assert outcome.ended.tolist() == [25.0, 8.0]
    assert outcome.attempts.tolist() == [2, 1]
    assert outcome.wasted.tolist() == [2.0, 0.0]


def test_without_saving_only_checkpoints_count():
    failures = Failures(checkpoint_s=4.0, restart_s=0.0)
    ran = simulation(spec(pool("gpu", 1), failures=failures), job(1, 0, 20), job(2, 5, 3))
    assert run(ran, SRTF, save=False).ended.tolist() == [8.0 + 16.0, 8.0]


def test_what_has_less_left_is_not_preempted():
    ran = simulation(spec(pool("gpu", 1), failures=RESTART), job(1, 0, 10), job(2, 8, 3))
    outcome = run(ran, SRTF)
    assert outcome.ended.tolist() == [10.0, 13.0]
    assert outcome.attempts.tolist() == [1, 1]


def test_service_counts_devices():
    jobs = job(1, 0, 6, 4), job(2, 0, 10, 1), job(3, 0, 10, 1)
    assert run(simulation(spec(pool("gpu", 4)), *jobs), SRTF).started.tolist() == [0.0, 6.0, 6.0]
    assert run(simulation(spec(pool("gpu", 4)), *jobs), SRSF).started.tolist() == [10.0, 0.0, 0.0]


def test_jobs_sink_when_their_service_passes_a_threshold():
    # Job 1 has had 10 device-seconds at 5 and sinks; job 2 at 10. What has just sunk gives its
    # devices to a job that waits in its new queue: job 1 goes on, and then job 2.
    ran = simulation(spec(pool("gpu", 2)), job(1, 0, 8, 2), job(2, 1, 8, 2))
    outcome = run(ran, las((10.0,)))
    assert outcome.started.tolist() == pytest.approx([0.0, 5.0], abs=1e-3)
    assert outcome.ended.tolist() == pytest.approx([13.0, 16.0], abs=1e-3)


def test_jobs_of_one_age_that_have_sunk_do_not_take_the_device_from_each_other_for_ever():
    jobs = [job(number, 0, 9) for number in (1, 2)]
    for priorities in ((50.0, 50.0), (10.0, 90.0), (90.0, 10.0)):
        alike = [replace(each, priority=p) for each, p in zip(jobs, priorities, strict=True)]
        outcome = run(simulation(spec(pool("gpu", 1)), *alike), las((3.0, 6.0)), disturb=True)
        assert outcome.ended.max() == 18.0
        assert outcome.attempts.sum() < 12


def test_ranks_of_tiresias():
    def level(service, width=2):
        return LAS.ranking(JobProgress(9.0, width, service), width)

    assert level(0.0) == ((0.0, 0.0), 1600.0, False)
    # A job that has just sunk goes behind those that wait in its new queue.
    assert level(3200.0) == ((1.0, 1.0), math.inf, True)
    assert level(3203.0) == ((1.0, 0.0), math.inf, False)
    for wrong in ((0.0,), (5.0, 5.0), (7.0, 3.0)):
        with pytest.raises(InputError, match="ascend"):
            las(wrong)


def test_jobs_move_together_to_make_room_for_a_wide_one():
    # Two narrow jobs sit on a node each; the wide one is shorter, and one of them moves up.
    failures = Failures(checkpoint_s=0.0, restart_s=1.0)
    nodes = pool("gpu", 2, nodes=2)
    jobs = job(1, 0, 30, 2), job(2, 0, 40, 2), job(3, 2, 4, 2), job(4, 2, 5, 1)
    outcome = run(simulation(spec(nodes, failures=failures), *jobs), SRTF)
    assert outcome.started.tolist() == [0.0, 0.0, 2.0, 2.0]
    assert outcome.ended[2:].tolist() == [6.0, 7.0]


def test_a_device_kind_with_room_is_taken_where_it_runs_shortest():
    fast, slow = pool("gpu", 1), pool("cpu", 1)
    jobs = [job(number, 0, 10 + number, device="gpu") for number in (1, 2)]
    both = [
        type(each)(each.id, 0.0, (*each.runs, type(each.runs[0])("cpu", 1, 50.0))) for each in jobs
    ]
    outcome = run(simulation(spec(fast, slow), *both), SRTF)
    assert outcome.pool.tolist() == [0, 1]


@settings(max_examples=60)
@given(st.data(), st.sampled_from([SRTF, SRSF, las((3.0, 9.0))]), st.booleans(), st.booleans())
def test_every_job_ends_whatever_is_preempted(data, policy, save, disturb):
    where = data.draw(specs(Mode.EASY))
    jobs = data.draw(workloads(where.pools, most=10))
    if not save:
        disturb = False  # without progress kept, restarts at every event need not end
    ran = Simulation(jobs, where, seed=2, check=True, record=True)
    outcome = run(ran, policy, save=save, disturb=disturb)
    assert ran.finished == len(jobs.jobs)
    assert len(ran.held) == outcome.attempts.sum()
    assert (outcome.wait >= 0).all()


def test_elastic_nodes_and_preemption_are_billed_together():
    cloud = pool("gpu", 1, nodes=2, boot_s=4.0)
    where = spec(cloud, supplies=(elastic(cloud, idle=5.0),), failures=RESTART)
    outcome = run(simulation(where, *(job(n, 2 * n, 20 - 3 * n) for n in range(1, 6))), SRTF)
    assert outcome.idle_dollars >= 2 * 4.0
    assert outcome.dollars.sum() >= outcome.runtime.sum()


def test_a_job_keeps_its_rank_wherever_it_is_placed():
    # Job 1 would run 10 s on the first pool and takes 25 s on the second, where job 2 waits for 15:
    # ranked by where they run, each would preempt the other for ever.
    first, second = pool("cpu0", 1), pool("cpu1", 1)
    jobs = (
        Arrival(1, 0.0, (WorkloadRun("cpu0", 1, 10.0), WorkloadRun("cpu1", 1, 25.0))),
        *(job(2, 0, 15, device="cpu1"), job(3, 0, 1, device="cpu0"), job(4, 0, 1, device="cpu0")),
    )
    outcome = run(simulation(spec(first, second), *jobs), SRTF)
    assert outcome.attempts.tolist() == [1, 1, 1, 1]
    assert outcome.ended.tolist() == [25.0, 40.0, 1.0, 2.0]
