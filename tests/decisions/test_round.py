"""Rounds with numbers small enough to follow by hand."""

from dataclasses import replace

import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide, run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.plan import Action
from scheduler.decisions.state.world import World
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import Patient, earliest, option, pool, snapshot, waiting

FCFS = HEURISTICS["fcfs"]
BUSY = RunningAttempt(end=10.0, job=100, pool=0, nodes=((0, 2),))
"""Two of the four devices, until second 10."""


def started(plan):
    return [(placed.job, placed.action.value) for placed in plan.placements]


def reserved(plan):
    return [(held.job, held.start) for held in plan.reservations]


def shadow():
    """Job 1 needs the whole pool and may have it at second 10; all else is about the gap."""
    return [
        waiting(1, option(10.0, 4), 0.0),
        waiting(2, option(12.0, 2), 1.0),  # ends at 12: would delay job 1
        waiting(3, option(10.0, 2), 2.0),  # ends at 10, just in time
        waiting(4, option(1.0, 1), 3.0),  # short, but nothing is left
    ]


def test_easy_fills_the_gap_with_what_ends_before_the_shadow_time():
    plan = run_round(snapshot(pool(), shadow(), [BUSY]), FCFS, Mode.EASY)
    assert started(plan) == [(3, "backfill")]
    assert reserved(plan) == [(1, 10.0)]


def test_easy_lets_long_jobs_have_only_the_spare_devices():
    jobs = [
        waiting(1, option(10.0, 3), 0.0),  # at second 10 one of four devices is spare
        waiting(2, option(99.0, 1), 1.0),  # takes it
        waiting(3, option(99.0, 1), 2.0),  # a device is free now, but belongs to job 1 at 10
        waiting(4, option(10.0, 1), 3.0),  # gives it back in time
    ]
    plan = run_round(snapshot(pool(), jobs, [BUSY]), FCFS, Mode.EASY)
    assert started(plan) == [(2, "backfill"), (4, "backfill")]
    assert reserved(plan) == [(1, 10.0)]


@pytest.mark.parametrize("mode", [Mode.NONE, Mode.COMMIT])
def test_without_backfilling_the_pool_is_closed(mode):
    plan = run_round(snapshot(pool(), shadow(), [BUSY]), FCFS, mode)
    assert (started(plan), reserved(plan)) == ([], [(1, 10.0)])


@pytest.mark.parametrize(
    ("mode", "first", "then"),
    [
        (Mode.EASY, [(9, 10.0)], [(9, "start")]),  # chosen again: the urgent job overtakes
        (Mode.COMMIT_EASY, [(1, 10.0)], [(1, "start")]),
        (Mode.COMMIT, [(1, 10.0)], [(1, "start")]),
    ],
)
def test_only_a_sticky_reservation_outlives_its_round(mode, first, then):
    policy = HEURISTICS["priority"]
    snap = snapshot(pool(), shadow()[:2], [BUSY])
    (promise,) = run_round(snap, policy, mode).reservations
    assert (promise.job, promise.start) == (1, 10.0)

    urgent = waiting(9, option(99.0, 4), 4.0, priority=100)
    for now, running, expected in ((5.0, [BUSY], []), (10.0, [], then)):
        snap = snapshot(pool(), [*shadow()[:2], urgent], running, now)
        plan = run_round(replace(snap, committed=(promise,)), policy, mode)
        assert started(plan) == expected
        if running:
            assert reserved(plan) == first
            (promise,) = plan.reservations


def test_the_rlscheduler_rule_looks_at_ends_only_oldest_first_and_strictly():
    # Three of four devices at second 10: EASY would let job 2 have the spare one.
    jobs = [
        waiting(1, option(10.0, 3), 0.0),
        waiting(2, option(99.0, 1), 1.0, priority=100),
        waiting(3, option(10.0, 1), 2.0, priority=60),  # ends at 10, not before
        waiting(5, option(9.0, 1), 4.0, priority=70),
        waiting(4, option(9.0, 1), 3.0, priority=55),
        waiting(6, option(9.0, 1), 5.0, priority=90),
    ]
    jobs[0] = replace(jobs[0], priority=101)
    plan = run_round(snapshot(pool(), jobs, [BUSY]), HEURISTICS["priority"], Mode.COMMIT_FCFS)
    assert started(plan) == [(4, "backfill"), (5, "backfill")]
    assert reserved(plan) == [(1, 10.0)]


