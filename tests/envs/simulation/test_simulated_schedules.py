"""Schedules worked out by hand."""

import numpy as np
import pytest

from envs.scenarios import Billing, Failures, Supply
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter
from envs.simulator.simulation import Simulation
from envs.workloads.runtime_estimates import Requested
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InfeasibleError, InputError
from scheduler.policies.heuristics import HEURISTICS
from tests.support.simulated import FCFS, elastic, job, pool, simulation, spec, workload

JOBS = (job(1, 0, 100, 3), job(2, 0, 50, 4), job(3, 1, 30, 1), job(4, 1, 120, 1))


@pytest.mark.parametrize(
    ("mode", "starts"),
    [
        # Nothing passes job 2; then 3 and 4 follow it.
        (Mode.NONE, [0, 100, 150, 150]),
        # Job 3 ends before job 2 may start at 100, job 4 does not.
        (Mode.EASY, [0, 100, 1, 150]),
        # Job 2 is wide and can start nowhere: it is reserved as under EASY.
        (Mode.GREEDY, [0, 100, 1, 150]),
    ],
)
def test_first_come_first_served(mode, starts):
    outcome = simulation(spec(pool("cpu", 4), mode=mode), *JOBS).run(FCFS)
    assert outcome.started.tolist() == starts
    assert outcome.ended.tolist() == [
        start + each.runs[0].runtime_s for start, each in zip(starts, JOBS, strict=True)
    ]
    assert outcome.wait.tolist() == [
        start - each.submitted_at for start, each in zip(starts, JOBS, strict=True)
    ]


def test_dollars_and_joules_of_what_ran():
    where = pool("cpu", 4, watts_per_device=100.0)
    outcome = simulation(spec(where), job(1, 0, 10, 2)).run(FCFS)
    assert outcome.dollars.tolist() == [20.0]
    assert outcome.joules.tolist() == [2000.0]
    assert outcome.idle_dollars == 0.0


def test_every_start_boots_where_nobody_keeps_nodes_up():
    outcome = simulation(spec(pool("cpu", 2, boot_s=5.0)), job(1, 0, 10), job(2, 20, 10)).run(FCFS)
    assert outcome.started.tolist() == [5.0, 25.0]
    assert outcome.ended.tolist() == [15.0, 35.0]
    assert outcome.dollars.tolist() == [10.0, 10.0]


def test_an_elastic_node_boots_once_stays_warm_and_is_shut_down():
    cloud = pool("gpu", 1, nodes=2, boot_s=10.0)
    jobs = job(1, 0, 20), job(2, 40, 20), job(3, 300, 20)
    ran = simulation(spec(cloud, supplies=(elastic(cloud, idle=50.0),)), *jobs)
    outcome = ran.run(FCFS)
    # 1 boots; at 40 the node is still up; it is shut down at 60 + 50, so 3 boots again.
    assert outcome.started.tolist() == [10.0, 40.0, 310.0]
    assert outcome.dollars.tolist() == [20.0, 20.0, 20.0]
    # Up from 0 to 110 and from 300 to 330: 140 s, of which jobs pay 60.
    assert outcome.idle_dollars == pytest.approx(80.0)
    assert [held.nodes for held in ran.held] == [((0, 1),), ((0, 1),), ((1, 1),)]


def test_the_least_nodes_are_up_from_the_start_and_stay():
    cloud = pool("gpu", 1, nodes=3, boot_s=10.0)
    where = spec(cloud, supplies=(elastic(cloud, min_nodes=1, idle=0.0),))
    outcome = simulation(where, job(1, 5, 10), job(2, 5, 10), job(3, 50, 10)).run(FCFS)
    assert outcome.started.tolist() == [5.0, 15.0, 50.0]
    # The first node goes when job 1 ends; the second, from 5 on, is the one that stays.
    assert outcome.idle_dollars + outcome.dollars.sum() == pytest.approx(15.0 + 55.0)


def test_owned_machines_are_paid_for_whether_used_or_not():
    owned = pool("cpu", 4)
    where = spec(owned, supplies=(Supply(owned, 1, billing=Billing.AMORTISED),))
    outcome = simulation(where, job(1, 10, 20, 2)).run(FCFS)
    assert outcome.dollars.tolist() == [40.0]
    assert outcome.idle_dollars == pytest.approx(4 * 30.0 - 40.0)


