"""Why a job waits: one cause, its evidence, and figures that are the table's."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from scheduler.decisions.rounds.explanation import Cause, wait
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import RIVALS, observer
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import Patient, option, pool, snapshot, snapshots, table, waiting

FCFS, PRIORITY = HEURISTICS["fcfs"], HEURISTICS["priority"]
BUSY = RunningAttempt(end=40.0, job=17, pool=0, nodes=((0, 2),))


def test_nothing_keeps_it():
    found = wait(snapshot(pool(), [waiting(1, option(5.0))]), FCFS, Mode.EASY, 1)
    assert (found.cause, found.text) == (Cause.NONE, "starts in this round")
    assert (found.position, found.depth, found.pool, found.width) == (1, 1, "cpu", 1)
    assert found.blockers == ()


def test_devices():
    late = RunningAttempt(end=90.0, job=18, pool=0, nodes=((0, 1),))
    snap = snapshot(pool(devices=3), [waiting(1, option(5.0, 2))], [late, BUSY])
    found = wait(snap, FCFS, Mode.EASY, 1)
    assert found.cause is Cause.DEVICES
    assert found.text == "waits for 2 of 3 cpu devices, 0 free; job 17 ends in about 40 s"
    assert found.blockers == (17,)  # job 18 ends later than it starts
    assert found.start_delay_s == 40.0


def test_devices_that_an_older_job_takes_in_this_very_round():
    jobs = [waiting(1, option(30.0, 4), 0.0), waiting(2, option(5.0, 2), 1.0)]
    found = wait(snapshot(pool(), jobs), FCFS, Mode.EASY, 2)
    assert found.text == "waits for 2 of 4 cpu devices, 0 free; job 1 ends in about 30 s"
    assert (found.cause, found.position, found.blockers) == (Cause.DEVICES, 2, (1,))
    assert found.start_delay_s == 30.0


def test_order():
    jobs = [waiting(1, option(9.0, 4), 0.0), waiting(2, option(99.0, 1), 1.0)]
    found = wait(snapshot(pool(), jobs, [BUSY]), FCFS, Mode.EASY, 2)
    assert found.cause is Cause.ORDER
    assert found.text == (
        "job 1 goes first on cpu and needs 4 devices in about 40 s; starting now would delay it"
    )
    assert (found.position, found.depth, found.blockers) == (2, 2, (1,))


def test_order_where_only_what_fits_can_be_chosen():
    jobs = [waiting(1, option(9.0, 4), 0.0), waiting(2, option(9.0, 1), 1.0)]
    found = wait(snapshot(pool(), jobs), FCFS, Mode.GREEDY, 2)
    assert (found.cause, found.text) == (Cause.ORDER, "job 1 goes first on cpu")
    assert found.blockers == (1,)


def test_the_policys_own_choice():
    found = wait(snapshot(pool(), [waiting(1, option(5.0))]), Patient(), Mode.EASY, 1)
    assert found.cause is Cause.POLICY
    assert found.text == "the policy keeps it waiting although something fits"


def test_what_no_pool_could_hold_is_not_in_sight():
    found = wait(snapshot(pool(), [waiting(1, option(5.0, 9))]), FCFS, Mode.EASY, 1)
    assert (found.cause, found.start_delay_s) == (Cause.DEVICES, np.inf)
    assert found.text == "waits for 9 of 4 cpu devices, 4 free"


def test_the_place_shown_is_where_the_round_sent_it():
    # By itself job 2 would rather have the cpu pool; that is job 1's, so it is next for the gpu.
    jobs = [
        waiting(1, option(9.0, 4), 0.0),
        waiting(2, [option(10.0, 4, dollars=1.0), option(9.0, 1, 1, dollars=9.0)], 1.0),
    ]
    gpu = RunningAttempt(70.0, 18, 1, ((0, 4),))
    snap = snapshot([pool(), pool("gpu")], jobs, [BUSY, gpu])
    found = wait(snap, HEURISTICS["cheapest"], Mode.EASY, 2)
    assert (found.pool, found.width, found.cause) == ("gpu", 1, Cause.DEVICES)
    assert found.text == "waits for 1 of 4 gpu devices, 0 free; job 18 ends in about 70 s"


def test_alternatives_are_the_other_placements_it_accepts():
    options = [option(10.0, 2, dollars=1.0), option(31.0, 1, 1, dollars=4.0)]
    busy = RunningAttempt(40.0, 17, 0, ((0, 4),))
    snap = snapshot([pool(), pool("gpu", boot_s=7.0)], [waiting(1, options)], [busy])
    found = wait(snap, HEURISTICS["cheapest"], Mode.EASY, 1)
    (other,) = found.alternatives
    assert (other.pool, other.width, other.runtime_s, other.dollars) == ("gpu", 1, 31.0, 4.0)
    assert (other.start_delay_s, other.slowdown) == (7.0, 3.1)


def test_position_counts_jobs_ahead_not_rows_and_breaks_ties_by_age():
    two = [option(9.0, 4), option(18.0, 2)]
    jobs = [
        waiting(1, two, 5.0, priority=50),
        waiting(2, two, 3.0, priority=50),
        waiting(3, two, 9.0, priority=90),
        waiting(4, two, 1.0, priority=10),
    ]
    snap = snapshot(pool(), jobs, [BUSY], now=10.0)
    places = {job: wait(snap, PRIORITY, Mode.EASY, job).position for job in (1, 2, 3, 4)}
    assert places == {3: 1, 2: 2, 1: 3, 4: 4}


def test_a_promise_of_an_earlier_round_is_the_order():
    old, urgent = waiting(1, option(9.0, 4), 0.0), waiting(2, option(9.0, 4), 1.0, priority=99)
    (promise,) = run_round(snapshot(pool(), [old], [BUSY]), PRIORITY, Mode.COMMIT).reservations
    snap = replace(snapshot(pool(), [old, urgent], [BUSY], now=5.0), committed=(promise,))
    found = wait(snap, PRIORITY, Mode.COMMIT, 2)
    assert (found.cause, found.blockers) == (Cause.ORDER, (1,))
    assert wait(snap, PRIORITY, Mode.COMMIT, 1).cause is Cause.DEVICES
    assert wait(snap, PRIORITY, Mode.EASY, 1).cause is Cause.ORDER


def test_a_job_that_does_not_wait_is_unknown():
    with pytest.raises(KeyError):
        wait(snapshot(pool(), []), FCFS, Mode.EASY, 1)


@settings(max_examples=30)
@given(snapshots())
def test_a_cause_never_contradicts_the_round(snap):
    for policy in (FCFS, PRIORITY, HEURISTICS["tetris"]):
        for mode in (Mode.EASY, Mode.GREEDY):
            plan = run_round(snap, policy, mode)
            starts = {placed.job: placed for placed in plan.placements}
            held = {promise.job: promise for promise in plan.reservations}
            for job in snap.world.waiting():
                found = wait(snap, policy, mode, job)
                assert (found.cause is Cause.NONE) == (job in starts)
                assert found.cause is not Cause.POLICY
                if job in held:
                    assert found.cause is Cause.DEVICES
                if job in starts or job in held:
                    sent = starts.get(job) or held[job]
                    assert found.pool == snap.pools[sent.pool].name
                    assert found.width == sent.width
                assert job not in found.blockers
                assert 1 <= found.position <= found.depth == snap.world.depth


@settings(max_examples=30)
@given(snapshots())
def test_a_decision_never_shows_a_figure_that_is_not_the_tables(snap):
    view = table(snap)
    for policy in (FCFS, PRIORITY, HEURISTICS["edf"]):
        scores = policy.scores(view)
        plan = run_round(snap, policy, Mode.EASY, observer(policy, Mode.EASY))
        for decision in plan.decisions:
            assert len(decision.rivals) <= RIVALS
            assert len({id(row) for row in decision.rivals}) == len(decision.rivals)
            for row in (decision.chosen, *decision.rivals):
                assert row.score <= decision.chosen.score
                same = [
                    at
                    for at in range(1, len(view))
                    if (view.job[at], view.width[at]) == (row.job, row.width)
                    and snap.pools[view.pool[at]].name == row.pool
                    and view.runtime[at] == row.values["runtime"]
                    and view.dollars[at] == row.values["dollars"]
                ]
                assert same
                assert row.score == scores[same[0]]
                for name in ("wait", "priority", "preference", "share"):
                    assert row.values[name] == getattr(view, name)[same[0]]
            shown = re.search(r"\$([\d.]+)", decision.reason)
            assert shown is not None
            assert float(shown[1]) == pytest.approx(decision.chosen.values["dollars"], rel=0.05)


def test_rivals_are_the_best_others_best_first():
    jobs = [waiting(job, option(5.0, 4), float(10 - job)) for job in range(1, 9)]
    (decision, *_) = run_round(
        snapshot(pool(), jobs, now=20.0), FCFS, observe=observer(FCFS)
    ).decisions
    assert decision.job == 8
    assert [row.job for row in decision.rivals] == [7, 6, 5, 4, 3]
    assert decision.rows == 8
    assert decision.reason == (
        "starts on cpu × 4 (5 s, $1.00): longest wait (18 s, median 14 s); "
        "the only place that it accepts, free now; decided by fcfs"
    )


def test_actions_read_as_what_happened():
    jobs = [waiting(1, option(9.0, 4), 0.0), waiting(2, option(9.0, 1), 1.0)]
    snap = snapshot(pool(), jobs, [BUSY])
    decisions = run_round(snap, FCFS, Mode.EASY, observer(FCFS, Mode.EASY)).decisions
    assert [decision.action for decision in decisions] == ["reserve", "backfill"]
    assert "is next for cpu × 4" in decisions[0].reason
    assert "starts on cpu × 1 (9 s, $1.00) beside a job with a reservation" in decisions[1].reason
    assert decisions[0] == replace(decisions[0], attempt=None, policy="fcfs", time=0.0)