def test_greedy_starts_whatever_fits_in_the_policys_order_and_reserves_the_wide_alone():
    busy = BUSY._replace(nodes=((0, 4),))
    narrow = [waiting(1, option(10.0, 1), 0.0), waiting(2, option(12.0, 1), 1.0)]
    plan = run_round(snapshot(pool(), narrow, [busy]), FCFS, Mode.GREEDY)
    assert (started(plan), reserved(plan)) == ([], [])
    plan = run_round(snapshot(pool(), shadow(), [BUSY]), FCFS, Mode.GREEDY)
    assert (started(plan), reserved(plan)) == ([(3, "backfill")], [(1, 10.0)])


def test_greedy_reserves_nothing_for_a_wide_job_that_can_start_elsewhere():
    jobs = [waiting(1, [option(10.0, 4), option(90.0, 1, pool=1)], 0.0, preference=1.0)]
    pools = (pool(), pool("slow", 1))
    plan = run_round(snapshot(pools, jobs, [BUSY]), FCFS, Mode.GREEDY)
    assert (started(plan), reserved(plan)) == ([(1, "start")], [])


def test_a_reservation_closes_only_its_own_pool():
    jobs = [
        waiting(1, option(5.0, 4, pool=0), 0.0),
        waiting(2, option(5.0, 1, pool=1), 1.0),
    ]
    plan = run_round(snapshot([pool("cpu"), pool("gpu")], jobs, [BUSY]), FCFS, Mode.COMMIT)
    assert (started(plan), reserved(plan)) == ([(2, "start")], [(1, 10.0)])


def test_backfilling_counts_the_boot_time():
    jobs = [
        waiting(1, option(10.0, 4), 0.0),
        waiting(2, option(6.0, 1), 1.0),  # boots 5 s: ends at 11
        waiting(3, option(5.0, 1), 2.0),  # ends at 10
    ]
    plan = run_round(snapshot(pool(boot_s=5.0), jobs, [BUSY]), FCFS, Mode.EASY)
    assert started(plan) == [(3, "backfill")]


def test_the_reserved_start_is_kept_when_sums_of_seconds_round():
    # 0.3 + 48.2 ≤ 49.4 - 0.9, yet 0.3 + 0.9 + 48.2 > 49.4: ends in time must mean one thing.
    busy = RunningAttempt(end=49.4, job=100, pool=0, nodes=((0, 2),))
    jobs = [waiting(1, option(10.0, 4), 0.0), waiting(2, option(48.2, 2), 0.1)]
    plan = run_round(snapshot(pool(boot_s=0.9), jobs, [busy], now=0.3), FCFS, Mode.EASY)
    assert started(plan) == []
    assert reserved(plan) == [(1, 49.4)]


def test_a_job_that_no_pool_could_hold_closes_none():
    jobs = [
        waiting(1, option(5.0, 5), 0.0),
        waiting(2, option(5.0, 1, memory=9), 1.0),
        waiting(3, option(5.0, 1), 2.0),
    ]
    for mode in Mode:
        plan = run_round(snapshot(pool(memory_per_node=8), jobs), FCFS, mode)
        assert (started(plan), reserved(plan)) == ([(3, "start")], [])


def test_an_attempt_that_overran_its_estimate_may_end_any_moment():
    late = RunningAttempt(end=3.0, job=100, pool=0, nodes=((0, 4),))
    plan = run_round(snapshot(pool(), [waiting(1, option(5.0), 0.0)], [late], now=50.0), FCFS)
    assert reserved(plan) == [(1, 50.0)]


def test_equal_scores_go_to_the_oldest_whatever_the_order_of_entry():
    jobs = [waiting(1, option(5.0, 4), 7.0), waiting(2, option(5.0, 4), 3.0)]
    assert started(run_round(snapshot(pool(), jobs, now=9.0), HEURISTICS["priority"])) == [
        (2, "start")
    ]


def test_equal_costs_go_to_the_soonest_end():
    job = waiting(1, [option(40.0, 1), option(20.0, 2), option(10.0, 4)], preference=0.0)
    plan = run_round(snapshot(pool(), [job]), FCFS)
    assert [placed.width for placed in plan.placements] == [4]