def random_events(monkeypatch, **answers):
    for name, answer in answers.items():
        monkeypatch.setattr(
            f"envs.simulator.random_events.RandomEvents.{name}",
            lambda self, *who, answer=answer: answer(who),
        )


def test_a_revoked_node_ends_its_attempt_which_goes_on_from_its_checkpoint(monkeypatch):
    random_events(monkeypatch, revocation=lambda who: 25.0 if who[2] == 1 else np.inf)
    spot = pool("gpu", 1, boot_s=5.0)
    where = spec(
        spot,
        supplies=(elastic(spot, revocations_per_hour=1.0),),
        failures=Failures(checkpoint_s=10.0, restart_s=3.0),
    )
    ran = simulation(where, job(1, 0, 100))
    outcome = ran.run(FCFS)
    # Works from 5 to 30, 20 s are saved; boots until 35, restarts until 38, works 80 s more.
    assert outcome.started.tolist() == [5.0]
    assert outcome.ended.tolist() == [118.0]
    assert outcome.attempts.tolist() == [2]
    assert outcome.wasted.tolist() == [5.0 + 3.0]
    assert outcome.runtime.tolist() == [100.0]
    # Billed: 30 s of the first life, 88 s of the second; the job did not pay for the boots.
    assert outcome.dollars.sum() == pytest.approx(25.0 + 83.0)
    assert outcome.idle_dollars == pytest.approx(10.0)
    assert [(held.start, held.end) for held in ran.held] == [(0.0, 30.0), (30.0, 118.0)]


def test_a_broken_node_is_out_until_it_is_repaired(monkeypatch):
    random_events(monkeypatch, breakdown=lambda who: 10.0 if who[1:3] == (0, 1) else np.inf)
    where = spec(
        pool("cpu", 1, nodes=2),
        failures=Failures(per_node_hour=1.0, repair_s=40.0, checkpoint_s=0.0, restart_s=0.0),
    )
    outcome = simulation(where, job(1, 0, 30), job(2, 0, 100), job(3, 12, 5)).run(FCFS)
    # Job 1 loses its node at 10 and everything with it; node 0 is back at 50.
    assert outcome.started.tolist() == [0.0, 0.0, 80.0]
    assert outcome.ended.tolist() == [80.0, 100.0, 85.0]
    assert outcome.attempts.tolist() == [2, 1, 1]
    assert outcome.wasted.tolist() == [10.0, 0.0, 0.0]


def test_a_failing_job_is_tried_again_and_given_up(monkeypatch):
    random_events(monkeypatch, failure=lambda who: 0.5 if who[0] == 1 else None)
    failures = Failures(per_attempt=0.5, retries=2, checkpoint_s=0.0, restart_s=1.0)
    outcome = simulation(spec(pool("cpu", 2), failures=failures), job(1, 0, 10), job(2, 0, 10)).run(
        FCFS
    )
    assert outcome.failed.tolist() == [True, False]
    assert outcome.attempts.tolist() == [3, 1]
    assert outcome.ended.tolist() == [5.0 + 6.0 + 6.0, 10.0]
    assert outcome.wasted.tolist() == [17.0, 0.0]
    assert outcome.dollars.tolist() == [17.0, 10.0]


def test_preemption_keeps_checkpoints_and_costs_a_restart():
    where = spec(pool("cpu", 1), failures=Failures(checkpoint_s=4.0, restart_s=2.0))
    ran = simulation(where, job(1, 0, 20), job(2, 10, 5))
    for _ in range(2):
        round_ = ran.next()
        if ran.now:
            ran.preempt(1)
        else:
            round_.take(1)
            ran.commit(round_.plan())
    # 8 of 10 s are saved: 12 s and the restart are left.
    assert ran.progress(1).remaining_s == pytest.approx(12.0)
    outcome = ran.run(HEURISTICS["sjf"])
    assert outcome.started.tolist() == [0.0, 10.0]
    assert outcome.ended.tolist() == [15.0 + 2.0 + 12.0, 15.0]
    assert outcome.wasted.tolist() == [4.0, 0.0]


def test_preempting_what_does_not_run_is_refused():
    ran = simulation(spec(pool("cpu", 1)), job(1, 0, 20))
    ran.next()
    with pytest.raises(KeyError):
        ran.preempt(1)


def test_an_outlived_estimate_is_corrected_and_moves_the_promise():
    # Job 1 should end at 10 and runs until 40; job 2 is promised 10, then later and later.
    jobs = job(1, 0, 40, 3, requested_s=10.0), job(2, 0, 10, 4), job(3, 0, 12, 1)
    ran = simulation(spec(pool("cpu", 4)), *jobs, estimator=Requested())
    promised = []
    while (round_ := ran.next()) is not None:
        while (table := round_.table()) is not None:
            round_.take(int(table.rows[1]))
        plan = round_.plan()
        promised += [(ran.now, held.start) for held in plan.reservations]
        ran.commit(plan)
    assert promised[0] == (0.0, 10.0)
    # At 10 s one second more, at 11 s a tenth more: job 3 may not pass until it fits before.
    assert promised[1] == (10.0, 11.0)
    assert [start > now for now, start in promised] == [True] * len(promised)
    assert ran.outcome().ended.tolist()[1] == 50.0


def test_the_meter_agrees_with_the_record_whatever_happens():
    cloud, owned = pool("gpu", 1, nodes=3, boot_s=4.0), pool("cpu", 2, watts_per_device=50.0)
    for billing in Billing:
        where = ClusterSpec(
            (cloud, owned),
            Mode.EASY,
            supplies=(
                elastic(cloud, idle=7.0, revocations_per_hour=60.0),
                Supply(owned, 1, billing=billing),
            ),
            failures=Failures(per_attempt=0.3, checkpoint_s=5.0, restart_s=1.0),
        )
        meter = Meter()
        jobs = [job(number, 3 * number, 20 + number, deadline=90.0) for number in range(1, 20)]
        outcome = Simulation(workload(*jobs), where, meter=meter, check=True, seed=4).run(FCFS)
        reading = meter.read(float(outcome.ended.max()))
        assert reading.dollars == pytest.approx(outcome.dollars.sum() + outcome.idle_dollars)
        assert reading.joules == pytest.approx(outcome.joules.sum())
        assert reading.slowdown == pytest.approx(
            (outcome.jct / np.maximum(outcome.ideal, 10.0)).sum()
        )
        assert reading.misses == (outcome.ended > outcome.deadline).sum()


def test_times_of_submission_are_counted_from_the_origin():
    jobs = job(1, 0, 10.0), job(2, 1, 3.0), job(3, 2, 2.0)
    # log10(max(s, 1)) rises from 0 to 0.3 here, but hardly after a million seconds.
    young = simulation(spec(pool("cpu", 1)), *jobs).run(HEURISTICS["f1"])
    old = simulation(spec(pool("cpu", 1)), *jobs, origin=-1e6).run(HEURISTICS["f1"])
    assert young.started.tolist() == [0.0, 10.0, 13.0]
    assert old.started.tolist() == [0.0, 12.0, 10.0]


def test_jobs_without_a_place_and_supplies_without_a_pool_are_refused():
    with pytest.raises(InfeasibleError, match="job 1"):
        simulation(spec(pool("cpu", 2)), job(1, 0, 1, 3)).run(FCFS)
    with pytest.raises(InputError, match="gpu"):
        spec(pool("cpu", 2), supplies=(elastic(pool("gpu", 1)),))


def test_quarters_of_a_device_are_a_pool_of_quarters():
    quarters = pool("gpu", 4, nodes=2, dollars_per_device_hour=900.0)
    jobs = [job(number, 0, 10, 3 if number < 3 else 1) for number in range(1, 6)]
    outcome = simulation(spec(quarters), *jobs).run(FCFS)
    # Two jobs of three quarters, on a device each, and two quarters left.
    assert outcome.started.tolist() == [0.0, 0.0, 0.0, 0.0, 10.0]
    assert outcome.dollars.tolist() == [7.5, 7.5, 2.5, 2.5, 2.5]