def test_the_policy_may_wait_and_ends_the_round():
    patient = Patient()
    snap = snapshot(pool(), [waiting(1, option(5.0)), waiting(2, option(5.0))])
    plan = run_round(snap, patient, Mode.EASY, observer(patient, Mode.EASY))
    assert plan.placements == ()
    (decision,) = plan.decisions
    assert (decision.action, decision.job, decision.chosen.pool) == ("wait", 0, "")
    assert decision.reason == "keeps 2 jobs waiting; job 1 would be next; decided by patient"


def test_a_job_scored_last_is_still_decided():
    plan = run_round(snapshot(pool(), [waiting(1, option(5.0))]), HEURISTICS["edf"])
    assert started(plan) == [(1, "start")]


def test_taking_a_row_that_may_not_be_chosen_is_refused():
    snap = snapshot(pool(), shadow(), [BUSY])
    round_ = Round(snap.world.copy(), 0.0, Mode.EASY)
    assert round_.outcome(1) is Action.RESERVE
    assert round_.take(1) is Action.RESERVE
    with pytest.raises(ValueError, match="row 1 may not be chosen now"):
        round_.take(1)
    with pytest.raises(ValueError, match="row 2 may not be chosen now"):
        round_.take(2)
    assert round_.take(3) is Action.BACKFILL
    assert round_.take(0) is Action.WAIT
    assert round_.table() is None
    with pytest.raises(ValueError, match="row 4 may not be chosen now"):
        round_.take(4)


def test_an_empty_queue_makes_an_empty_plan():
    plan = run_round(snapshot(pool(), []), FCFS)
    assert (plan.placements, plan.reservations, plan.policy) == ((), (), "fcfs")


def test_a_decision_keeps_the_figures_the_policy_saw():
    jobs = [waiting(1, [option(8.0, 4, dollars=2.0), option(30.0, 1, dollars=1.0)], 0.0)]
    (decision,) = run_round(snapshot(pool(), jobs, now=3.0), FCFS, observe=observer(FCFS)).decisions
    assert decision.chosen.values["start_delay"] == 0.0
    assert decision.chosen.values["wait"] == 3.0
    assert decision.chosen.values["runtime"] == 8.0
    assert (decision.rows, decision.action, decision.chosen.score) == (2, "start", 0.0)
    assert [(rival.width, rival.values["dollars"]) for rival in decision.rivals] == [(1, 1.0)]
    assert "starts on cpu × 4 (8 s, $2.00): the only job that waits; quickest" in decision.reason
    assert decision.rivals[0].text == (
        "instead on cpu × 1: 50 % cheaper, ends 22 s later; chosen with preference cheap"
    )


def test_a_warm_node_starts_at_once_and_decides_who_ends_in_time():
    cloud = pool("cloud", 1, nodes=3, boot_s=60.0)
    running = [RunningAttempt(100.0, 90 + node, 0, ((node, 1),)) for node in range(2)]
    jobs = [waiting(1, option(50.0, 3)), waiting(2, option(80.0), submitted=1.0)]
    snap = snapshot(cloud, jobs, running)
    for warm, started in ((False, []), (True, [2])):
        world = snap.world.copy()
        if warm:
            world.mark_up(0, 2)
        plan = decide(Round(world, 0.0, Mode.EASY), HEURISTICS["fcfs"])
        assert [placed.job for placed in plan.placements] == started


def test_what_is_believed_to_end_later_gives_its_devices_back_later():
    world = World([pool("pool", 2)], [RunningAttempt(10.0, 1, 0, ((0, 2),))])
    world.add(waiting(2, option(5.0)))
    first = Round(world, 0.0, Mode.EASY).table()
    assert first.start_delay.tolist() == [0.0, 10.0]
    world.extend(1, 25.0)
    assert earliest(world, 0, 1, 0, 0.0) == 25.0
    assert Round(world, 0.0, Mode.EASY).table().start_delay.tolist() == [0.0, 25.0]
    assert [attempt.end for attempt in world.releases(0)] == [25.0]
    world.finish(1)
    assert Round(world, 0.0, Mode.EASY).table().start_delay.tolist() == [0.0, 0.0]
